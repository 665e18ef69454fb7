"""Greedy non-maximum suppression by rotated overlap or by distance."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d.nms._check import Kind, as_floats, as_integers, check_arrays, check_count, checked_kind
from bev3d.nms._select import best_of_each, check_scores, groups_of, to_front, without
from bev3d_ops._arrays import Array
from bev3d_ops.registered import _nms as ops

__all__ = ["batched_nms", "nms_bev", "nms_circle", "nms_diou", "nms_mask"]


def nms_bev(
    boxes: Array,
    scores: Array,
    threshold: float,
    *,
    score_threshold: float | None = None,
    pre_max: int | None = None,
    max_keep: int | None = None,
) -> Array:
    """Keep the best of boxes that overlap, seen from above.

    In descending order of score a box is kept unless its exact rotated IoU with a box already kept exceeds
    ``threshold``. Equal scores: the lower index first. A box with a NaN, an infinity or a length or width
    that is not positive overlaps nothing, so it neither goes nor removes others.

    Computed in float64 on the device of ``boxes``. On the CPU a candidate meets the kept boxes in the cells of a grid
    around it, never the matrix of all pairs. On CUDA the memory beyond the arguments' is that of 4,096 boxes' pairs
    (2 MB), and the host waits once, for the number of kept boxes; :func:`nms_mask` does not wait at all.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        scores: (N,), no NaN.
        threshold: IoU in [0, 1]; at exactly the threshold both boxes stay.
        score_threshold: boxes of a lower score are left out before.
        pre_max: only so many of the best boxes take part.
        max_keep: only so many of the best kept boxes are returned.

    Returns:
        (K,) int64 indices of the kept boxes by descending score, as the kind of ``boxes`` and on its device.

    Raises:
        ValueError: wrong shapes, different devices, a NaN score, a threshold outside [0, 1], a limit below 1.
        TypeError: not floating-point arrays or tensors, or one of each.
    """
    limits = (score_threshold, pre_max, max_keep)
    return _nms(boxes, scores, None, None, threshold, "bev", *limits)


def nms_diou(
    boxes: Array,
    scores: Array,
    threshold: float,
    *,
    score_threshold: float | None = None,
    pre_max: int | None = None,
    max_keep: int | None = None,
) -> Array:
    """Keep the best of boxes that overlap near each other's centre (DIoU-NMS, Zheng et al., AAAI 2020, 1911.08287).

    As :func:`nms_bev` with

        DIoU = IoU - d² / c²,   d the distance of the centres, c the diagonal of the enclosing box

    in place of the IoU: of two pairs with the same IoU the one whose centres are further apart is more likely two
    objects. The enclosing box is parallel to the kept box, as in :func:`bev3d.overlap.diou_bev` with the kept box
    for the target. Arguments, result and errors as :func:`nms_bev`.
    """
    limits = (score_threshold, pre_max, max_keep)
    return _nms(boxes, scores, None, None, threshold, "diou", *limits)


def nms_circle(
    boxes: Array,
    scores: Array,
    radius_m: float,
    *,
    score_threshold: float | None = None,
    pre_max: int | None = None,
    max_keep: int | None = None,
) -> Array:
    """Keep the best of boxes whose centres lie close together, seen from above (CenterPoint, 2006.11275).

    In descending order of score a box is kept unless its centre lies within ``radius_m`` (the distance itself,
    not its square; the border counts as within) of a box already kept. Equal scores: the lower index first.
    A centre with a NaN, an infinity or beyond 1e40 m lies near nothing.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`; only x and y are read.
        scores: (N,), no NaN.
        radius_m: metres, at least 0.
        score_threshold, pre_max, max_keep: as :func:`nms_bev`.

    Returns:
        (K,) int64 indices as :func:`nms_bev` gives them.
    """
    limits = (score_threshold, pre_max, max_keep)
    return _nms(boxes, scores, None, None, radius_m, "circle", *limits)


def batched_nms(
    boxes: Array,
    scores: Array,
    labels: Array | None,
    threshold: float,
    kind: Kind = "bev",
    *,
    batch: Array | None = None,
    score_threshold: float | None = None,
    pre_max: int | None = None,
    max_keep: int | None = None,
) -> Array:
    """Suppress within each class of each sample alone, in one pass over all boxes.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        scores: (N,), no NaN.
        labels: (N,) integers of any value; boxes of different labels never meet. None: agnostic of class.
        threshold: the IoU of :func:`nms_bev`, the radius in metres of :func:`nms_circle` or the DIoU of
            :func:`nms_diou`.
        kind: which of the three.
        batch: (N,) integers, the sample of each box; boxes of different samples never meet. None: all one sample.
        score_threshold: boxes of a lower score are left out before.
        pre_max: only so many of the best boxes of each label of each sample take part.
        max_keep: only so many of the best kept boxes of each sample, over its labels, are returned.

    Returns:
        (K,) int64 indices of the kept boxes by descending score over all labels and samples; equal scores by index.
    """
    return _nms(boxes, scores, labels, batch, threshold, kind, score_threshold, pre_max, max_keep)


def nms_mask(
    boxes: Tensor, scores: Tensor, threshold: float, *, groups: Tensor | None = None, kind: Kind = "bev"
) -> Tensor:
    """Whether each box is kept: the form of :func:`batched_nms` whose result has a fixed shape.

    The host never waits for the device, so that ``torch.compile(fullgraph=True)`` takes it into one graph and a CUDA
    graph can capture it.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        scores: (N,) on its device. A box whose score is NaN takes no part: it is not kept and removes nothing.
        threshold, kind: as :func:`batched_nms`.
        groups: (N,) integers; boxes of different groups never meet. None: all one group.

    Returns:
        (N,) bool, in the order of ``boxes``.
    """
    check_arrays(boxes, scores, groups=groups)
    if not isinstance(boxes, Tensor):
        raise TypeError(f"boxes: expected a torch tensor, got {type(boxes).__name__}")
    number = checked_kind(kind, threshold)
    result: Tensor = ops.nms_mask(boxes.detach(), scores.detach(), as_integers(groups), float(threshold), number)
    return result


@torch.no_grad()
def _nms(
    boxes: Array,
    scores: Array,
    labels: Array | None,
    batch: Array | None,
    threshold: float,
    kind: Kind,
    score_threshold: float | None,
    pre_max: int | None,
    max_keep: int | None,
) -> Array:
    number = checked_kind(kind, threshold)
    check_arrays(boxes, scores, labels=labels, batch=batch)
    check_count("pre_max", pre_max)
    check_count("max_keep", max_keep)
    all_scores, samples = as_floats(scores), as_integers(batch)
    groups = groups_of(as_integers(labels), samples)
    taking_part = without(all_scores, groups, score_threshold, pre_max)
    kept, count = ops.nms_kept(as_floats(boxes), taking_part, groups, float(threshold), number)
    if max_keep is not None and samples is not None:
        # what fills up stands after all that is kept, and takes no place before it
        stays = best_of_each(samples[kept.clamp(min=0)], len(kept), max_keep, kept.device) & (kept >= 0)
        kept, count = to_front(kept, stays)
    found = check_scores(all_scores, count, are_weights=False)
    kept = kept[: found if max_keep is None else min(found, max_keep if samples is None else found)].clone()
    return kept if isinstance(boxes, Tensor) else kept.numpy()
