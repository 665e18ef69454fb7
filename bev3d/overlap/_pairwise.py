"""Matrices of overlaps: every box with every other."""

from __future__ import annotations

import torch

from bev3d._check import check_boxes, check_same_device
from bev3d_ops import _dispatch as ops
from bev3d_ops._arrays import Array

__all__ = ["check_sets", "pairwise_intersection_bev", "pairwise_iou_3d", "pairwise_iou_bev"]


def pairwise_iou_bev(a: Array, b: Array) -> Array:
    """Intersection over union of the footprints, seen from above, of every box of ``a`` with every box of ``b``.

    By the clamp integral: exact to rounding, always in [0, 1], exactly 0 where the footprints are apart or touch.
    NumPy arrays and tensors on the CPU are computed with in float64, tensors on CUDA in their own type (halves in
    float32). Never has a gradient: :func:`bev3d.overlap.iou_bev` has one, on aligned pairs.

    Args:
        a: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        b: (M, 7 or 9), the same kind of array on the same device.

    Returns:
        (N, M) in the (wider) dtype of the arguments. A box with a NaN, an infinity, or a length or width that
        is not positive (at least 1e-40 m) has overlap 0 with every box; so has one beyond 1e40 m. On CUDA the two
        limits of all types but float64 are 1e-12 m and 1e12 m.

    Raises:
        ValueError: wrong shapes, or different devices.
        TypeError: not floating-point arrays or tensors, or one of each.
    """
    return _pairwise(a, b, ops.IOU_BEV)


def pairwise_iou_3d(a: Array, b: Array) -> Array:
    """Intersection over union of the volumes; arguments and promises as :func:`pairwise_iou_bev`."""
    return _pairwise(a, b, ops.IOU_3D)


def pairwise_intersection_bev(a: Array, b: Array) -> Array:
    """Area of intersection of the footprints, square metres; arguments and promises as :func:`pairwise_iou_bev`."""
    return _pairwise(a, b, ops.INTERSECTION_BEV)


def _pairwise(a: Array, b: Array, kind: int) -> Array:
    check_sets(a, b)
    return ops.pairwise_overlap(a, b, kind)


def check_sets(a: Array, b: Array) -> None:
    """Raise unless both are sets of boxes, (N, 7 or 9), of one kind of array and on one device."""
    for name, value in (("a", a), ("b", b)):
        check_boxes(name, value)
        if value.ndim != 2:
            raise ValueError(f"{name}: expected two dimensions, (N, 7 or 9), got {tuple(value.shape)}")
    if isinstance(a, torch.Tensor) != isinstance(b, torch.Tensor):
        raise TypeError(f"b: expected a {type(a).__name__} as a, got {type(b).__name__}")
    if isinstance(a, torch.Tensor):
        check_same_device("b", b, "a", a)
