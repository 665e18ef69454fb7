"""Anchors by their best overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bev3d._check import check_choice
from bev3d.points._check import as_index
from bev3d.targets.assigners._assignment import IGNORED, NEGATIVE, Array, Assignment, build
from bev3d.targets.assigners._inputs import Objects, check_overlap, check_unit, mark_ignored, read_inputs, rows_of
from bev3d.targets.assigners._pairs import Pairs, best_of_each, give_to_the_left_out, overlapping_pairs

__all__ = ["ForceMatch", "Overlap", "assign_max_iou", "by_class"]

Overlap = Literal["bev", "3d", "nearest_bev"]
ForceMatch = Literal["free", "override", "none"]


def assign_max_iou(
    anchors: Array,
    boxes: Array,
    labels: Array,
    *,
    anchor_labels: Array | None = None,
    matched: float | Sequence[float] = 0.6,
    unmatched: float | Sequence[float] = 0.45,
    overlap: Overlap = "bev",
    force_match: ForceMatch = "free",
    ignore_overlap: float | None = 0.5,
) -> Assignment:
    """Assign each anchor the object of its class that it overlaps most (Faster R-CNN, Ren et al. 2015, 1506.01497).

    An anchor is positive where its best overlap is at least ``matched``, negative where it is below ``unmatched``,
    ignored between. Equal overlaps: the lower object. Then the force match:

    * ``"free"``: every object that has no anchor yet takes, whatever the thresholds say, the one that it overlaps
      most among those that no object has. The object with the best such pair comes first.
    * ``"override"``: every object takes the anchor that it overlaps most, even from another, which keeps the rest.
      Of two with the same best anchor the one that overlaps it more has it; equal: the lower object.
    * ``"none"``.

    Only an overlap above 0 counts. Others: mmdet lets the later object take an anchor from the earlier one, however
    much less it overlaps it. OpenPCDet and SECOND make the best anchor of an object positive, but for the object that
    the anchor overlaps most, so that the one it was forced for may get nothing. Both take all anchors of equal overlap;
    whether two are equal is up to rounding, so here it is the lowest.

    Memory grows with the pairs that overlap, not with A times G. Computed in float64.

    Args:
        anchors: (A, 7 or 9), see :class:`bev3d.boxes.Box`. One with a NaN or without a size overlaps nothing.
        boxes: (G, 7 or 9), the objects; G may be 0.
        labels: (G,) integers, the class, or -1 for an object to ignore (DontCare, a class that is not learnt, too few
            points): it is never assigned, see ``ignore_overlap``, and its box may be anything.
        anchor_labels: (A,) integers: an anchor meets the objects of its class only. None: all of them.
        matched: IoU, one for all or one a class (that of the anchor).
        unmatched: likewise, at most ``matched``.
        overlap: ``"bev"``, exact rotated IoU seen from above; ``"3d"``, of the volumes; ``"nearest_bev"``, boxes
            turned to the nearer axis first, as SECOND and OpenPCDet do, which jumps at 45 degrees.
        force_match: see above.
        ignore_overlap: negatives of whose footprint an object to ignore covers at least this part are ignored; None:
            such objects are no different from background.

    Returns:
        ``quality`` is the overlap with the object that a positive has, and the best overlap of the others.

    Raises:
        ValueError: wrong shapes or devices, objects that are not finite or have no size, thresholds that are not in
            [0, 1], not one a class, or crossed.
        TypeError: boxes that are not floating point, labels that are not integers, arrays and tensors mixed.
    """
    check_overlap(overlap)
    check_choice("force_match", force_match, ("free", "override", "none"))
    check_unit("ignore_overlap", ignore_overlap)
    objects = read_inputs("anchors", anchors, boxes, labels)
    group = as_index("anchor_labels", anchor_labels, len(anchors))
    high, low = _thresholds(matched, unmatched, group, objects)
    gt_index = np.full(len(anchors), NEGATIVE, np.int64)
    quality = np.zeros(len(anchors))
    for rows, columns in by_class(group, objects):
        part = rows_of(objects.anchors, rows)
        found = overlapping_pairs(part, rows_of(objects.boxes, columns), overlap)
        anchor = found.anchor if rows is None else rows[found.anchor]
        pairs = Pairs(anchor, columns[found.gt], found.value)
        best = pairs[best_of_each(pairs.anchor, -pairs.value, pairs.gt)]
        quality[best.anchor] = best.value
        gt_index[best.anchor[best.value >= low[best.anchor]]] = IGNORED
        sure = best[best.value >= high[best.anchor]]
        gt_index[sure.anchor] = sure.gt
        if force_match == "override":
            _override(gt_index, quality, pairs)
        elif force_match == "free":
            before = gt_index[pairs.anchor] >= 0
            give_to_the_left_out(gt_index, pairs, columns)
            given = (gt_index[pairs.anchor] == pairs.gt) & ~before
            quality[pairs.anchor[given]] = pairs.value[given]
    positive = gt_index >= 0
    gt_index[positive] = objects.index[gt_index[positive]]
    mark_ignored(gt_index, objects, ignore_overlap)
    return build(anchors, gt_index, objects.all_labels, quality)


def by_class(group: Array | None, objects: Objects) -> Iterator[tuple[NDArray[np.int64] | None, NDArray[np.int64]]]:
    """Rows of the anchors (None: all) and of the objects of each class, or of everything."""
    if group is None:
        yield None, np.arange(len(objects.boxes))
        return
    of_anchor = group.cpu().numpy() if hasattr(group, "cpu") else group
    for label in np.unique(objects.labels):
        yield np.flatnonzero(of_anchor == label), np.flatnonzero(objects.labels == label)


def _override(gt_index: NDArray[np.int64], quality: NDArray[np.float64], pairs: Pairs) -> None:
    """Each object takes its best anchor; in place."""
    own = pairs[best_of_each(pairs.gt, -pairs.value, pairs.anchor)]
    own = own[best_of_each(own.anchor, -own.value, own.gt)]
    gt_index[own.anchor] = own.gt
    quality[own.anchor] = own.value


def _thresholds(
    matched: float | Sequence[float], unmatched: float | Sequence[float], group: Array | None, objects: Objects
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both for each anchor."""
    result = []
    for name, value in (("matched", matched), ("unmatched", unmatched)):
        numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
        if numbers.ndim != 1 or not ((numbers >= 0) & (numbers <= 1)).all() or not numbers.size:
            raise ValueError(f"{name}: expected numbers in [0, 1], got {value}")
        result.append(numbers if np.ndim(value) else numbers[0])
    high, low = result
    if np.ndim(high) and np.ndim(low) and len(high) != len(low):
        raise ValueError(f"unmatched: expected {len(high)} thresholds as matched, got {len(low)}")
    if (np.asarray(low) > np.asarray(high)).any():
        raise ValueError(f"unmatched: expected at most matched ({matched}), got {unmatched}")
    return _of_anchors("matched", high, group, objects), _of_anchors("unmatched", low, group, objects)


def _of_anchors(name: str, value: NDArray[np.float64], group: Array | None, objects: Objects) -> NDArray[np.float64]:
    count = len(objects.anchors)
    if not np.ndim(value):
        return np.full(count, value)
    if group is None:
        raise ValueError(f"{name}: expected one number where there are no anchor_labels, got {value.tolist()}")
    of_anchor = group.cpu().numpy() if hasattr(group, "cpu") else group
    if count and (of_anchor.min() < 0 or of_anchor.max() >= len(value)):
        expected = f"one threshold for each class of anchor_labels ({of_anchor.min()} to {of_anchor.max()})"
        raise ValueError(f"{name}: expected {expected}, got {len(value)}")
    return value[of_anchor]
