"""Greedy non-maximum suppression by its definition, in plain torch over the whole matrix of pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d_ops.reference._enclosing import distance_term, enclosing_extents
from bev3d_ops.reference._overlap import LARGEST_M, aligned_iou_bev, clean_boxes

__all__ = ["BEV", "CIRCLE", "DIOU", "SIDE_BY_SIDE", "nms_kept", "nms_mask", "nms_owner", "suppresses"]

# What a pair is judged by.
BEV, CIRCLE, DIOU = range(3)

SIDE_BY_SIDE = 1 << 20  # pairs at once: bounds the memory of the temporaries


def nms_owner(boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int) -> Tensor:
    """For every box the index of the box that stands for it, (N,) int64.

    In descending order of score (equal scores: the lower index first) a box is kept, and stands for itself, unless
    a box kept before it, of the same group, suppresses it; then the first that does stands for it.

    Args:
        boxes: (N, >= 7) floating point.
        scores: (N,) floating point; a box whose score is NaN takes no part: it gets -1 and suppresses nothing.
        groups: (N,) int64, boxes of different groups never meet; None: all one group.
        threshold: a kept box suppresses one whose IoU or DIoU with it is greater, or whose centre is at most
            so many metres away.
        kind: ``BEV``, ``CIRCLE`` or ``DIOU``.
    """
    goes = torch.cat([suppresses(part, boxes, threshold, kind) for part in boxes.split(_rows(len(boxes)))])
    if groups is not None:
        goes &= groups[:, None] == groups
    owner = torch.full((len(boxes),), -1, dtype=torch.int64, device=boxes.device)
    kept: list[int] = []
    for i in _ranked(scores).tolist():
        if torch.isnan(scores[i]):
            continue
        above = [k for k in kept if goes[k, i]]
        owner[i] = above[0] if above else i
        if not above:
            kept.append(i)
    return owner


def nms_mask(boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int) -> Tensor:
    """Whether each box is kept, (N,) bool in the order of ``boxes``; arguments of :func:`nms_owner`."""
    owner = nms_owner(boxes, scores, groups, threshold, kind)
    return owner == torch.arange(len(boxes), device=boxes.device)


def nms_kept(
    boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int
) -> tuple[Tensor, Tensor]:
    """Indices kept by descending score, (N,) int64 filled up with -1, and their number, () int64."""
    order = _ranked(scores)
    chosen = order[nms_mask(boxes, scores, groups, threshold, kind)[order]]
    kept = torch.full_like(order, -1)
    kept[: len(chosen)] = chosen
    return kept, torch.tensor(len(chosen), device=boxes.device)


def suppresses(kept: Tensor, boxes: Tensor, threshold: float, kind: int) -> Tensor:
    """Whether row k of ``kept`` (K, >= 7), once kept, suppresses row n of ``boxes`` (N, >= 7): (K, N) bool.

    What is no box (an entry that is not finite, for ``BEV`` and ``DIOU`` also a length or width that is not
    positive) suppresses nothing and is not suppressed.
    """
    a, b = kept[:, None], boxes[None]
    if kind == CIRCLE:
        shift = b[..., :2].double() - a[..., :2].double()
        good = (a[..., :2].abs() <= LARGEST_M).all(-1) & (b[..., :2].abs() <= LARGEST_M).all(-1)
        return good & (shift.square().sum(-1) <= threshold * threshold)
    iou = aligned_iou_bev(a, b)
    if kind == BEV:
        return iou > threshold
    a, b = clean_boxes(a), clean_boxes(b)
    return (iou > 0) & (iou - distance_term(b, a, enclosing_extents(b, a)[:2]) > threshold)


def _ranked(scores: Tensor) -> Tensor:
    """Indices by descending score, equal scores by index; NaN last."""
    return torch.sort(torch.where(scores.isnan(), -torch.inf, scores.double()), descending=True, stable=True).indices


def _rows(columns: int) -> int:
    return max(1, SIDE_BY_SIDE // max(columns, 1))
