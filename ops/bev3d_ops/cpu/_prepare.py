"""Boxes made ready for the kernels: columns apart, halved, checked once, trigonometry taken once."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Sizes and coordinates beyond this, NaN and infinity do not describe a box: such a box overlaps nothing.
# The bounds keep products of six lengths inside float64, so that no kernel has to ask again.
LARGEST_M = 1e40
SMALLEST_M = 1e-40

# Rows of the array that prepare_boxes returns.
X, Y, Z, HALF_LENGTH, HALF_WIDTH, HALF_HEIGHT, COS, SIN, RADIUS = range(9)


@njit(cache=True, nogil=True, error_model="numpy")
def is_box(boxes, i, columns):
    """Whether the first ``columns`` entries of row ``i`` are finite and the sizes positive."""
    good = True
    for k in range(columns):
        good &= abs(boxes[i, k]) <= LARGEST_M
    good &= boxes[i, 3] >= SMALLEST_M
    good &= boxes[i, 4] >= SMALLEST_M
    return good


@njit(cache=True, nogil=True, error_model="numpy")
def prepare_boxes(boxes):
    """Split boxes (N, >= 7) into rows of a (9, N) float64 array; what is no box becomes a point of no extent."""
    n = boxes.shape[0]
    rows = np.zeros((9, n), np.float64)
    for i in range(n):
        rows[COS, i] = 1.0
        if not is_box(boxes, i, 7):
            continue
        rows[X, i] = boxes[i, 0]
        rows[Y, i] = boxes[i, 1]
        rows[Z, i] = boxes[i, 2]
        half_length = 0.5 * np.float64(boxes[i, 3])
        half_width = 0.5 * np.float64(boxes[i, 4])
        rows[HALF_LENGTH, i] = half_length
        rows[HALF_WIDTH, i] = half_width
        rows[HALF_HEIGHT, i] = max(0.5 * np.float64(boxes[i, 5]), 0.0)
        yaw = np.float64(boxes[i, 6])
        rows[COS, i] = math.cos(yaw)
        rows[SIN, i] = math.sin(yaw)
        # one part in 1e9 more: a pair that the circles part is then surely apart
        rows[RADIUS, i] = math.sqrt(half_length * half_length + half_width * half_width) * (1 + 1e-9)
    return rows
