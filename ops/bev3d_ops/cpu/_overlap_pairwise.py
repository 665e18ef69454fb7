"""Matrices of intersections and IoU on the CPU."""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._memory import zeros
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
from bev3d_ops.cpu._prepare import COS, HALF_HEIGHT, HALF_LENGTH, HALF_WIDTH, RADIUS, SIN, X, Y, Z, prepare_boxes
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["pairwise_overlap"]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _count_near(x, y, radius, xs, ys, radii):
    """How many of the circles (xs, ys, radii) meet the circle (x, y, radius)."""
    near = 0
    for k in range(len(xs)):
        dx, dy, reach = xs[k] - x, ys[k] - y, radii[k] + radius
        near += 1 if dx * dx + dy * dy < reach * reach else 0
    return near


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def pack_pair(block, k, a, i, b, j):
    """Write box i of the prepared ``a`` and box j of the prepared ``b`` to place k of ``block``."""
    dx, dy = b[X, j] - a[X, i], b[Y, j] - a[Y, i]
    ca, sa, cb, sb = a[COS, i], a[SIN, i], b[COS, j], b[SIN, j]
    block[DX * BLOCK + k] = ca * dx + sa * dy
    block[DY * BLOCK + k] = ca * dy - sa * dx
    block[DZ * BLOCK + k] = b[Z, j] - a[Z, i]
    block[C * BLOCK + k] = ca * cb + sa * sb
    block[S * BLOCK + k] = ca * sb - sa * cb
    block[AX * BLOCK + k] = a[HALF_LENGTH, i]
    block[AY * BLOCK + k] = a[HALF_WIDTH, i]
    block[AZ * BLOCK + k] = a[HALF_HEIGHT, i]
    block[BX * BLOCK + k] = b[HALF_LENGTH, j]
    block[BY * BLOCK + k] = b[HALF_WIDTH, j]
    block[BZ * BLOCK + k] = b[HALF_HEIGHT, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _flush(block, rows, columns, count, kind, out):
    fill_block(block, kind)
    for k in range(count):
        out[rows[k], columns[k]] = block[OUT * BLOCK + k]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_rows(a, b, first, last, kind, out):
    """Fill rows ``first`` to ``last`` of ``out``, which is 0: pairs whose circles meet are gathered to blocks."""
    block = np.zeros(ROWS * BLOCK, np.float64)
    rows, columns = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    xs, ys, radii = b[X], b[Y], b[RADIUS]
    count = 0
    for i in range(first, last):
        x, y, radius = a[X, i], a[Y, i], a[RADIUS, i]
        for start in range(0, b.shape[1], BLOCK):
            stop = min(start + BLOCK, b.shape[1])
            if _count_near(x, y, radius, xs[start:stop], ys[start:stop], radii[start:stop]) == 0:
                continue
            for j in range(start, stop):
                dx, dy, reach = xs[j] - x, ys[j] - y, radii[j] + radius
                if dx * dx + dy * dy < reach * reach:
                    pack_pair(block, count, a, i, b, j)
                    rows[count], columns[count] = i, j
                    count += 1
                    if count == BLOCK:
                        _flush(block, rows, columns, count, kind, out)
                        count = 0
    if count:
        _flush(block, rows, columns, count, kind, out)


def pairwise_overlap(a: np.ndarray, b: np.ndarray, kind: int) -> np.ndarray:
    """Overlap of every box of ``a`` with every box of ``b``.

    Args:
        a: (N, >= 7) float32 or float64; columns from the eighth on are not read.
        b: (M, >= 7), of the same dtype.
        kind: ``INTERSECTION_BEV`` (square metres), ``IOU_BEV`` or ``IOU_3D``.

    Returns:
        (N, M) in the dtype of ``a``; computed in float64. A box with a NaN, an infinity, or a length or
        width that is not positive gives 0.
    """
    out = zeros((len(a), len(b)), a.dtype)
    if not out.size:
        return out
    prepared_a, prepared_b = prepare_boxes(a), prepare_boxes(b)
    least = max(1, 400_000 // len(b))
    run_in_ranges(lambda i, j: _fill_rows(prepared_a, prepared_b, i, j, kind, out), len(a), least)
    return out
