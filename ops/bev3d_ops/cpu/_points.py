"""Points in boxes on the CPU."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["count_points_in_boxes", "points_in_boxes"]

_CHUNK = 256
# Rows of the prepared boxes.
_X, _Y, _Z, _HALF_LENGTH, _HALF_WIDTH, _HALF_HEIGHT, _COS, _SIN, _RADIUS = range(9)


@njit(cache=True, nogil=True, error_model="numpy")
def _prepare(boxes):
    """Rows (9, N) in float64; what is no box gets half sizes of -1, in which no point lies."""
    rows = np.full((9, boxes.shape[0]), -1.0)
    for i in range(boxes.shape[0]):
        finite = True
        for k in range(7):
            finite &= math.isfinite(boxes[i, k])
        if not finite:
            continue
        yaw = np.float64(boxes[i, 6])
        rows[_COS, i], rows[_SIN, i] = math.cos(yaw), math.sin(yaw)
        for k in range(3):
            rows[k, i] = boxes[i, k]
            rows[3 + k, i] = 0.5 * np.float64(boxes[i, 3 + k])
        rows[_RADIUS, i] = math.hypot(rows[_HALF_LENGTH, i], rows[_HALF_WIDTH, i]) * (1 + 1e-9)
    return rows


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _mark_inside(xs, ys, zs, box, inside):
    """Set ``inside[k]`` to 1 where the point lies in the closed box, else to 0; returns how many do."""
    x, y, z, c, s = box[_X], box[_Y], box[_Z], box[_COS], box[_SIN]
    half_length, half_width, half_height = box[_HALF_LENGTH], box[_HALF_WIDTH], box[_HALF_HEIGHT]
    found = 0
    for k in range(len(xs)):
        dx, dy, dz = xs[k] - x, ys[k] - y, zs[k] - z
        along, across = dx * c + dy * s, dy * c - dx * s
        hit = (abs(along) <= half_length) & (abs(across) <= half_width) & (abs(dz) <= half_height)
        inside[k] = 1 if hit else 0
        found += 1 if hit else 0
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _bounds(values):
    """Least and greatest value; NaN is passed over."""
    low, high = np.inf, -np.inf
    for value in values:
        if value < low:
            low = value
        if value > high:
            high = value
    return low, high


@njit(cache=True, nogil=True, error_model="numpy")
def _scan(points, boxes, first, last, owner, counts):
    """Give each point its first box (``owner``) and each box its number of points (``counts``), chunk by chunk."""
    xs, ys, zs = np.empty(_CHUNK), np.empty(_CHUNK), np.empty(_CHUNK)
    inside = np.empty(_CHUNK, np.int32)
    columns = np.ascontiguousarray(boxes.T)
    for start in range(first, last, _CHUNK):
        size = min(_CHUNK, last - start)
        for k in range(size):
            xs[k], ys[k], zs[k] = points[start + k, 0], points[start + k, 1], points[start + k, 2]
        low_x, high_x = _bounds(xs[:size])
        low_y, high_y = _bounds(ys[:size])
        # Backwards, so that of several boxes the first one stays.
        for j in range(len(columns) - 1, -1, -1):
            box = columns[j]
            reach = box[_RADIUS]
            if box[_X] + reach < low_x or box[_X] - reach > high_x:
                continue
            if box[_Y] + reach < low_y or box[_Y] - reach > high_y:
                continue
            found = _mark_inside(xs[:size], ys[:size], zs[:size], box, inside[:size])
            if found:
                counts[j] += found
                for k in range(size):
                    if inside[k]:
                        owner[start + k] = j


def _run(points: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    owner = np.full(len(points), -1, np.int64)
    counts = np.zeros(len(boxes), np.int64)
    if not len(boxes):
        return owner, counts
    prepared = _prepare(boxes)
    partial: list[np.ndarray] = []

    def scan(first: int, last: int) -> None:
        mine = np.zeros(len(boxes), np.int64)
        _scan(points, prepared, first, last, owner, mine)
        partial.append(mine)

    run_in_ranges(scan, len(points), max(1, 4_000_000 // len(boxes)))
    for mine in partial:
        counts += mine
    return owner, counts


def points_in_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Index of the first box that holds each point, or -1.

    Args:
        points: (P, >= 3) float32 or float64.
        boxes: (N, >= 7) float32 or float64.

    Returns:
        (P,) int64.
    """
    return _run(points, boxes)[0]


def count_points_in_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Number of points in each box, (N,) int64; a point in several boxes counts in each."""
    return _run(points, boxes)[1]
