"""Overlap of pairs named by two indices on the CPU, such as matches taken from a matrix."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bev3d_ops._overlap_kinds import IOU_3D
from bev3d_ops.cpu._overlap_aligned import copy_row, fill_exactly
from bev3d_ops.cpu._overlap_block import BLOCK, OUT, ROWS
from bev3d_ops.cpu._overlap_fused import gradient_rows, overlap_block, store_gradient_block
from bev3d_ops.cpu._overlap_gradient import VALUE
from bev3d_ops.cpu._overlap_transpose import COLUMNS
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["matched_overlap", "matched_overlap_with_gradient"]

LEAST_BLOCKS = 400  # that are worth a thread


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(boxes, index, first, rows):
    """Copy the boxes of BLOCK pairs to the flat ``rows``; NaN where an index is outside, 0 beyond the last pair."""
    for k in range(BLOCK):
        inside = first + k < len(index)
        i = index[first + k] if inside else 0
        known = inside and 0 <= i < len(boxes)
        for column in range(COLUMNS):
            rows[COLUMNS * k + column] = boxes[i, column] if known else (math.nan if inside else 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(a, b, index_a, index_b, first, last, kind, value):
    """Values of whole blocks."""
    one, other = np.zeros(COLUMNS * BLOCK + 1, a.dtype), np.zeros(COLUMNS * BLOCK + 1, a.dtype)
    block, g = np.zeros(ROWS * BLOCK, np.float64), gradient_rows()
    for start in range(first * BLOCK, last * BLOCK, BLOCK):
        _gather(a, index_a, start, one)
        _gather(b, index_b, start, other)
        if kind <= IOU_3D:
            fill_exactly(block, one, other, 0, kind)
            copy_row(block, OUT, value, start)
        else:
            overlap_block(block, g, one, other, 0, kind)
            copy_row(g, VALUE, value, start)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_gradient(a, b, index_a, index_b, first, last, kind, value, grad_a, grad_b):
    """Values and gradients of whole blocks."""
    one, other = np.zeros(COLUMNS * BLOCK + 1, a.dtype), np.zeros(COLUMNS * BLOCK + 1, a.dtype)
    block, g = np.zeros(ROWS * BLOCK, np.float64), gradient_rows()
    for start in range(first * BLOCK, last * BLOCK, BLOCK):
        _gather(a, index_a, start, one)
        _gather(b, index_b, start, other)
        overlap_block(block, g, one, other, 0, kind)
        copy_row(g, VALUE, value, start)
        store_gradient_block(g, start, grad_a, grad_b, False)


def matched_overlap(a: np.ndarray, b: np.ndarray, index_a: np.ndarray, index_b: np.ndarray, kind: int) -> np.ndarray:
    """Overlap of box ``index_a[k]`` of ``a`` with box ``index_b[k]`` of ``b``.

    Args:
        a: (N, >= 7) float32 or float64; columns from the eighth on are not read.
        b: (M, >= 7), of the same dtype; the targets.
        index_a, index_b: (K,) int64. One that is outside (negative ones too) names what is no box.
        kind: of bev3d_ops._overlap_kinds.

    Returns:
        (K,) in the dtype of ``a``, of float64 inside; what is no box as in ``aligned_overlap``.
    """
    count = len(index_a)
    blocks = -(-count // BLOCK)
    value = np.empty(blocks * BLOCK, a.dtype)
    run_in_ranges(lambda i, j: _fill(a, b, index_a, index_b, i, j, kind, value), blocks, LEAST_BLOCKS)
    return value[:count]


def matched_overlap_with_gradient(
    a: np.ndarray, b: np.ndarray, index_a: np.ndarray, index_b: np.ndarray, kind: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`matched_overlap`; also the derivatives by the seven columns of both boxes of a pair, (K, 7) each."""
    count = len(index_a)
    blocks = -(-count // BLOCK)
    value = np.empty(blocks * BLOCK, a.dtype)
    grad_a, grad_b = np.empty((blocks * BLOCK, COLUMNS), a.dtype), np.empty((blocks * BLOCK, COLUMNS), a.dtype)
    out = (value, grad_a.reshape(-1), grad_b.reshape(-1))
    run_in_ranges(lambda i, j: _fill_gradient(a, b, index_a, index_b, i, j, kind, *out), blocks, LEAST_BLOCKS)
    return value[:count], grad_a[:count], grad_b[:count]
