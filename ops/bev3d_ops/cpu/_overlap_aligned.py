"""Overlap of aligned pairs on the CPU: box i of one array with box i of the other."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bev3d_ops.cpu._overlap_block import (
    AX,
    AY,
    AZ,
    BLOCK,
    BX,
    BY,
    BZ,
    DX,
    DY,
    DZ,
    FAST,
    OUT,
    ROWS,
    C,
    S,
    fill_block,
)
from bev3d_ops.cpu._prepare import LARGEST_M, SMALLEST_M
from bev3d_ops.cpu._threads import run_in_ranges
from bev3d_ops.cpu._trigonometry import FAR, sin_cos

__all__ = ["aligned_overlap"]


@njit(inline="always")
def _magnitude(boxes, i):
    """Sum of the magnitudes of a box's seven entries, as pairs for the sake of the pipeline; NaN where one is."""
    x, y, z, length = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
    width, height, yaw = boxes[i, 4], boxes[i, 5], boxes[i, 6]
    return ((abs(x) + abs(y)) + (abs(z) + abs(length))) + ((abs(width) + abs(height)) + abs(yaw))


@njit(cache=True, nogil=True, error_model="numpy")
def _pack(block, a, b, first, count):
    """Write pairs to ``block``: the centres' difference still in the world, the yaws in place of C and S.

    A pair that holds what is no box becomes two points. Returns the number of pairs with a yaw far from 0.
    """
    far = 0
    for k in range(count):
        i = first + k
        least = min(min(a[i, 3], a[i, 4]), min(b[i, 3], b[i, 4]))
        if not ((_magnitude(a, i) + _magnitude(b, i) <= LARGEST_M) & (least >= SMALLEST_M)):
            for row in range(ROWS):
                block[row * BLOCK + k] = 0.0
            continue
        block[DX * BLOCK + k] = np.float64(b[i, 0]) - np.float64(a[i, 0])
        block[DY * BLOCK + k] = np.float64(b[i, 1]) - np.float64(a[i, 1])
        block[DZ * BLOCK + k] = np.float64(b[i, 2]) - np.float64(a[i, 2])
        block[AX * BLOCK + k] = 0.5 * np.float64(a[i, 3])
        block[AY * BLOCK + k] = 0.5 * np.float64(a[i, 4])
        block[AZ * BLOCK + k] = max(0.5 * np.float64(a[i, 5]), 0.0)
        block[BX * BLOCK + k] = 0.5 * np.float64(b[i, 3])
        block[BY * BLOCK + k] = 0.5 * np.float64(b[i, 4])
        block[BZ * BLOCK + k] = max(0.5 * np.float64(b[i, 5]), 0.0)
        yaw, turn = np.float64(a[i, 6]), np.float64(b[i, 6]) - np.float64(a[i, 6])
        block[C * BLOCK + k], block[S * BLOCK + k] = yaw, turn
        far += 1 if (abs(yaw) >= FAR) | (abs(turn) >= FAR) else 0
    return far


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _turn(block):
    """Turn the centres' difference into A's frame and the yaws into the direction of B in it."""
    dx, dy = block[DX * BLOCK : (DX + 1) * BLOCK], block[DY * BLOCK : (DY + 1) * BLOCK]
    c, s = block[C * BLOCK : (C + 1) * BLOCK], block[S * BLOCK : (S + 1) * BLOCK]
    for i in range(BLOCK):
        sin_a, cos_a = sin_cos(c[i])
        sin_b, cos_b = sin_cos(s[i])
        x, y = dx[i], dy[i]
        dx[i], dy[i] = cos_a * x + sin_a * y, cos_a * y - sin_a * x
        c[i], s[i] = cos_b, sin_b


@njit(cache=True, nogil=True, error_model="numpy")
def _turn_far(block):
    """As :func:`_turn`, for yaws of any size."""
    for i in range(BLOCK):
        yaw, turn = block[C * BLOCK + i], block[S * BLOCK + i]
        x, y = block[DX * BLOCK + i], block[DY * BLOCK + i]
        block[DX * BLOCK + i] = math.cos(yaw) * x + math.sin(yaw) * y
        block[DY * BLOCK + i] = math.cos(yaw) * y - math.sin(yaw) * x
        block[C * BLOCK + i], block[S * BLOCK + i] = math.cos(turn), math.sin(turn)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(a, b, first, last, kind, out):
    block = np.zeros(ROWS * BLOCK, np.float64)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        if _pack(block, a, b, start, count) > 0:
            _turn_far(block)
        else:
            _turn(block)
        fill_block(block, kind)
        for k in range(count):
            out[start + k] = block[OUT * BLOCK + k]


def aligned_overlap(a: np.ndarray, b: np.ndarray, kind: int) -> np.ndarray:
    """Overlap of box i of ``a`` with box i of ``b``.

    Args:
        a: (N, >= 7) float32 or float64; columns from the eighth on are not read.
        b: (N, >= 7), of the same dtype.
        kind: ``INTERSECTION_BEV`` (square metres), ``IOU_BEV`` or ``IOU_3D``.

    Returns:
        (N,) in the dtype of ``a``; computed in float64. A box with a NaN, an infinity, or a length or width
        that is not positive gives 0.
    """
    out = np.empty(len(a), a.dtype)
    run_in_ranges(lambda i, j: _fill(a, b, i, j, kind, out), len(a), 50_000)
    return out
