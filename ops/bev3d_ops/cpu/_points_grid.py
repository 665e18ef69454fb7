"""A coarse grid, seen from above, that lists the boxes which may reach each of its cells, in ascending order.

A point then meets the few boxes of its cell only.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["candidates", "grid_of_boxes", "holds", "prepare"]

_FINEST = 256  # cells along a side: the table of 256 x 256 starts stays in the second-level cache
_SAMPLE, _GOLDEN = 2000, 0.6180339887498949  # points; multiples of the golden ratio fill [0, 1) evenly
# Columns of the prepared boxes, 64 bytes a row: one cache line.
_X, _Y, _Z, _HALF_LENGTH, _HALF_WIDTH, _HALF_HEIGHT, _COS, _SIN = range(8)


@njit(cache=True, nogil=True, error_model="numpy")
def prepare(boxes):
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
def holds(box, x, y, z):
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
def _frames(points, spans):
    """(8,): x0, y0, x1, y1 of where cells lie, and of all that boxes reach.

    Cells lie where boxes are and a sample of the points is, or where boxes are if none is there; what is beyond belongs
    to the cells at the border. Empty (x0 > x1) where there is no box.
    """
    reach = np.array([np.inf, np.inf, -np.inf, -np.inf])
    for i in range(spans.shape[0]):
        reach[0], reach[1] = min(reach[0], spans[i, 0]), min(reach[1], spans[i, 1])
        reach[2], reach[3] = max(reach[2], spans[i, 2]), max(reach[3], spans[i, 3])
    x0, y0, x1, y1 = np.float64(np.inf), np.float64(np.inf), np.float64(-np.inf), np.float64(-np.inf)
    for k in range(min(points.shape[0], _SAMPLE)):
        # no regular steps: scans come in rows, and a step as long as a row would see one direction only
        i = int((k * _GOLDEN) % 1.0 * points.shape[0])
        x, y = np.float64(points[i, 0]), np.float64(points[i, 1])
        x0, x1 = x if x < x0 else x0, x if x > x1 else x1  # a NaN is passed over
        y0, y1 = y if y < y0 else y0, y if y > y1 else y1
    frame = np.concatenate((reach, reach))
    x0, y0, x1, y1 = max(x0, reach[0]), max(y0, reach[1]), min(x1, reach[2]), min(y1, reach[3])
    if x0 <= x1 and y0 <= y1:
        frame[0], frame[1], frame[2], frame[3] = x0, y0, x1, y1
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
    """First and last column and row of a span, last before first where it is empty."""
    if span[0] > span[2]:
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
def grid_of_boxes(points, rows):
    """Frames, see :func:`_frames`; side, starts (side² + 1,) and the boxes of each cell, in ascending order."""
    spans = _spans(rows)
    frame = _frames(points, spans)
    if not (frame[4] <= frame[6] and frame[5] <= frame[7]):
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
def candidates(grid, x, y):
    """First and one past the last entry of ``members`` that may hold a point at x, y."""
    frame, side, starts, _ = grid
    if not (x >= frame[4] and x <= frame[6] and y >= frame[5] and y <= frame[7]):
        return 0, 0
    column = _cell(x, frame[0], side / (frame[2] - frame[0]), side)
    cell = _cell(y, frame[1], side / (frame[3] - frame[1]), side) * side + column
    return starts[cell], starts[cell + 1]
