"""Sixty-four pairs of boxes made ready for the kernels: differences, halves, directions."""

from __future__ import annotations

import math

from numba import njit

from bev3d_ops.cpu._lanes import LANES
from bev3d_ops.cpu._overlap_block import (
    AX,
    BLOCK,
    BX,
    COS_A,
    DX,
    DY,
    FAST,
    KNOWN,
    SIN_A,
    YAW_A,
    YAW_B,
    C,
    S,
)
from bev3d_ops.cpu._overlap_transpose import COLUMNS, transpose_pairs
from bev3d_ops.cpu._prepare import LARGEST_M, SMALLEST_M
from bev3d_ops.cpu._trigonometry import FAR, FAR_SINGLE, sin_cos, sin_cos_single

__all__ = ["LARGEST_SINGLE_M", "SMALLEST_SINGLE_M", "pack", "pack_slowly", "turn", "turn_single"]

# What float32 is left to: products of three sizes stay inside the type.
LARGEST_SINGLE_M, SMALLEST_SINGLE_M = 1e12, 1e-12


@njit(cache=True, nogil=True, error_model="numpy")
def pack(block, a, b, first, largest, smallest):
    """Write BLOCK pairs from box ``first`` on to ``block``; 0 where all of it holds boxes, else pack_slowly must.

    Args:
        block: (ROWS * BLOCK,).
        a, b: flat and contiguous, seven numbers for each box, readable one number beyond the block.
        first: number of the first box.
        largest, smallest: see transpose_pairs.
    """
    bad = 0
    for k in range(0, BLOCK, LANES):
        bad |= transpose_pairs(a, b, COLUMNS * (first + k), block, BLOCK, k, largest, smallest)
    return bad


@njit(inline="always")
def _is_box(boxes, first):
    good = True
    for k in range(COLUMNS):
        good &= abs(boxes[first + k]) <= LARGEST_M
    return good


@njit(inline="always")
def _half(size):
    return 0.5 * size if size >= SMALLEST_M else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def pack_slowly(block, a, b, first):
    """As :func:`pack` for anything; a pair that holds what is no box becomes two points, and KNOWN tells."""
    for k in range(BLOCK):
        i = COLUMNS * (first + k)
        good = _is_box(a, i) & _is_box(b, i)
        for row in range(3):
            difference = float(b[i + row]) - float(a[i + row])
            block[(DX + row) * BLOCK + k] = difference if good else 0.0
            block[(AX + row) * BLOCK + k] = _half(float(a[i + 3 + row])) if good else 0.0
            block[(BX + row) * BLOCK + k] = _half(float(b[i + 3 + row])) if good else 0.0
        block[YAW_A * BLOCK + k] = a[i + 6] if good else 0.0
        block[YAW_B * BLOCK + k] = b[i + 6] if good else 0.0
        block[KNOWN * BLOCK + k] = 1.0 if good else 0.0


@njit(inline="always")
def _lost(a, b, difference):
    """What rounding took from ``difference`` = b - a (Knuth's two-sum)."""
    back = difference - b
    return (b - (difference - back)) - (a + back)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _count_far(block, far):
    count = 0
    for i in range(BLOCK):
        yaw_a, yaw_b = block[YAW_A * BLOCK + i], block[YAW_B * BLOCK + i]
        count += 1 if (abs(yaw_a) > far) | (abs(yaw_b - yaw_a) > far) else 0
    return count


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _turn_near(block):
    for i in range(BLOCK):
        yaw_a, x, y = block[YAW_A * BLOCK + i], block[DX * BLOCK + i], block[DY * BLOCK + i]
        sin_a, cos_a = sin_cos(yaw_a)
        # of the difference: products of sines miss 0 by an ulp, which coincident edges would notice
        sin_b, cos_b = sin_cos(block[YAW_B * BLOCK + i] - yaw_a)
        block[DX * BLOCK + i] = cos_a * x + sin_a * y
        block[DY * BLOCK + i] = cos_a * y - sin_a * x
        block[C * BLOCK + i], block[S * BLOCK + i] = cos_b, sin_b
        block[COS_A * BLOCK + i], block[SIN_A * BLOCK + i] = cos_a, sin_a


@njit(cache=True, nogil=True, error_model="numpy")
def _turn_far(block):
    for i in range(BLOCK):
        yaw, x, y = block[YAW_A * BLOCK + i], block[DX * BLOCK + i], block[DY * BLOCK + i]
        turned = block[YAW_B * BLOCK + i] - yaw
        cos_a, sin_a = math.cos(yaw), math.sin(yaw)
        block[DX * BLOCK + i] = cos_a * x + sin_a * y
        block[DY * BLOCK + i] = cos_a * y - sin_a * x
        block[COS_A * BLOCK + i], block[SIN_A * BLOCK + i] = cos_a, sin_a
        block[C * BLOCK + i], block[S * BLOCK + i] = math.cos(turned), math.sin(turned)


@njit(cache=True, nogil=True, error_model="numpy")
def turn(block):
    """Turn the centres' difference into A's frame, and fill the directions of A and of B in A's frame."""
    if _count_far(block, FAR) > 0:
        _turn_far(block)
    else:
        _turn_near(block)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def turn_single(block):
    """As :func:`turn` in float32; not 0, and nothing done, where a yaw is too far from 0 for that."""
    far = _count_far(block, FAR_SINGLE)
    if far:
        return far
    for i in range(BLOCK):
        yaw_a, yaw_b = block[YAW_A * BLOCK + i], block[YAW_B * BLOCK + i]
        x, y = block[DX * BLOCK + i], block[DY * BLOCK + i]
        sin_a, cos_a = sin_cos_single(yaw_a)
        turned = yaw_b - yaw_a
        lost = _lost(yaw_a, yaw_b, turned)
        sin_b, cos_b = sin_cos_single(turned)
        block[DX * BLOCK + i] = cos_a * x + sin_a * y
        block[DY * BLOCK + i] = cos_a * y - sin_a * x
        block[C * BLOCK + i] = cos_b - sin_b * lost
        block[S * BLOCK + i] = sin_b + cos_b * lost
    return 0
