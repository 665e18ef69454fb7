"""Overlap of aligned pairs on the CPU: box i of one array with box i of the other."""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._overlap_block import BLOCK, ROWS, fill_block
from bev3d_ops.cpu._overlap_pack import LARGEST_SINGLE_M, SMALLEST_SINGLE_M, pack, pack_slowly, turn, turn_single
from bev3d_ops.cpu._overlap_transpose import COLUMNS
from bev3d_ops.cpu._prepare import LARGEST_M, SMALLEST_M
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["aligned_overlap"]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_exactly(block, a, b, first, kind, out):
    """BLOCK pairs in float64, whatever they hold."""
    slowly = pack(block, a, b, first, LARGEST_M, SMALLEST_M) != 0
    if slowly:
        pack_slowly(block, a, b, first)
    turn(block, slowly)
    fill_block(block, kind, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(a, b, first, last, kind, out):
    """Whole blocks, in float64."""
    block = np.zeros(ROWS * BLOCK, np.float64)
    for start in range(first, last, BLOCK):
        _fill_exactly(block, a, b, start, kind, out[start : start + BLOCK])


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_single(a, b, first, last, kind, out):
    """Whole blocks, in float32 where that can hold them."""
    block, exact = np.zeros(ROWS * BLOCK, np.float32), np.zeros(ROWS * BLOCK, np.float64)
    for start in range(first, last, BLOCK):
        part = out[start : start + BLOCK]
        if pack(block, a, b, start, LARGEST_SINGLE_M, SMALLEST_SINGLE_M) == 0 and turn_single(block) == 0:
            fill_block(block, kind, part)
        else:
            _fill_exactly(exact, a, b, start, kind, part)


def aligned_overlap(a: np.ndarray, b: np.ndarray, kind: int) -> np.ndarray:
    """Overlap of box i of ``a`` with box i of ``b``.

    Args:
        a: (N, >= 7) float32 or float64; columns from the eighth on are not read.
        b: (N, >= 7), of the same dtype.
        kind: ``INTERSECTION_BEV`` (square metres), ``IOU_BEV`` or ``IOU_3D``.

    Returns:
        (N,) in the dtype of ``a``, computed in it (IoU of float32 errs by less than 2e-5). A box with a NaN, an
        infinity, or a length or width that is not positive gives 0.
    """
    count = len(a)
    out = np.empty(count, a.dtype)
    fill = _fill_single if a.dtype == np.float32 else _fill
    one, other = (np.ascontiguousarray(boxes[:, :COLUMNS]).reshape(-1) for boxes in (a, b))
    # a block reads one number more than its boxes: the last one is copied
    whole = max(count - 1, 0) // BLOCK
    run_in_ranges(lambda i, j: fill(one, other, i * BLOCK, j * BLOCK, kind, out), whole, 800)
    rest = whole * BLOCK
    if rest < count:
        tail = np.zeros((2, COLUMNS * BLOCK + 1), a.dtype)
        for row, boxes in zip(tail, (one, other), strict=True):
            row[: COLUMNS * (count - rest)] = boxes[COLUMNS * rest :]
        values = np.empty(BLOCK, a.dtype)
        fill(tail[0], tail[1], 0, BLOCK, kind, values)
        out[rest:] = values[: count - rest]
    return out
