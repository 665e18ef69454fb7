"""Points of a scene moved, and some of them replaced by others, in one pass each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bev3d_ops.cpu._points_grid import candidates, grid_of_boxes, holds, prepare
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["move_points", "replace_points"]

_POINTS_PER_THREAD = 100_000


@njit(cache=True, nogil=True, error_model="numpy")
def _move(points, matrix, first, last, out):
    for i in range(first, last):
        x, y, z = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
        for k in range(3):
            out[i, k] = matrix[k, 0] * x + matrix[k, 1] * y + matrix[k, 2] * z + matrix[k, 3]
        for k in range(3, points.shape[1]):
            out[i, k] = points[i, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _keep(points, rows, grid, out):
    """Copy the points that lie in no box; their number."""
    members, place = grid[3], 0
    for i in range(len(points)):
        x, y, z = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
        begin, end = candidates(grid, x, y)
        while begin < end and not holds(rows[members[begin]], x, y, z):
            begin += 1
        if begin == end:
            for k in range(points.shape[1]):
                out[place, k] = points[i, k]
            place += 1
    return place


def move_points(points: np.ndarray, matrix: NDArray[np.float64]) -> np.ndarray:
    """A copy of the points (P, 3 or more) with x, y, z taken through ``matrix`` (4, 4).

    In float64, each operation rounded once, and the result rounded to the dtype of the points; what stands beyond z
    stays as it is.
    """
    out = np.empty(points.shape, points.dtype)
    run_in_ranges(lambda first, last: _move(points, matrix, first, last, out), len(points), _POINTS_PER_THREAD)
    return out


def replace_points(points: np.ndarray, boxes: np.ndarray, added: Sequence[np.ndarray]) -> np.ndarray:
    """The points (P, C) that lie in none of the boxes (N, 7 or 9), in their order, and behind them those of ``added``.

    A box is closed, as in :func:`bev3d_ops.cpu._points.points_in_boxes`.
    """
    out = np.empty((len(points) + sum(len(part) for part in added), points.shape[1]), points.dtype)
    rows = prepare(boxes)
    place = _keep(points, rows, grid_of_boxes(points, rows), out)
    for part in added:
        out[place : place + len(part)] = part
        place += len(part)
    return out[:place]
