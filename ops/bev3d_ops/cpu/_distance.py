"""Exact Euclidean distance transform in any number of dimensions, one axis after the other."""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit

from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["squared_distance"]


@njit(cache=True, nogil=True, error_model="numpy")
def _lower_envelope(lines, spacing, first, last):
    """Each line f becomes min over j of f[j] + (spacing (i - j))²: the lower envelope of parabolas.

    Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, Theory of Computing 2012.
    """
    n = lines.shape[1]
    scale = spacing * spacing
    apex = np.empty(n, np.int64)
    border = np.empty(n + 1, np.float64)
    heights = np.empty(n, np.float64)
    for row in range(first, last):
        count = 0
        for j in range(n):
            height = lines[row, j]
            heights[j] = height
            if height == np.inf:
                continue
            meet = -np.inf
            while count > 0:
                other = apex[count - 1]
                meet = ((height + scale * j * j) - (heights[other] + scale * other * other)) / (2 * scale * (j - other))
                if meet > border[count - 1]:
                    break
                count -= 1
            if count == 0:
                meet = -np.inf
            apex[count], border[count] = j, meet
            count += 1
        if count == 0:
            continue
        border[count] = np.inf
        k = 0
        for i in range(n):
            while border[k + 1] < i:
                k += 1
            lines[row, i] = scale * (i - apex[k]) * (i - apex[k]) + heights[apex[k]]


def squared_distance(seeds: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Squared distance of every cell to the nearest seed.

    Args:
        seeds: bool, any shape of as many dimensions as ``spacing`` has.
        spacing: distance of neighbouring cells along each axis.

    Returns:
        float64 of that shape; infinity where there is no seed at all.
    """
    distance = np.where(seeds, 0.0, np.inf)
    for axis in range(distance.ndim):
        lines = np.ascontiguousarray(np.moveaxis(distance, axis, -1))
        flat = lines.reshape(-1, lines.shape[-1])
        step = float(spacing[axis])
        run_in_ranges(partial(_lower_envelope, flat, step), len(flat), 64)
        distance = np.moveaxis(lines, -1, axis)
    return np.ascontiguousarray(distance)
