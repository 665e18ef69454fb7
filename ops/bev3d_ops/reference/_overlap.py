"""Overlap of aligned boxes in plain torch: differentiable, on any device, float64 inside."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d_ops.reference._intersection import intersection_area

__all__ = ["aligned_intersection_bev", "aligned_iou_3d", "aligned_iou_bev", "clean_boxes", "common_height"]

LARGEST_M = 1e40  # as the kernels: what is beyond describes no box


def clean_boxes(boxes: Tensor) -> Tensor:
    """Seven columns in float64: negative sizes become 0, and a box with an entry that is not finite all 0."""
    boxes = boxes[..., :7].double()
    good = (boxes.detach().abs() <= LARGEST_M).all(dim=-1, keepdim=True)
    boxes = torch.where(good, boxes, torch.zeros_like(boxes))
    return torch.cat([boxes[..., :3], boxes[..., 3:6].clamp(min=0), boxes[..., 6:]], dim=-1)


def aligned_intersection_bev(a: Tensor, b: Tensor) -> Tensor:
    """Area of intersection seen from above, (...) float64; a, b: (..., >= 7), broadcastable."""
    return _footprints_intersection(clean_boxes(a), clean_boxes(b))


def aligned_iou_bev(a: Tensor, b: Tensor) -> Tensor:
    """IoU of the footprints, (...) float64 in [0, 1]; a, b: (..., >= 7), broadcastable."""
    a, b = clean_boxes(a), clean_boxes(b)
    return _ratio(_footprints_intersection(a, b), a[..., 3] * a[..., 4], b[..., 3] * b[..., 4])


def aligned_iou_3d(a: Tensor, b: Tensor) -> Tensor:
    """IoU of the volumes, (...) float64 in [0, 1]; a, b: (..., >= 7), broadcastable."""
    a, b = clean_boxes(a), clean_boxes(b)
    both = _footprints_intersection(a, b) * common_height(a, b)
    return _ratio(both, a[..., 3] * a[..., 4] * a[..., 5], b[..., 3] * b[..., 4] * b[..., 5])


def common_height(a: Tensor, b: Tensor) -> Tensor:
    """Length that the two boxes share along z, metres; from the difference of the centres."""
    z, half_a, half_b = b[..., 2] - a[..., 2], a[..., 5] / 2, b[..., 5] / 2
    common = torch.minimum(half_a, z + half_b) - torch.maximum(-half_a, z - half_b)
    # rounding can pass the smaller height; taking that off must not touch the gradient
    excess = (common - 2 * torch.minimum(half_a, half_b)).detach().clamp(min=0)
    return (common - excess).clamp(min=0)


def _footprints_intersection(a: Tensor, b: Tensor) -> Tensor:
    columns = [0, 1, 3, 4, 6]
    return intersection_area(a[..., columns], b[..., columns])


def _ratio(both: Tensor, one: Tensor, other: Tensor) -> Tensor:
    union = one + other - both
    exists = union > 0
    return torch.where(exists, both / torch.where(exists, union, torch.ones_like(union)), 0.0).clamp(max=1)
