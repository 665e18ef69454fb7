"""Pairs of an anchor and an object, few where the matrix of all would be large; on the CPU, ties decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d.boxes import Box
from bev3d.overlap import matched_overlap
from bev3d.points import points_in_boxes_pairs
from bev3d.targets.assigners._inputs import Objects, nearest_axes, overlaps_of, rows_at_once

__all__ = [
    "Pairs",
    "best_of_each",
    "best_per_object",
    "give_to_the_left_out",
    "near_pairs",
    "overlapping_pairs",
    "pair_overlap",
]


@dataclass(frozen=True, eq=False)
class Pairs:
    """K pairs.

    Attributes:
        anchor: (K,) int64.
        gt: (K,) int64.
        value: (K,) float64, what the pair is worth.
    """

    anchor: NDArray[np.int64]
    gt: NDArray[np.int64]
    value: NDArray[np.float64]

    def __getitem__(self, choice: NDArray[np.bool_] | NDArray[np.int64]) -> Pairs:
        """A selection, by mask or by position."""
        return Pairs(self.anchor[choice], self.gt[choice], self.value[choice])


def overlapping_pairs(anchors: Tensor, boxes: Tensor, overlap: str) -> Pairs:
    """All pairs that overlap, by anchor and then object. The matrix is made some rows at a time and never whole."""
    if not len(anchors) or not len(boxes):
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    rows = rows_at_once(len(boxes))
    parts = []
    for start in range(0, len(anchors), rows):
        matrix = overlaps_of(anchors[start : start + rows], boxes, overlap)
        place, values = _above_zero(matrix.reshape(-1))
        parts.append((place // len(boxes) + start, place % len(boxes), values))
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _above_zero(flat: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places and values of what is above 0, on the CPU."""
    if flat.device.type == "cpu":
        # NumPy's, since torch's thread pool costs milliseconds where the cores are busy
        place = np.flatnonzero(flat.numpy() > 0)
        return place, flat.numpy()[place]
    found = (flat > 0).nonzero()[:, 0]
    return found.cpu().numpy(), flat[found].cpu().numpy()


def pair_overlap(objects: Objects, anchor: Tensor, gt: Tensor, overlap: str) -> Tensor:
    """(K,) overlap of the pairs of the kind that ``overlap`` names."""
    one, other = objects.anchors, objects.boxes
    if overlap == "nearest_bev":
        one, other = nearest_axes(one), nearest_axes(other)
    return matched_overlap(one, other, anchor, gt, kind="iou_3d" if overlap == "3d" else "iou_bev")


def near_pairs(centres: Tensor, boxes: Tensor, radius_m: float) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs whose centre lies, seen from above, inside the box or within a radius of its centre.

    Args:
        centres: (A, 2 or more).
        boxes: (G, 7).
        radius_m: at least 0.

    Returns:
        Anchor (K,) and object (K,), by anchor and then object, and (K,) bool: whether both conditions hold.
    """
    points = torch.cat([centres[:, :2], torch.zeros_like(centres[:, :1])], dim=1)
    flat = boxes.clone()
    flat[:, Box.Z], flat[:, Box.HEIGHT] = 0, 1
    inside = points_in_boxes_pairs(points, flat)
    code = inside[:, 0] * len(boxes) + inside[:, 1]
    square = flat.clone()
    square[:, Box.LENGTH], square[:, Box.WIDTH], square[:, Box.YAW] = 2 * radius_m, 2 * radius_m, 0
    around = points_in_boxes_pairs(points, square)
    distance = (points[around[:, 0], :2] - boxes[around[:, 1], :2]).norm(dim=1)
    around = around[distance <= radius_m]
    code_around = around[:, 0] * len(boxes) + around[:, 1]
    both, counts = torch.cat([code, code_around]).unique(return_counts=True)
    return both // max(len(boxes), 1), both % max(len(boxes), 1), counts == 2


def best_of_each(key: NDArray[np.int64], *priorities: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the first of each key by the priorities, smallest first, in the order of the keys."""
    order = np.lexsort((*reversed(priorities), key))
    ordered = key[order]
    first = np.ones(len(order), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return order[first]


def best_per_object(pairs: Pairs, count: int | NDArray[np.float64]) -> NDArray[np.bool_]:
    """(K,) bool: the ``count`` (one, or (K,)) most valuable pairs of each object; equal ones: the lower anchor."""
    order = np.lexsort((pairs.anchor, -pairs.value, pairs.gt))
    ordered = pairs.gt[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    result = np.empty(len(order), np.int64)
    result[order] = place
    return result < count


def give_to_the_left_out(gt_index: NDArray[np.int64], pairs: Pairs, objects: NDArray[np.int64]) -> None:
    """Give each object without an anchor its best free one; in place.

    The object of the best pair comes first; equal: the lower object, then the lower anchor. What another object has is
    not taken away, and an object all of whose anchors are taken stays without.

    Args:
        gt_index: (A,); at least 0 where an anchor is taken.
        pairs: by anchor, of positive value.
        objects: all of them.
    """
    left_out = np.setdiff1d(objects, gt_index[gt_index >= 0])
    pairs = pairs[np.isin(pairs.gt, left_out)]
    pairs = pairs[np.lexsort((pairs.anchor, -pairs.value, pairs.gt))]
    starts = np.searchsorted(pairs.gt, left_out)
    ends = np.searchsorted(pairs.gt, left_out, side="right")
    some = np.flatnonzero(ends > starts)
    for k in some[np.argsort(-pairs.value[starts[some]], kind="stable")]:
        candidates = pairs.anchor[starts[k] : ends[k]]
        free = np.flatnonzero(gt_index[candidates] < 0)
        if free.size:
            gt_index[candidates[free[0]]] = left_out[k]
