"""Overlap of aligned boxes in plain torch: differentiable once, on any device, float64 inside.

A box with an entry that is not finite, or beyond 1e40, is none: a pair with one has intersection and IoU 0 and every
enclosing form -1, with gradient 0. Sizes below 1e-40 m, negative ones too, count as 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d_ops import _overlap_kinds as kinds
from bev3d_ops.reference._enclosing import (
    aspect_term,
    at_most_one,
    distance_term,
    enclosing_extents,
    hull_content,
    quotient,
    size_term,
)
from bev3d_ops.reference._intersection import intersection_area

__all__ = [
    "aligned_intersection_bev",
    "aligned_iou_3d",
    "aligned_iou_bev",
    "aligned_overlap",
    "batched_pairwise_overlap",
    "clean_boxes",
    "common_height",
    "matched_overlap",
]

LARGEST_M = 1e40  # as the kernels: what is beyond describes no box
SMALLEST_M = 1e-40


def aligned_overlap(a: Tensor, b: Tensor, kind: int) -> Tensor:
    """Overlap (...) float64 of boxes a and b (..., >= 7), broadcastable; ``kind`` of ``bev3d_ops._overlap_kinds``.

    b is the target: the enclosing box stands parallel to its sides.
    """
    known = are_boxes(a) & are_boxes(b)
    a, b = torch.broadcast_tensors(clean_boxes(a), clean_boxes(b))
    zero = torch.zeros((), dtype=torch.float64, device=a.device)
    area = _footprints_intersection(a, b)
    if kind == kinds.INTERSECTION_BEV:
        return torch.where(known, area, zero)
    dims = 2 if kind % 2 else 3
    both = area if dims == 2 else area * common_height(a, b)
    sizes = [boxes[..., 3 : 3 + dims].prod(-1) for boxes in (a, b)]
    union = sizes[0] + sizes[1] - both
    iou = at_most_one(quotient(both, union))
    if kind in (kinds.IOU_BEV, kinds.IOU_3D):
        return torch.where(known, iou, zero)
    if kind in (kinds.GIOU_HULL_BEV, kinds.GIOU_HULL_3D):
        value = iou - 1 + at_most_one(quotient(union, hull_content(a, b, dims)))
    else:
        value = iou + _boxed_terms(a, b, iou, union, kind, enclosing_extents(a, b)[:dims])
    return torch.where(known, value, zero - 1)


def batched_pairwise_overlap(a: Tensor, b: Tensor, offsets: Tensor, kind: int) -> Tensor:
    """(sum of N_s * M_s,) float64: each sample's matrix, flat, one behind the other; offsets (2, B + 1)."""
    (of_a, of_b), parts = offsets.tolist(), [torch.empty(0, dtype=torch.float64, device=a.device)]
    for s in range(len(of_a) - 1):
        one, other = a[of_a[s] : of_a[s + 1]], b[of_b[s] : of_b[s + 1]]
        parts.append(aligned_overlap(one[:, None], other[None], kind).flatten())
    return torch.cat(parts)


def matched_overlap(a: Tensor, b: Tensor, index_a: Tensor, index_b: Tensor, kind: int) -> Tensor:
    """Overlap (K,) of box ``index_a[k]`` of a (N, >= 7) with box ``index_b[k]`` of b (M, >= 7)."""
    return aligned_overlap(a[index_a.long()], b[index_b.long()], kind)


def aligned_intersection_bev(a: Tensor, b: Tensor) -> Tensor:
    """Area of intersection seen from above, (...) float64; a, b: (..., >= 7), broadcastable."""
    return aligned_overlap(a, b, kinds.INTERSECTION_BEV)


def aligned_iou_bev(a: Tensor, b: Tensor) -> Tensor:
    """IoU of the footprints, (...) float64 in [0, 1]; a, b: (..., >= 7), broadcastable."""
    return aligned_overlap(a, b, kinds.IOU_BEV)


def aligned_iou_3d(a: Tensor, b: Tensor) -> Tensor:
    """IoU of the volumes, (...) float64 in [0, 1]; a, b: (..., >= 7), broadcastable."""
    return aligned_overlap(a, b, kinds.IOU_3D)


def are_boxes(boxes: Tensor) -> Tensor:
    """Which have seven finite entries of at most 1e40, (...)."""
    return (boxes[..., :7].detach().double().abs() <= LARGEST_M).all(dim=-1)


def clean_boxes(boxes: Tensor) -> Tensor:
    """Seven columns in float64: sizes below 1e-40 become 0, and a box with an entry that is not finite all 0."""
    good = are_boxes(boxes)[..., None]
    boxes = boxes[..., :7].double()
    boxes = torch.where(good, boxes, torch.zeros_like(boxes))
    sizes = boxes[..., 3:6].clamp(min=0)
    sizes = torch.where(sizes < SMALLEST_M, sizes - sizes.detach(), sizes)  # 0, and still able to grow
    return torch.cat([boxes[..., :3], sizes, boxes[..., 6:]], dim=-1)


def common_height(a: Tensor, b: Tensor) -> Tensor:
    """Length that the two boxes share along z, metres; from the difference of the centres."""
    z, half_a, half_b = b[..., 2] - a[..., 2], a[..., 5] / 2, b[..., 5] / 2
    common = torch.minimum(half_a, z + half_b) - torch.maximum(-half_a, z - half_b)
    # rounding can pass the smaller height; taking that off must not touch the gradient
    excess = (common - 2 * torch.minimum(half_a, half_b)).detach().clamp(min=0)
    return (common - excess).clamp(min=0)


def _boxed_terms(a: Tensor, b: Tensor, iou: Tensor, union: Tensor, kind: int, extents: list[Tensor]) -> Tensor:
    """What GIoU, DIoU, CIoU or EIoU add to the IoU."""
    if kind in (kinds.GIOU_BEV, kinds.GIOU_3D):
        content = torch.stack(extents, dim=-1).prod(-1)
        return at_most_one(quotient(union, content)) - 1
    terms = -distance_term(a, b, extents)
    if kind in (kinds.CIOU_BEV, kinds.CIOU_3D):
        return terms - aspect_term(a, b, iou)
    if kind in (kinds.EIOU_BEV, kinds.EIOU_3D):
        return terms - size_term(a, b, extents)
    return terms


def _footprints_intersection(a: Tensor, b: Tensor) -> Tensor:
    # not by a list of columns, which a GPU would wait for
    one, other = (torch.cat([v[..., :2], v[..., 3:5], v[..., 6:7]], dim=-1) for v in (a, b))
    return intersection_area(one, other)
