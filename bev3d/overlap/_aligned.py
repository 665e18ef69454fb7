"""Overlap of aligned boxes, differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d._check import check_boxes, check_same_device
from bev3d_ops import _dispatch as ops

__all__ = ["check_pair", "iou_3d", "iou_bev"]


def iou_bev(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of the footprints, seen from above, of aligned boxes.

        IoU = |A ∩ B| / (|A| + |B| - |A ∩ B|)

    The area of intersection is the clamp integral: exact to rounding, no vertex list, no tolerance. The gradient is in
    closed form, finite everywhere, and 0 to rounding where the boxes are equal.
    float64 is computed in float64; float32 in float32 on differences of centres and yaws (off by less than 2e-5),
    its gradient on the CPU in float64; smaller types as float32.

    Args:
        a: (..., 7 or 9), see :class:`bev3d.boxes.Box`.
        b: (..., 7 or 9), broadcastable to ``a`` but for the last dimension, on its device.

    Returns:
        (...) in [0, 1], in the wider dtype of the two; exactly 0 where the footprints are apart or touch, and
        where a box has a NaN, an infinity or a size that is not positive. Differentiable once: a second derivative
        raises. A size of 0 has the gradient of growing, one below 0 none.

    Raises:
        ValueError: wrong shapes, or different devices.
        TypeError: not floating-point tensors.
    """
    check_pair(a, b)
    return ops.aligned_overlap(a, b, ops.IOU_BEV)


def iou_3d(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of the volumes of aligned boxes; arguments and promises as :func:`iou_bev`.

    The volume shared is the area shared by the footprints times the length shared along z.
    """
    check_pair(a, b)
    return ops.aligned_overlap(a, b, ops.IOU_3D)


def check_pair(a: Tensor, b: Tensor, names: tuple[str, str] = ("a", "b")) -> None:
    """Raise unless both are tensors of boxes whose leading dimensions broadcast, on one device."""
    for name, value in zip(names, (a, b), strict=True):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch tensor, got {type(value).__name__}")
        check_boxes(name, value)
    check_same_device(names[1], b, names[0], a)
    if a.shape[:-1] == b.shape[:-1]:
        return
    try:
        torch.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    except RuntimeError as error:
        expected = f"leading dimensions that broadcast to {tuple(a.shape[:-1])} of {names[0]}"
        raise ValueError(f"{names[1]}: expected {expected}, got {tuple(b.shape[:-1])}") from error
