"""Anchors by a threshold that each object sets itself."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bev3d.boxes import Box
from bev3d.points._check import as_index
from bev3d.targets.assigners._assignment import NEGATIVE, Array, Assignment, build
from bev3d.targets.assigners._inputs import (
    Objects,
    check_count,
    check_overlap,
    check_unit,
    mark_ignored,
    read_inputs,
    rows_of,
)
from bev3d.targets.assigners._max_iou import Overlap, by_class
from bev3d.targets.assigners._pairs import Pairs, best_of_each, give_to_the_left_out, pair_overlap

__all__ = ["assign_atss"]

# equal overlaps have a standard deviation of 0 but for rounding, and then reach their mean but for rounding
_ROUNDING = 1e-9


def assign_atss(
    anchors: Array,
    boxes: Array,
    labels: Array,
    *,
    anchor_labels: Array | None = None,
    top_k: int = 9,
    overlap: Overlap = "bev",
    force_match: bool = False,
    ignore_overlap: float | None = 0.5,
) -> Assignment:
    """ATSS in three dimensions (Zhang et al., CVPR 2020, 1912.02424).

    Candidates of an object are the ``top_k`` anchors of its class whose centres are nearest (equal distance: the lower
    anchor). Its threshold is mean + standard deviation of their overlaps, and those that reach it, overlap it at all
    and have their centre inside its footprint are positive. An anchor that several objects want goes to the one that
    it overlaps most; equal: the lower object.

    The standard deviation is that of a sample (k - 1), as in the authors' code; of a single candidate it is 0. The
    inside test compares the offset along the heading with half the length and the one across with half the width.

    Others: OpenPCDet's ``ATSSTargetAssigner`` exchanges the two in its inside test, so that the anchors before and
    behind a car are left out and those beside it are taken; it compares objects with anchors of every class, demands
    1e-6 more than the threshold, and forces the best anchor of each object, which the paper does not.

    Args:
        anchors: (A, 7 or 9).
        boxes: (G, 7 or 9), the objects; G may be 0.
        labels: (G,) integers, the class, or -1 for an object to ignore.
        anchor_labels: (A,) integers: an anchor meets the objects of its class only. None: all of them.
        top_k: candidates an object; at most as many as there are anchors.
        overlap: as :func:`assign_max_iou`. The distance is that of the centres in space.
        force_match: give an object that has no anchor then the best free one of its candidates, as ``"free"`` of
            :func:`assign_max_iou`.
        ignore_overlap: as :func:`assign_max_iou`.

    Returns:
        ``quality`` is the overlap of the positives with their object, 0 elsewhere. Nothing is ignored but by
        ``ignore_overlap``.

    Raises:
        ValueError, TypeError: as :func:`assign_max_iou`; ``top_k`` below 1.
    """
    check_count("top_k", top_k)
    check_overlap(overlap)
    check_unit("ignore_overlap", ignore_overlap)
    objects = read_inputs("anchors", anchors, boxes, labels)
    group = as_index("anchor_labels", anchor_labels, len(anchors))
    gt_index = np.full(len(anchors), NEGATIVE, np.int64)
    quality = np.zeros(len(anchors))
    for rows, columns in by_class(group, objects):
        pairs = _candidates(objects, rows, columns, top_k, overlap)
        chosen = pairs[_reach(pairs) & _inside(pairs, objects)]
        chosen = chosen[best_of_each(chosen.anchor, -chosen.value, chosen.gt)]
        gt_index[chosen.anchor] = chosen.gt
        if force_match:
            give_to_the_left_out(gt_index, pairs[pairs.value > 0], columns)
        own = pairs[gt_index[pairs.anchor] == pairs.gt]
        quality[own.anchor] = own.value
    positive = gt_index >= 0
    gt_index[positive] = objects.index[gt_index[positive]]
    mark_ignored(gt_index, objects, ignore_overlap)
    return build(anchors, gt_index, objects.all_labels, quality)


def _candidates(
    objects: Objects, rows: NDArray[np.int64] | None, columns: NDArray[np.int64], top_k: int, overlap: str
) -> Pairs:
    """The nearest anchors of each object with their overlaps, by object and then anchor."""
    centres = np.ascontiguousarray(rows_of(objects.anchors, rows)[:, Box.CENTRE].cpu().numpy().T)
    centres[:, ~np.isfinite(centres).all(axis=0)] = np.inf
    wanted = rows_of(objects.boxes, columns)
    nearest = [_nearest(centres, centre, top_k) for centre in wanted[:, Box.CENTRE].cpu().numpy()]
    anchor = np.concatenate([np.zeros(0, np.int64), *nearest])
    anchor = anchor if rows is None else rows[anchor]
    gt = np.repeat(columns, [len(each) for each in nearest])
    one, other = (torch.from_numpy(each).to(objects.boxes.device) for each in (anchor, gt))
    return Pairs(anchor, gt, pair_overlap(objects, one, other, overlap).cpu().numpy())


def _nearest(centres: NDArray[np.float64], centre: NDArray[np.float64], top_k: int) -> NDArray[np.int64]:
    """Index of the nearest of centres (3, A), ascending; of those equally far the lowest, none at infinity."""
    squared = np.square(centres[0] - centre[0])
    for axis in (1, 2):
        squared += np.square(centres[axis] - centre[axis])
    if len(squared) <= top_k:
        return np.flatnonzero(squared < np.inf)
    farthest = np.partition(squared, top_k - 1)[top_k - 1]
    within = np.flatnonzero(squared <= farthest)
    distance = squared[within]
    chosen = within[np.sort(np.argsort(distance, kind="stable")[:top_k])]
    return chosen[squared[chosen] < np.inf]


def _reach(pairs: Pairs) -> NDArray[np.bool_]:
    """(K,) bool: the overlap is above 0 and at least the object's mean plus standard deviation."""
    gt, inverse, counts = np.unique(pairs.gt, return_inverse=True, return_counts=True)
    mean = np.bincount(inverse, pairs.value, len(gt)) / counts
    squared = np.bincount(inverse, (pairs.value - mean[inverse]) ** 2, len(gt))
    threshold = mean + np.sqrt(squared / np.maximum(counts - 1, 1))
    return (pairs.value >= threshold[inverse] - _ROUNDING) & (pairs.value > 0)


def _inside(pairs: Pairs, objects: Objects) -> NDArray[np.bool_]:
    """(K,) bool: the anchor's centre lies in the object's footprint, which is closed."""
    box = rows_of(objects.boxes, pairs.gt).cpu().numpy()
    shift = rows_of(objects.anchors, pairs.anchor).cpu().numpy()[:, :2] - box[:, :2]
    c, s = np.cos(box[:, Box.YAW]), np.sin(box[:, Box.YAW])
    along, across = c * shift[:, 0] + s * shift[:, 1], c * shift[:, 1] - s * shift[:, 0]
    return (np.abs(along) <= box[:, Box.LENGTH] / 2) & (np.abs(across) <= box[:, Box.WIDTH] / 2)
