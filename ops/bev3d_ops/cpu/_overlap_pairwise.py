"""Matrices of intersections and IoU on the CPU."""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._memory import empty, is_kept, zeros
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
from bev3d_ops.cpu._streams import clear, end_streams, may_go_around
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["batched_pairwise_overlap", "pairwise_overlap"]


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
def _flush(block, places, count, kind, out):
    fill_block(block, kind)
    for k in range(count):
        out[places[k]] = block[OUT * BLOCK + k]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_rows(a, b, offsets_a, offsets_b, starts, first, last, kind, out, is_clear, around):
    """Fill the rows ``first`` to ``last`` of all matrices: pairs whose circles meet go to blocks, all else is 0.

    Row i, of sample s, begins at ``starts[s] + (i - offsets_a[s]) * (offsets_b[s + 1] - offsets_b[s])`` of ``out``.
    """
    block, places = np.zeros(ROWS * BLOCK, np.float64), np.empty(BLOCK, np.int64)
    xs, ys, radii = b[X], b[Y], b[RADIUS]
    count = 0
    for sample in range(len(starts) - 1):
        begin, end = offsets_b[sample], offsets_b[sample + 1]
        for i in range(max(first, offsets_a[sample]), min(last, offsets_a[sample + 1])):
            x, y, radius = a[X, i], a[Y, i], a[RADIUS, i]
            place = starts[sample] + (i - offsets_a[sample]) * (end - begin) - begin
            if not is_clear:
                clear(out, place + begin, place + end, around)
            for start in range(begin, end, BLOCK):
                stop = min(start + BLOCK, end)
                if _count_near(x, y, radius, xs[start:stop], ys[start:stop], radii[start:stop]) == 0:
                    continue
                for j in range(start, stop):
                    dx, dy, reach = xs[j] - x, ys[j] - y, radii[j] + radius
                    if dx * dx + dy * dy < reach * reach:
                        pack_pair(block, count, a, i, b, j)
                        places[count] = place + j
                        count += 1
                        if count == BLOCK:
                            _flush(block, places, count, kind, out)
                            count = 0
    if count:
        _flush(block, places, count, kind, out)
    end_streams()


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
    offsets = np.array([[0, len(a)], [0, len(b)]], np.int64)
    return batched_pairwise_overlap(a, b, offsets, kind).reshape(len(a), len(b))


def batched_pairwise_overlap(a: np.ndarray, b: np.ndarray, offsets: np.ndarray, kind: int) -> np.ndarray:
    """As :func:`pairwise_overlap` within each sample, the matrices behind one another: (sum of N_s * M_s,).

    Args:
        offsets: (2, B + 1) int64, not falling, from 0 to N and from 0 to M: sample s has the boxes
            ``offsets[0, s]`` to ``offsets[0, s + 1]`` of ``a`` and ``offsets[1, s]`` to ``offsets[1, s + 1]`` of ``b``.
    """
    sizes = np.diff(offsets)
    starts = np.zeros(offsets.shape[1], np.int64)
    np.cumsum(sizes[0] * sizes[1], out=starts[1:])
    # what is kept for the next result is written over, new memory is 0
    size = int(starts[-1])
    is_clear = not is_kept(size * a.dtype.itemsize)
    out = zeros(size, a.dtype) if is_clear else empty(size, a.dtype)
    if not out.size:
        return out
    prepared_a, prepared_b = prepare_boxes(a), prepare_boxes(b)
    least = max(1, 400_000 * len(a) // out.size)
    of_a, of_b = np.ascontiguousarray(offsets)
    around = may_go_around(out)

    def fill(first: int, last: int) -> None:
        _fill_rows(prepared_a, prepared_b, of_a, of_b, starts, first, last, kind, out, is_clear, around)

    run_in_ranges(fill, len(a), least)
    return out
