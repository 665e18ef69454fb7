"""Elliptical Gaussians along a heading in Numba. Serial, so that forked data loader workers may call it."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bev3d_ops.reference._heatmap_oriented import Ellipses

__all__ = ["splat_ellipses"]


@njit(cache=True, nogil=True, error_model="numpy")
def _span(centre, reach, own, size):
    """First and one past the last cell within ``reach`` of the centre, the object's own among them."""
    first = min(max(math.ceil(centre - reach), 0.0), float(own))
    last = max(min(math.floor(centre + reach), size - 1.0), float(own))
    return int(first), int(last) + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _splat(planes, plane_index, columns, rows, centres, radii, directions, scale_x, scale_y):
    count, height, width = planes.shape
    for i in range(len(plane_index)):
        p, own_column, own_row = plane_index[i], columns[i], rows[i]
        inside = 0 <= p < count and 0 <= own_column < width and 0 <= own_row < height
        if not (inside and radii[i, 0] >= 0 and radii[i, 1] >= 0):
            continue
        c, s = directions[i, 0], directions[i, 1]
        end_u, end_v = radii[i, 0] + 0.5, radii[i, 1] + 0.5
        by_u, by_v = 2 * (end_u / 3) * (end_u / 3), 2 * (end_v / 3) * (end_v / 3)
        # a little wide: the exact test is below
        reach_x = (end_u * abs(c) + end_v * abs(s)) / scale_x * (1 + 1e-9)
        reach_y = (end_u * abs(s) + end_v * abs(c)) / scale_y * (1 + 1e-9)
        first_column, end_column = _span(centres[i, 0], reach_x, own_column, width)
        first_row, end_row = _span(centres[i, 1], reach_y, own_row, height)
        for row in range(first_row, end_row):
            dy = (row - centres[i, 1]) * scale_y
            for column in range(first_column, end_column):
                dx = (column - centres[i, 0]) * scale_x
                u, v = dx * c + dy * s, dy * c - dx * s
                if abs(u) <= end_u and abs(v) <= end_v:
                    value = np.float32(math.exp(-(u * u / by_u + v * v / by_v)))
                    planes[p, row, column] = max(planes[p, row, column], value)
        planes[p, own_row, own_column] = max(planes[p, own_row, own_column], np.float32(1))


def splat_ellipses(planes: NDArray[np.float32], ellipses: Ellipses) -> None:
    """As ``bev3d_ops.reference._heatmap_oriented.splat_ellipses``; ``planes`` are C-contiguous."""
    _splat(planes, *ellipses[:-1], *ellipses.stretch)
