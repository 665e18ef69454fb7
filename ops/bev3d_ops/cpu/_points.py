"""Points in boxes on the CPU.

The test is plain float64, each operation rounded once (no fused multiply-add, no fast maths), so that it gives bit for
bit what the same formula gives in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from bev3d_ops.cpu._points_grid import candidates, grid_of_boxes, holds, prepare
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["count_points_in_boxes", "points_in_boxes", "points_in_boxes_mask", "points_in_boxes_pairs"]

_POINTS_PER_THREAD = 40_000
_NONE = np.empty(0, np.int64)
Batches = tuple[np.ndarray, np.ndarray] | None


@njit(cache=True, nogil=True, error_model="numpy")
def _is_pair(points, rows, batches, i, j):
    """Whether box j holds point i; the batches are empty or (P,) and (N,)."""
    point_batch, box_batch = batches
    if not holds(rows[j], np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])):
        return False
    return len(box_batch) == 0 or box_batch[j] == point_batch[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _first(points, rows, batches, grid, first, last, owner):
    members = grid[3]
    for i in range(first, last):
        begin, end = candidates(grid, np.float64(points[i, 0]), np.float64(points[i, 1]))
        owner[i] = -1
        for k in range(begin, end):
            if _is_pair(points, rows, batches, i, members[k]):
                owner[i] = members[k]
                break


@njit(cache=True, nogil=True, error_model="numpy")
def _number(points, rows, batches, grid, first, last, per_point, per_box):
    """Boxes of each point (where ``per_point`` is not empty) and points of each box."""
    members = grid[3]
    for i in range(first, last):
        begin, end = candidates(grid, np.float64(points[i, 0]), np.float64(points[i, 1]))
        found = 0
        for k in range(begin, end):
            if _is_pair(points, rows, batches, i, members[k]):
                per_box[members[k]] += 1
                found += 1
        if len(per_point):
            per_point[i] = found


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(points, rows, batches, grid, first, last, ends, pairs):
    """Write the pairs of point i to the rows before ``ends[i]``; a point without a pair is passed over."""
    members = grid[3]
    for i in range(first, last):
        place = ends[i - 1] if i else 0
        if place == ends[i]:
            continue
        begin, end = candidates(grid, np.float64(points[i, 0]), np.float64(points[i, 1]))
        for k in range(begin, end):
            if _is_pair(points, rows, batches, i, members[k]):
                pairs[place, 0], pairs[place, 1] = i, members[k]
                place += 1


def _search(points: np.ndarray, boxes: np.ndarray, batches: Batches) -> tuple[Any, Any, Any]:
    """What every kernel above takes after the points."""
    rows = prepare(boxes)
    return rows, (_NONE, _NONE) if batches is None else batches, grid_of_boxes(points, rows)


def points_in_boxes(points: np.ndarray, boxes: np.ndarray, batches: Batches = None) -> np.ndarray:
    """Index of the first box that holds each point, or -1.

    Args:
        points: (P, >= 3) float32 or float64.
        boxes: (N, >= 7) float32 or float64.
        batches: (P,) and (N,) int64, the sample of each point and of each box: they meet within a sample only.

    Returns:
        (P,) int64.
    """
    rows, samples, grid = _search(points, boxes, batches)
    owner = np.empty(len(points), np.int64)
    run_in_ranges(
        lambda first, last: _first(points, rows, samples, grid, first, last, owner), len(points), _POINTS_PER_THREAD
    )
    return owner


def count_points_in_boxes(points: np.ndarray, boxes: np.ndarray, batches: Batches = None) -> np.ndarray:
    """Number of points in each box, (N,) int64; a point in several boxes counts in each."""
    return _numbers(points, *_search(points, boxes, batches), _NONE)


def points_in_boxes_pairs(points: np.ndarray, boxes: np.ndarray, batches: Batches = None) -> np.ndarray:
    """Every point and box that holds it, (K, 2) int64, by point and then by box."""
    rows, samples, grid = _search(points, boxes, batches)
    per_point = np.zeros(len(points), np.int64)
    _numbers(points, rows, samples, grid, per_point)
    ends = np.cumsum(per_point)
    pairs = np.empty((ends[-1] if len(ends) else 0, 2), np.int64)
    run_in_ranges(
        lambda first, last: _fill(points, rows, samples, grid, first, last, ends, pairs),
        len(points),
        _POINTS_PER_THREAD,
    )
    return pairs


def points_in_boxes_mask(points: np.ndarray, boxes: np.ndarray, batches: Batches = None) -> np.ndarray:
    """Whether each box holds each point, (P, N) bool."""
    mask = np.zeros((len(points), len(boxes)), np.bool_)
    pairs = points_in_boxes_pairs(points, boxes, batches)
    mask[pairs[:, 0], pairs[:, 1]] = True
    return mask


def _numbers(points: np.ndarray, rows: Any, samples: Any, grid: Any, per_point: np.ndarray) -> np.ndarray:
    partial: list[np.ndarray] = []

    def number(first: int, last: int) -> None:
        mine = np.zeros(len(rows), np.int64)
        _number(points, rows, samples, grid, first, last, per_point, mine)
        partial.append(mine)

    run_in_ranges(number, len(points), _POINTS_PER_THREAD)
    return np.sum(partial, axis=0)
