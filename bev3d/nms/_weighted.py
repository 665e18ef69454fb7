"""Suppression that merges what it removes into what it keeps."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bev3d.boxes import wrap_angle
from bev3d.nms._check import as_floats, as_integers, check_arrays, check_count, checked_kind
from bev3d.nms._select import best_of_each, check_scores, groups_of, ranked, to_front, without
from bev3d_ops import _dispatch
from bev3d_ops._arrays import Array
from bev3d_ops.registered import _nms as ops

__all__ = ["MergedBoxes", "nms_weighted"]


class MergedBoxes(NamedTuple):
    """What :func:`nms_weighted` returns, by descending score.

    Attributes:
        indices: (K,) int64, the kept boxes: what :func:`bev3d.nms.batched_nms` gives.
        boxes: (K, 7 or 9), each merged with those that it removed.
        scores: (K,), of the kept boxes.
        counts: (K,) int64, how many boxes were merged, the kept one among them.
    """

    indices: Array
    boxes: Array
    scores: Array
    counts: Array


@torch.no_grad()
def nms_weighted(
    boxes: Array,
    scores: Array,
    threshold: float,
    *,
    labels: Array | None = None,
    batch: Array | None = None,
    score_threshold: float | None = None,
    pre_max: int | None = None,
    max_keep: int | None = None,
) -> MergedBoxes:
    """Keep the boxes that :func:`bev3d.nms.batched_nms` keeps and merge into each those that it removed.

    Non-maximum weighted suppression (Zhou et al., CAD, ICCV workshops 2017). Box j goes to the first kept box k, in
    descending order of score, whose IoU with it exceeds the threshold, and counts there with

        w_j = score_j IoU(j, k)       (w_k = score_k),      merged = Σ w_j box_j / Σ w_j,

    in float64, on the differences from the kept box. The heading is a direction, not a number: of each box the
    heading or its opposite counts, whichever agrees with the kept one,

        yaw = yaw_k + atan2(Σ w_j sin d_j, Σ w_j cos d_j),   d_j = yaw_j - yaw_k less the nearest multiple of π,

    so that detections of one car that face both ways do not turn it across, and neither does the step at ±π. A box
    that lies across the kept one (|d_j| > π/4) says nothing of its length, width and heading. Velocities that are
    not finite are left out; where none is left the kept box's own stays.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        scores: (N,), finite and at least 0. Where all that merge have score 0, the kept box stays as it is.
        threshold: IoU in [0, 1].
        labels, batch, score_threshold, pre_max, max_keep: as :func:`bev3d.nms.batched_nms`.

    Returns:
        :class:`MergedBoxes`; yaw in [-π, π), dtypes those of the arguments. Not differentiable. On the CPU the same
        in every run; on CUDA the order of the sums, in float64, may differ.

    Raises:
        ValueError: as :func:`bev3d.nms.batched_nms`; a score that is negative or infinite.
        TypeError: as :func:`bev3d.nms.batched_nms`.
    """
    kind = checked_kind("bev", threshold)
    check_arrays(boxes, scores, labels=labels, batch=batch)
    check_count("pre_max", pre_max)
    check_count("max_keep", max_keep)
    all_boxes, all_scores, samples = as_floats(boxes), as_floats(scores), as_integers(batch)
    groups = groups_of(as_integers(labels), samples)
    taking_part = without(all_scores, groups, score_threshold, pre_max)
    owner = ops.nms_owner(all_boxes, taking_part, groups, float(threshold), kind)
    order = ranked(taking_part)
    is_kept = owner[order] == order
    if max_keep is not None:
        at_front, _ = to_front(order, is_kept)
        best = best_of_each(None if samples is None else samples[at_front], len(order), max_keep, order.device)
        is_kept &= torch.empty_like(best).scatter_(0, at_front, best)[order]
    kept, count = to_front(order, is_kept)
    kept = kept[: check_scores(all_scores, count, are_weights=True)].clone()
    merged, counts = _merge(all_boxes.double(), all_scores.double(), owner, kept)
    result = MergedBoxes(kept, merged.to(all_boxes.dtype), all_scores[kept], counts)
    return result if isinstance(boxes, Tensor) else MergedBoxes(*(value.numpy() for value in result))


def _merge(boxes: Tensor, scores: Tensor, owner: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Merged boxes (K, 7 or 9) and their numbers (K,); boxes, scores float64, owner (N,) with -1 for none."""
    places = torch.full_like(owner, len(kept)).scatter_(0, kept, torch.arange(len(kept), device=kept.device))
    # one place more, for the boxes whose owner was left out and those that have none
    place = torch.where(owner < 0, len(kept), places[owner.clamp(min=0)])
    heads = boxes[owner.clamp(min=0)]
    is_head = owner == torch.arange(len(owner), device=owner.device)
    weight = scores * torch.where(is_head, 1.0, _dispatch.aligned_overlap(heads, boxes, _dispatch.IOU_BEV))

    def mean(values: Tensor, among: Tensor) -> Tensor:
        """Weighted mean of the columns of ``values`` (N, C) by kept box, (K, C); 0 where the weights are."""
        weights = torch.where(among, weight, 0.0)[:, None]
        sums = weights.new_zeros((len(kept) + 1, values.shape[1] + 1))
        sums.index_add_(0, place, torch.cat([torch.where(weights > 0, values * weights, 0.0), weights], dim=1))
        return torch.where(sums[:-1, -1:] > 0, sums[:-1, :-1] / sums[:-1, -1:], 0.0)

    shift = torch.where(is_head[:, None], 0.0, boxes - heads)  # also of what is no box
    turn = shift[:, 6] - math.pi * torch.round(shift[:, 6] / math.pi)
    along = turn.abs() <= math.pi / 4
    everyone = torch.ones_like(along)
    merged = boxes[kept]
    merged[:, [0, 1, 2, 5]] += mean(shift[:, [0, 1, 2, 5]], everyone)
    merged[:, 3:5] += mean(shift[:, 3:5], along)
    direction = mean(torch.stack([turn.sin(), turn.cos()], dim=1), along)
    merged[:, 6] = wrap_angle(merged[:, 6] + torch.atan2(direction[:, 0], direction[:, 1]))
    if boxes.shape[1] > 7:
        known = boxes[:, 7:].isfinite().all(dim=1)
        velocity = mean(boxes[:, 7:], known)
        has_one = mean(torch.ones_like(boxes[:, 7:]), known) > 0
        merged[:, 7:] = torch.where(has_one, velocity, merged[:, 7:])
    counts = torch.zeros(len(kept) + 1, dtype=torch.int64, device=kept.device)
    return merged, counts.index_add_(0, place, torch.ones_like(place))[:-1]
