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
def _last_block(boxes, first):
    """A copy of the boxes from ``first`` on as a whole block: a block reads one number more than its boxes hold."""
    rows = np.zeros(COLUMNS * BLOCK + 1, boxes.dtype)
    rows[: len(boxes) - COLUMNS * first] = boxes[COLUMNS * first :]
    return rows


@njit(inline="always")
def _end_of_whole(a, first, last):
    """Where the blocks end that the boxes ``first`` to ``last`` fill, but for the one that ends the array."""
    return max(first, min(last, (len(a) // COLUMNS - 1) // BLOCK * BLOCK))


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(a, b, first, last, kind, out):
    """In float64; ``first`` begins a block."""
    block, whole = np.zeros(ROWS * BLOCK, np.float64), _end_of_whole(a, first, last)
    for start in range(first, whole, BLOCK):
        fill_exactly(block, a, b, start, kind)
        copy_row(block, OUT, out, start)
    if whole < last:
        fill_exactly(block, _last_block(a, whole), _last_block(b, whole), 0, kind)
        out[whole:last] = block[OUT * BLOCK : OUT * BLOCK + last - whole]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_block_single(block, exact, a, b, first, kind, out, place):
    """In float32 where that can hold them."""
    if pack(block, a, b, first, LARGEST_SINGLE_M, SMALLEST_SINGLE_M) == 0 and turn_single(block) == 0:
        fill_block(block, kind)
        copy_row(block, OUT, out, place)
    else:
        fill_exactly(exact, a, b, first, kind)
        copy_row(exact, OUT, out, place)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_single(a, b, first, last, kind, out):
    """As _fill, in float32 where that can hold them."""
    block, exact = np.zeros(ROWS * BLOCK, np.float32), np.zeros(ROWS * BLOCK, np.float64)
    whole = _end_of_whole(a, first, last)
    for start in range(first, whole, BLOCK):
        _fill_block_single(block, exact, a, b, start, kind, out, start)
    if whole < last:
        part = np.empty(BLOCK, out.dtype)
        _fill_block_single(block, exact, _last_block(a, whole), _last_block(b, whole), 0, kind, part, 0)
        out[whole:last] = part[: last - whole]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_form(a, b, first, last, kind, out):
    """As _fill, any form, without the gradient that is found beside it."""
    block, g, whole = np.zeros(ROWS * BLOCK, np.float64), gradient_rows(), _end_of_whole(a, first, last)
    for start in range(first, whole, BLOCK):
        overlap_block(block, g, a, b, start, kind)
        copy_row(g, VALUE, out, start)
    if whole < last:
        overlap_block(block, g, _last_block(a, whole), _last_block(b, whole), 0, kind)
        out[whole:last] = g[VALUE * BLOCK : VALUE * BLOCK + last - whole]


@njit(cache=True, nogil=True, error_model="numpy")
def _store_last(g, whole, last, grad_a, grad_b):
    """The rows that are there of a block that is not whole."""
    part_a, part_b = np.empty(COLUMNS * BLOCK, grad_a.dtype), np.empty(COLUMNS * BLOCK, grad_b.dtype)
    store_gradient_block(g, 0, part_a, part_b, False)
    if len(grad_a) > 0:
        grad_a[COLUMNS * whole : COLUMNS * last] = part_a[: COLUMNS * (last - whole)]
    if len(grad_b) > 0:
        grad_b[COLUMNS * whole : COLUMNS * last] = part_b[: COLUMNS * (last - whole)]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_gradient(a, b, first, last, kind, around, value, grad_a, grad_b):
    """As _fill, with the gradients."""
    block, g, whole = np.zeros(ROWS * BLOCK, np.float64), gradient_rows(), _end_of_whole(a, first, last)
    for start in range(first, whole, BLOCK):
        overlap_block(block, g, a, b, start, kind)
        copy_row(g, VALUE, value, start)
        store_gradient_block(g, start, grad_a, grad_b, around)
    if whole < last:
        overlap_block(block, g, _last_block(a, whole), _last_block(b, whole), 0, kind)
        value[whole:last] = g[VALUE * BLOCK : VALUE * BLOCK + last - whole]
        _store_last(g, whole, last, grad_a, grad_b)
    end_streams()


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_backward(a, b, factors, first, last, kind, around, grad_a, grad_b):
    """As _fill, gradients times factors; a side whose array is empty is not wanted."""
    block, g, whole = np.zeros(ROWS * BLOCK, np.float64), gradient_rows(), _end_of_whole(a, first, last)
    for start in range(first, whole, BLOCK):
        overlap_block(block, g, a, b, start, kind)
        for k in range(BLOCK):
            g[FACTOR * BLOCK + k] = factors[start + k]
        store_gradient_block(g, start, grad_a, grad_b, around)
    if whole < last:
        overlap_block(block, g, _last_block(a, whole), _last_block(b, whole), 0, kind)
        for k in range(last - whole):
            g[FACTOR * BLOCK + k] = factors[whole + k]
        _store_last(g, whole, last, grad_a, grad_b)
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
    flat_a, flat_b = _flat(a), _flat(b)
    _run(lambda first, last: fill(flat_a, flat_b, first, last, kind, value), len(a))
    return value


def aligned_overlap_with_gradient(a: np.ndarray, b: np.ndarray, kind: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`aligned_overlap`, in float64 inside; also the derivatives by the seven columns of both, (N, 7) each."""
    value, (grad_a, grad_b) = empty(len(a), a.dtype), empty_rows(2, (len(a), COLUMNS), a.dtype)
    flat_a, flat_b, rows = _flat(a), _flat(b), (grad_a.reshape(-1), grad_b.reshape(-1))
    around = may_go_around(*rows)
    _run(lambda first, last: _fill_gradient(flat_a, flat_b, first, last, kind, around, value, *rows), len(a))
    return value, grad_a, grad_b


def aligned_overlap_backward(
    factors: np.ndarray, a: np.ndarray, b: np.ndarray, kind: int, wanted: tuple[bool, bool]
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of :func:`aligned_overlap` by the seven columns of both, (N, 7), row i times ``factors[i]``.

    ``factors`` (N,) may have any stride. Found anew rather than kept from the forward pass: to write and to read them
    again takes longer. What is not wanted is (0, 7).
    """
    rows = iter(empty_rows(sum(wanted), (len(a), COLUMNS), a.dtype))
    grads = [next(rows) if want else np.empty((0, COLUMNS), a.dtype) for want in wanted]
    factors = factors.astype(a.dtype, copy=False)
    flat_a, flat_b, out = _flat(a), _flat(b), (grads[0].reshape(-1), grads[1].reshape(-1))
    around = may_go_around(*out)
    _run(lambda first, last: _fill_backward(flat_a, flat_b, factors, first, last, kind, around, *out), len(a))
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


def _flat(boxes: np.ndarray) -> np.ndarray:
    return (boxes if boxes.shape[1] == COLUMNS else np.ascontiguousarray(boxes[:, :COLUMNS])).reshape(-1)


def _run(fill: Callable[[int, int], object], count: int) -> None:
    """Call ``fill`` over ranges of pairs that begin blocks."""
    run_in_ranges(lambda i, j: fill(i * BLOCK, min(j * BLOCK, count)), -(-count // BLOCK), LEAST_BLOCKS)
