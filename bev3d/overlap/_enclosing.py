"""Overlap with a term that still has a gradient where the boxes are apart: GIoU and DIoU.

Both need a box that encloses the pair. Here it is, everywhere, the smallest one whose sides are parallel to those
of the **target** (the second argument): cheap, smooth in the prediction, and fixed to what does not move. It is
not the smallest enclosing rectangle, nor the convex hull of the original GIoU, which it bounds from above.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d.overlap._aligned import Space, check_pair
from bev3d_ops import _dispatch as ops
from bev3d_ops.reference._intersection import angle_guard
from bev3d_ops.reference._overlap import clean_boxes

__all__ = ["diou_3d", "diou_bev", "giou_3d", "giou_bev"]


def giou_bev(pred: Tensor, target: Tensor) -> Tensor:
    """Generalised IoU of the footprints of aligned boxes (Rezatofighi et al., CVPR 2019, 1902.09630).

        GIoU = IoU - (C - U) / C,   U the area of the union, C that of the enclosing box

    The enclosing box is parallel to the target's sides; the paper's convex hull is never larger, so this value
    is never above the paper's.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`.
        target: (..., 7 or 9), broadcastable, on the same device.

    Returns:
        (...) in [-1, 1], in the wider dtype of the two; 1 for equal boxes, where the gradient is 0 to rounding.
        -1 where either has a NaN or an infinity, or both have no extent.

    Raises:
        ValueError: wrong shapes, or different devices.
        TypeError: not floating-point tensors.
    """
    return _giou(pred, target, "bev")


def giou_3d(pred: Tensor, target: Tensor) -> Tensor:
    """Generalised IoU of the volumes; arguments and promises as :func:`giou_bev`."""
    return _giou(pred, target, "3d")


def diou_bev(pred: Tensor, target: Tensor) -> Tensor:
    """Distance IoU of the footprints of aligned boxes (Zheng et al., AAAI 2020, 1911.08287).

        DIoU = IoU - d² / c²,   d the distance of the centres, c the diagonal of the enclosing box

    The enclosing box is parallel to the target's sides. Arguments and promises as :func:`giou_bev`.
    """
    return _diou(pred, target, "bev")


def diou_3d(pred: Tensor, target: Tensor) -> Tensor:
    """Distance IoU of the volumes, d and c in three dimensions; arguments and promises as :func:`giou_bev`."""
    return _diou(pred, target, "3d")


def _giou(pred: Tensor, target: Tensor, space: Space) -> Tensor:
    check_pair(pred, target, ("pred", "target"))
    dtype = torch.promote_types(pred.dtype, target.dtype)
    good = _are_finite(pred, target)
    pred, target = clean_boxes(pred), clean_boxes(target)
    iou = ops.aligned_overlap(pred, target, ops.IOU_BEV if space == "bev" else ops.IOU_3D)
    enclosing = _product(_enclosing_extents(pred, target), space)
    sizes = [_product([boxes[..., 3], boxes[..., 4], boxes[..., 5]], space) for boxes in (pred, target)]
    # IoU = I / U and I + U = the sum of both, so that U = sum / (1 + IoU): one intersection serves both terms
    union = (sizes[0] + sizes[1]) / (1 + iou)
    filled = _quotient(union, enclosing).clamp(max=1)
    return torch.where(good, iou - 1 + filled, -1.0).to(dtype)


def _diou(pred: Tensor, target: Tensor, space: Space) -> Tensor:
    check_pair(pred, target, ("pred", "target"))
    dtype = torch.promote_types(pred.dtype, target.dtype)
    good = _are_finite(pred, target)
    pred, target = clean_boxes(pred), clean_boxes(target)
    iou = ops.aligned_overlap(pred, target, ops.IOU_BEV if space == "bev" else ops.IOU_3D)
    last = 2 if space == "bev" else 3
    diagonal = torch.stack(_enclosing_extents(pred, target)[:last], dim=-1).square().sum(-1)
    distance = (pred - target)[..., :last].square().sum(-1)
    return torch.where(good, iou - _quotient(distance, diagonal).clamp(max=1), -1.0).to(dtype)


def _enclosing_extents(pred: Tensor, target: Tensor) -> list[Tensor]:
    """Extents of the enclosing box along the target's length, width and height, metres."""
    shift, yaw = pred[..., :3] - target[..., :3], target[..., 6]
    c, s = torch.cos(yaw), torch.sin(yaw)
    x, y = c * shift[..., 0] + s * shift[..., 1], c * shift[..., 1] - s * shift[..., 0]
    turn = pred[..., 6] - yaw
    guard = angle_guard(pred[..., 6], yaw)
    abs_c, abs_s = _magnitude(torch.cos(turn), guard), _magnitude(torch.sin(turn), guard)
    half_length, half_width = pred[..., 3] / 2, pred[..., 4] / 2
    centres = (x, y, shift[..., 2])
    halves = (half_length * abs_c + half_width * abs_s, half_length * abs_s + half_width * abs_c, pred[..., 5] / 2)
    extents = []
    for k in range(3):
        own = target[..., 3 + k] / 2
        extents.append(torch.maximum(centres[k] + halves[k], own) - torch.minimum(centres[k] - halves[k], -own))
    return extents


def _magnitude(value: Tensor, guard: Tensor) -> Tensor:
    """Absolute value of a sine or cosine; what is only rounding counts as 0, where the slope is taken as 0 too."""
    return torch.where(value.abs() < guard, torch.zeros_like(value), value.abs())


def _product(extents: list[Tensor], space: Space) -> Tensor:
    area = extents[0] * extents[1]
    return area if space == "bev" else area * extents[2]


def _quotient(dividend: Tensor, divisor: Tensor) -> Tensor:
    exists = divisor > 0
    return torch.where(exists, dividend / torch.where(exists, divisor, torch.ones_like(divisor)), 0.0)


def _are_finite(pred: Tensor, target: Tensor) -> Tensor:
    return pred[..., :7].isfinite().all(-1) & target[..., :7].isfinite().all(-1)
