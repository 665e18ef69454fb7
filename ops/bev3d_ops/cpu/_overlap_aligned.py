"""Overlap of aligned pairs on the CPU: box i of one array with box i of the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from bev3d_ops._overlap_kinds import IOU_3D
from bev3d_ops.cpu._memory import empty, empty_rows
from bev3d_ops.cpu._overlap_block import BLOCK, OUT, ROWS, fill_block
from bev3d_ops.cpu._overlap_fused import gradient_rows, overlap_block, store_gradient_block
from bev3d_ops.cpu._overlap_gradient import FACTOR, VALUE
from bev3d_ops.cpu._overlap_pack import LARGEST_SINGLE_M, SMALLEST_SINGLE_M, pack, pack_slowly, turn, turn_single
from bev3d_ops.cpu._overlap_transpose import COLUMNS
from bev3d_ops.cpu._prepare import LARGEST_M, SMALLEST_M
from bev3d_ops.cpu._streams import end_streams, may_go_around
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = [
    "aligned_overlap",
    "aligned_overlap_backward",
    "aligned_overlap_with_gradient",
    "copy_row",
    "fill_exactly",
    "scale_rows",
]

LEAST_BLOCKS = 800  # that are worth a thread
LEAST_ROWS = 50_000


@njit(cache=True, nogil=True, error_model="numpy")
def fill_exactly(block, a, b, first, kind):
    """BLOCK pairs in float64, whatever they hold."""
    if pack(block, a, b, first, LARGEST_M, SMALLEST_M) != 0:
        pack_slowly(block, a, b, first)
    turn(block)
    fill_block(block, kind)


@njit(cache=True, nogil=True, error_model="numpy")
def copy_row(block, row, out, first):
    for k in range(BLOCK):
        out[first + k] = block[row * BLOCK + k]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(a, b, first, last, kind, out):
    """Whole blocks, in float64."""
    block = np.zeros(ROWS * BLOCK, np.float64)
    for start in range(first, last, BLOCK):
        fill_exactly(block, a, b, start, kind)
        copy_row(block, OUT, out, start)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_single(a, b, first, last, kind, out):
    """Whole blocks, in float32 where that can hold them."""
    block, exact = np.zeros(ROWS * BLOCK, np.float32), np.zeros(ROWS * BLOCK, np.float64)
    for start in range(first, last, BLOCK):
        if pack(block, a, b, start, LARGEST_SINGLE_M, SMALLEST_SINGLE_M) == 0 and turn_single(block) == 0:
            fill_block(block, kind)
            copy_row(block, OUT, out, start)
        else:
            fill_exactly(exact, a, b, start, kind)
            copy_row(exact, OUT, out, start)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_form(a, b, first, last, kind, out):
    """Whole blocks of any form, without the gradient that is found beside it."""
    block, g = np.zeros(ROWS * BLOCK, np.float64), gradient_rows()
    for start in range(first, last, BLOCK):
        overlap_block(block, g, a, b, start, kind)
        copy_row(g, VALUE, out, start)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_gradient(a, b, first, last, kind, around, value, grad_a, grad_b):
    """Whole blocks with their gradients."""
    block, g = np.zeros(ROWS * BLOCK, np.float64), gradient_rows()
    for start in range(first, last, BLOCK):
        overlap_block(block, g, a, b, start, kind)
        copy_row(g, VALUE, value, start)
        store_gradient_block(g, start, grad_a, grad_b, around)
    end_streams()


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_backward(a, b, factors, first, last, kind, around, grad_a, grad_b):
    """Gradients times factors of whole blocks; a side whose array is empty is not wanted."""
    block, g = np.zeros(ROWS * BLOCK, np.float64), gradient_rows()
    for start in range(first, last, BLOCK):
        overlap_block(block, g, a, b, start, kind)
        for k in range(BLOCK):
            g[FACTOR * BLOCK + k] = factors[start + k]
        store_gradient_block(g, start, grad_a, grad_b, around)
    end_streams()


def aligned_overlap(a: np.ndarray, b: np.ndarray, kind: int) -> np.ndarray:
    """Overlap of box i of ``a`` with box i of ``b``.

    Args:
        a: (N, >= 7) float32 or float64; columns from the eighth on are not read.
        b: (N, >= 7), of the same dtype; the target.
        kind: of bev3d_ops._overlap_kinds.

    Returns:
        (N,) in the dtype of ``a``. Intersection and IoU of float32 are computed in float32 (IoU errs by less than
        2e-5), all else in float64. A box with a NaN or an infinity, or beyond 1e40, gives 0 for intersection and IoU,
        -1 for every other form; a size that is not positive counts as 0.
    """
    value = empty(len(a), a.dtype)
    plain = _fill_single if a.dtype == np.float32 else _fill
    fill = plain if kind <= IOU_3D else _fill_form
    _run(len(a), _flat(a, b), lambda x, i, j, out: fill(x[0], x[1], i, j, kind, out[0]), [value])
    return value


def aligned_overlap_with_gradient(a: np.ndarray, b: np.ndarray, kind: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`aligned_overlap`, in float64 inside; also the derivatives by the seven columns of both, (N, 7) each."""
    value, (grad_a, grad_b) = empty(len(a), a.dtype), empty_rows(2, (len(a), COLUMNS), a.dtype)
    outputs = [value, grad_a.reshape(-1), grad_b.reshape(-1)]

    def fill(x: list[np.ndarray], first: int, last: int, out: list[np.ndarray]) -> None:
        _fill_gradient(x[0], x[1], first, last, kind, may_go_around(*out[1:]), *out)

    _run(len(a), _flat(a, b), fill, outputs)
    return value, grad_a, grad_b


