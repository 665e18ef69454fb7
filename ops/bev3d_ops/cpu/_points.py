"""Points in boxes on the CPU.

A coarse grid, seen from above, lists the boxes that may reach each of its cells, in ascending order. A point then
meets the few boxes of its cell only. The test itself is plain float64, each operation rounded once (no fused
multiply-add, no fast maths), so that it gives bit for bit what the same formula gives in NumPy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["count_points_in_boxes", "points_in_boxes", "points_in_boxes_mask", "points_in_boxes_pairs"]

_FINEST = 256  # cells along a side: the table of 256 x 256 starts stays in the second-level cache
_POINTS_PER_THREAD = 40_000
_NONE = np.empty(0, np.int64)
Batches = tuple[np.ndarray, np.ndarray] | None

# Columns of the prepared boxes, 64 bytes a row: one cache line.
_X, _Y, _Z, _HALF_LENGTH, _HALF_WIDTH, _HALF_HEIGHT, _COS, _SIN = range(8)


@njit(cache=True, nogil=True, error_model="numpy")
def _prepare(boxes):
    """Rows (N, 8) in float64; what is no box gets half sizes of -1, in which no point lies."""
    rows = np.full((boxes.shape[0], 8), -1.0)
    for i in range(boxes.shape[0]):
        finite = True
        for k in range(7):
            finite &= math.isfinite(boxes[i, k])
        if not finite:
            continue
        yaw = np.float64(boxes[i, 6])
        rows[i, _COS], rows[i, _SIN] = math.cos(yaw), math.sin(yaw)
        for k in range(3):
            rows[i, k] = boxes[i, k]
            rows[i, 3 + k] = 0.5 * np.float64(boxes[i, 3 + k])
    return rows


@njit(cache=True, nogil=True, error_model="numpy")
def _holds(box, x, y, z):
    """Whether the closed box holds the point; written so that a NaN fails it."""
    if not abs(z - box[_Z]) <= box[_HALF_HEIGHT]:
        return False
    dx, dy, c, s = x - box[_X], y - box[_Y], box[_COS], box[_SIN]
    return abs(dx * c + dy * s) <= box[_HALF_LENGTH] and abs(dy * c - dx * s) <= box[_HALF_WIDTH]


@njit(cache=True, nogil=True, error_model="numpy")
def _spans(rows):
    """(N, 4) x0, y0, x1, y1 around each box, a little wide; empty (x0 > x1) where it can hold nothing."""
    spans = np.empty((rows.shape[0], 4))
    for i in range(rows.shape[0]):
        box = rows[i]
        if not (box[_HALF_LENGTH] >= 0 and box[_HALF_WIDTH] >= 0 and box[_HALF_HEIGHT] >= 0):
            spans[i, :2], spans[i, 2:] = np.inf, -np.inf
            continue
        c, s = abs(box[_COS]), abs(box[_SIN])
        reach_x = box[_HALF_LENGTH] * c + box[_HALF_WIDTH] * s
        reach_y = box[_HALF_LENGTH] * s + box[_HALF_WIDTH] * c
        # the test rounds a few times: 1e-9 is a million times what it can be off by
        reach_x += 1e-9 * (reach_x + reach_y + abs(box[_X]) + abs(box[_Y])) + 1e-300
        reach_y += 1e-9 * (reach_x + reach_y + abs(box[_X]) + abs(box[_Y])) + 1e-300
        spans[i, 0], spans[i, 2] = box[_X] - reach_x, box[_X] + reach_x
        spans[i, 1], spans[i, 3] = box[_Y] - reach_y, box[_Y] + reach_y
    return spans


@njit(cache=True, nogil=True, error_model="numpy")
def _frame(points, spans):
    """x0, y0, x1, y1 of where points and boxes both are; empty where there is no such place."""
    frame = np.array([np.inf, np.inf, -np.inf, -np.inf])
    for i in range(spans.shape[0]):
        frame[0], frame[1] = min(frame[0], spans[i, 0]), min(frame[1], spans[i, 1])
        frame[2], frame[3] = max(frame[2], spans[i, 2]), max(frame[3], spans[i, 3])
    low_x, low_y, high_x, high_y = np.inf, np.inf, -np.inf, -np.inf
    for i in range(points.shape[0]):
        x, y = np.float64(points[i, 0]), np.float64(points[i, 1])
        low_x, high_x = (x if x < low_x else low_x), (x if x > high_x else high_x)
        low_y, high_y = (y if y < low_y else low_y), (y if y > high_y else high_y)
    frame[0], frame[1] = max(frame[0], low_x), max(frame[1], low_y)
    frame[2], frame[3] = min(frame[2], high_x), min(frame[3], high_y)
    return frame


@njit(cache=True, nogil=True, error_model="numpy")
def _cell(value, low, per_metre, side):
    """Monotone in ``value``, so that a point of a span has a cell of the span's."""
    place = (value - low) * per_metre
    if not place > 0:
        return 0
    return int(place) if place < side else side - 1


