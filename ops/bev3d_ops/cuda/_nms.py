"""Greedy non-maximum suppression on CUDA: sorted, compared and swept on the device, nothing waits for the host."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bev3d_ops.cuda._launch import Launch

__all__ = ["CHUNK", "nms_kept", "nms_mask", "nms_owner"]

CHUNK = 4096  # ranks whose pairs are compared at once: a matrix of 2 MB; the kernel's most

SWEEP_THREADS = 512


class _Swept(NamedTuple):
    rows: Tensor  # (7, N) float64 by rank
    groups: Tensor  # (N,) by rank
    order: Tensor  # (N,) box of each rank
    keep: Tensor  # (N,) bool by box
    kept: Tensor  # (N,) boxes by rank, then -1
    kept_ranks: Tensor  # (N,)
    kept_count: Tensor  # ()


def nms_mask(
    launch: Launch,
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor | None,
    threshold: float,
    kind: int,
    chunk: int = CHUNK,
) -> Tensor:
    """See :func:`bev3d_ops.reference._nms.nms_mask`."""
    return _sweep(launch, boxes, scores, groups, threshold, kind, chunk).keep


def nms_kept(
    launch: Launch,
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor | None,
    threshold: float,
    kind: int,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor]:
    """See :func:`bev3d_ops.reference._nms.nms_kept`."""
    swept = _sweep(launch, boxes, scores, groups, threshold, kind, chunk)
    return swept.kept, swept.kept_count


def nms_owner(
    launch: Launch,
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor | None,
    threshold: float,
    kind: int,
    chunk: int = CHUNK,
) -> Tensor:
    """See :func:`bev3d_ops.reference._nms.nms_owner`."""
    swept = _sweep(launch, boxes, scores, groups, threshold, kind, chunk)
    owners = torch.empty_like(swept.order)
    where = (swept.rows, swept.groups, swept.order, swept.kept_ranks, swept.kept_count, swept.keep)
    launch("nms.find_owners", boxes.dtype, len(boxes), *where, owners, len(boxes), kind, float(threshold))
    return owners


def _sweep(
    launch: Launch, boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int, chunk: int
) -> _Swept:
    count, dtype, threshold = len(boxes), boxes.dtype, float(threshold)
    s = _ranked(launch, boxes, scores, groups, kind)
    gone = s.keep.new_zeros(count)
    size = min(chunk, count)
    mask = s.order.new_empty(size * ((size + 63) // 64))
    for start in range(0, count, chunk):
        stop = min(start + chunk, count)
        here, part = gone[start:stop], (start, stop, count)
        if start:
            pairs = (stop - start) * ((start + 63) // 64)
            kept = (s.kept_ranks, s.kept_count)
            launch("nms.meet_kept", dtype, pairs, s.rows, s.groups, *kept, here, *part, kind, threshold)
        pairs = (stop - start) * ((stop - start + 63) // 64)
        launch("nms.meet_each_other", dtype, pairs, s.rows, s.groups, here, mask, *part, kind, threshold)
        results = (s.kept_ranks, s.kept, s.kept_count, s.keep)
        launch("nms.sweep", dtype, 1, mask, here, s.rows, s.order, *results, *part, block=SWEEP_THREADS, blocks=1)
    return s


def _ranked(launch: Launch, boxes: Tensor, scores: Tensor, groups: Tensor | None, kind: int) -> _Swept:
    boxes, absent = boxes.contiguous(), scores.isnan()
    # adding 0 turns -0 into 0: the two are equal and go by index
    keys = torch.where(absent, -torch.inf, scores) + 0.0
    order = torch.sort(keys, descending=True, stable=True).indices
    rows = boxes.new_empty((7, len(boxes)), dtype=torch.float64)
    ranked_groups = torch.empty_like(order)
    where = (order, absent, None if groups is None else groups.contiguous(), rows, ranked_groups)
    count, columns = boxes.shape
    launch("nms.rank_boxes", boxes.dtype, count, boxes, *where, count, columns, kind)
    return _Swept(
        rows=rows,
        groups=ranked_groups,
        order=order,
        keep=torch.zeros_like(absent),
        kept=torch.full_like(order, -1),
        kept_ranks=torch.empty_like(order),
        kept_count=order.new_zeros(()),
    )