def aligned_overlap_backward(
    factors: np.ndarray, a: np.ndarray, b: np.ndarray, kind: int, wanted: tuple[bool, bool]
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of :func:`aligned_overlap` by the seven columns of both, (N, 7), row i times ``factors[i]``.

    ``factors`` (N,) may have any stride. Found anew rather than kept from the forward pass: to write and to read them
    again takes longer. What is not wanted is (0, 7).
    """
    grads = [np.empty((0, COLUMNS), a.dtype)] * 2
    for which, rows in zip(np.flatnonzero(wanted), empty_rows(sum(wanted), (len(a), COLUMNS), a.dtype), strict=True):
        grads[which] = rows

    inputs = [*_flat(a, b), factors.astype(a.dtype, copy=False)]

    def fill(x: list[np.ndarray], first: int, last: int, out: list[np.ndarray]) -> None:
        _fill_backward(x[0], x[1], x[2], first, last, kind, may_go_around(*out), *out)

    _run(len(a), inputs, fill, [g.reshape(-1) for g in grads])
    return grads[0], grads[1]


@njit(cache=True, nogil=True, error_model="numpy")
def _scale(factors, rows, first, last, out):
    for i in range(first, last):
        for column in range(COLUMNS):
            out[i, column] = factors[i] * rows[i, column]


def scale_rows(factors: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Row i of each of ``rows`` (N, 7) times ``factors[i]``, all of one dtype."""
    scaled = empty_rows(len(rows), (len(factors), COLUMNS), factors.dtype)

    def run(first: int, last: int) -> None:
        for array, out in zip(rows, scaled, strict=True):
            _scale(factors, array, first, last, out)

    run_in_ranges(run, len(factors), LEAST_ROWS)
    return scaled


def _flat(*boxes: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(values[:, :COLUMNS]).reshape(-1) for values in boxes]


def _run(count: int, inputs: list[np.ndarray], fill: Callable[..., None], out: list[np.ndarray]) -> None:
    """Call ``fill(inputs, first, last, out)`` over whole blocks of ``count`` pairs, and over a copy of the last one.

    ``inputs``, ``out``: flat arrays of one or seven numbers for each pair, or of none.
    """
    # a block reads one number more than its boxes hold: the last one is copied
    whole = max(count - 1, 0) // BLOCK
    run_in_ranges(lambda i, j: fill(inputs, i * BLOCK, j * BLOCK, out), whole, LEAST_BLOCKS)
    done = whole * BLOCK
    if done == count:
        return
    tails = []
    for values in inputs:
        each = len(values) // count
        tails.append(np.zeros(each * BLOCK + 1, values.dtype))
        tails[-1][: each * (count - done)] = values[each * done :]
    parts = [np.empty(BLOCK * (len(array) // count), array.dtype) for array in out]
    fill(tails, 0, BLOCK, parts)
    for array, part in zip(out, parts, strict=True):
        each = len(array) // count
        array[each * done :] = part[: each * (count - done)]