@njit(cache=True, nogil=True, error_model="numpy")
def _cells_of(span, frame, per_x, per_y, side):
    """First and last column and row of a span, last before first where it misses the frame."""
    if span[2] < frame[0] or span[0] > frame[2] or span[3] < frame[1] or span[1] > frame[3] or span[0] > span[2]:
        return 0, -1, 0, -1
    return (
        _cell(span[0], frame[0], per_x, side),
        _cell(span[2], frame[0], per_x, side),
        _cell(span[1], frame[1], per_y, side),
        _cell(span[3], frame[1], per_y, side),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _entries(spans, frame, side):
    per_x, per_y = side / (frame[2] - frame[0]), side / (frame[3] - frame[1])
    total = 0
    for i in range(spans.shape[0]):
        column0, column1, row0, row1 = _cells_of(spans[i], frame, per_x, per_y, side)
        total += (column1 - column0 + 1) * (row1 - row0 + 1)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _grid(points, rows):
    """frame (4,), side, starts (side² + 1,) and the boxes of each cell, in ascending order."""
    spans = _spans(rows)
    frame = _frame(points, spans)
    if not (frame[0] <= frame[2] and frame[1] <= frame[3]):
        frame[:2], frame[2:] = 0.0, -1.0  # no point is in it
        return frame, 1, np.zeros(2, np.int64), np.empty(0, np.int32)
    side = max(1, min(_FINEST, int(math.sqrt(points.shape[0]))))
    while side > 1 and _entries(spans, frame, side) > 4 * points.shape[0] + 16 * spans.shape[0]:
        side //= 2
    per_x, per_y = side / (frame[2] - frame[0]), side / (frame[3] - frame[1])
    starts = np.zeros(side * side + 1, np.int64)
    for i in range(spans.shape[0]):
        column0, column1, row0, row1 = _cells_of(spans[i], frame, per_x, per_y, side)
        for row in range(row0, row1 + 1):
            starts[row * side + column0 + 1 : row * side + column1 + 2] += 1
    starts = np.cumsum(starts)
    members = np.empty(starts[-1], np.int32)
    ends = starts.copy()
    for i in range(spans.shape[0]):
        column0, column1, row0, row1 = _cells_of(spans[i], frame, per_x, per_y, side)
        for row in range(row0, row1 + 1):
            for cell in range(row * side + column0, row * side + column1 + 1):
                members[ends[cell]] = i
                ends[cell] += 1
    return frame, side, starts, members


@njit(cache=True, nogil=True, error_model="numpy")
def _candidates(grid, x, y):
    """First and one past the last entry of ``members`` that may hold a point at x, y."""
    frame, side, starts, _ = grid
    if not (x >= frame[0] and x <= frame[2] and y >= frame[1] and y <= frame[3]):
        return 0, 0
    column = _cell(x, frame[0], side / (frame[2] - frame[0]), side)
    cell = _cell(y, frame[1], side / (frame[3] - frame[1]), side) * side + column
    return starts[cell], starts[cell + 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _is_pair(points, rows, batches, i, j):
    """Whether box j holds point i; the batches are empty or (P,) and (N,)."""
    point_batch, box_batch = batches
    if not _holds(rows[j], np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])):
        return False
    return len(box_batch) == 0 or box_batch[j] == point_batch[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _first(points, rows, batches, grid, first, last, owner):
    members = grid[3]
    for i in range(first, last):
        begin, end = _candidates(grid, np.float64(points[i, 0]), np.float64(points[i, 1]))
        for k in range(begin, end):
            if _is_pair(points, rows, batches, i, members[k]):
                owner[i] = members[k]
                break


@njit(cache=True, nogil=True, error_model="numpy")
def _number(points, rows, batches, grid, first, last, per_point, per_box):
    """Boxes of each point (where ``per_point`` is not empty) and points of each box."""
    members = grid[3]
    for i in range(first, last):
        begin, end = _candidates(grid, np.float64(points[i, 0]), np.float64(points[i, 1]))
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
        begin, end = _candidates(grid, np.float64(points[i, 0]), np.float64(points[i, 1]))
        for k in range(begin, end):
            if _is_pair(points, rows, batches, i, members[k]):
                pairs[place, 0], pairs[place, 1] = i, members[k]
                place += 1


def _search(points: np.ndarray, boxes: np.ndarray, batches: Batches) -> tuple[Any, ...]:
    """What every kernel above takes first."""
    rows = _prepare(boxes)
    return points, rows, (_NONE, _NONE) if batches is None else batches, _grid(points, rows)


def points_in_boxes(points: np.ndarray, boxes: np.ndarray, batches: Batches = None) -> np.ndarray:
    """Index of the first box that holds each point, or -1.

    Args:
        points: (P, >= 3) float32 or float64.
        boxes: (N, >= 7) float32 or float64.
        batches: (P,) and (N,) int64, the sample of each point and of each box: they meet within a sample only.

    Returns:
        (P,) int64.
    """
    search = _search(points, boxes, batches)
    owner = np.full(len(points), -1, np.int64)
    run_in_ranges(lambda first, last: _first(*search, first, last, owner), len(points), _POINTS_PER_THREAD)
    return owner


def count_points_in_boxes(points: np.ndarray, boxes: np.ndarray, batches: Batches = None) -> np.ndarray:
    """Number of points in each box, (N,) int64; a point in several boxes counts in each."""
    return _numbers(_search(points, boxes, batches), len(boxes), _NONE)


def points_in_boxes_pairs(points: np.ndarray, boxes: np.ndarray, batches: Batches = None) -> np.ndarray:
    """Every point and box that holds it, (K, 2) int64, by point and then by box."""
    search = _search(points, boxes, batches)
    per_point = np.zeros(len(points), np.int64)
    _numbers(search, len(boxes), per_point)
    ends = np.cumsum(per_point)
    pairs = np.empty((ends[-1] if len(ends) else 0, 2), np.int64)
    run_in_ranges(lambda first, last: _fill(*search, first, last, ends, pairs), len(points), _POINTS_PER_THREAD)
    return pairs


def points_in_boxes_mask(points: np.ndarray, boxes: np.ndarray, batches: Batches = None) -> np.ndarray:
    """Whether each box holds each point, (P, N) bool."""
    mask = np.zeros((len(points), len(boxes)), np.bool_)
    pairs = points_in_boxes_pairs(points, boxes, batches)
    mask[pairs[:, 0], pairs[:, 1]] = True
    return mask


def _numbers(search: tuple[Any, ...], boxes: int, per_point: np.ndarray) -> np.ndarray:
    partial: list[np.ndarray] = []

    def number(first: int, last: int) -> None:
        mine = np.zeros(boxes, np.int64)
        _number(*search, first, last, per_point, mine)
        partial.append(mine)

    run_in_ranges(number, len(search[0]), _POINTS_PER_THREAD)
    return np.sum(partial, axis=0)
