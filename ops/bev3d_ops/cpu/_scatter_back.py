"""Rows of segments: divided by numbers, and back to where their parts came from, on the CPU."""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._memory import empty
from bev3d_ops.cpu._prefetch import prefetch_to_read
from bev3d_ops.cpu._segments import least_items, rows_ahead
from bev3d_ops.cpu._streams import LINE_BYTES, copy_around, end_streams, may_go_around
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["divide_rows", "gather_rows", "spread_max"]


@njit(cache=True, nogil=True, error_model="numpy")
def _gather_around(values, index, first, last, out):
    flat, channels = out.reshape(-1), out.shape[1]
    lines, none = channels * out.itemsize // LINE_BYTES, np.zeros(channels, out.dtype)
    given, step, (_, soon, _) = values.reshape(-1), LINE_BYTES // out.itemsize, rows_ahead(out, values)
    for i in range(first, last):
        later = index[min(i + soon, last - 1)]
        for line in range(lines):
            prefetch_to_read(given, later * channels + line * step)
        is_there = index[i] >= 0 and index[i] < values.shape[0]
        copy_around(values[index[i]] if is_there else none, flat, i * channels, lines)
    end_streams()


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(values, index, first, last, out, around):
    if around:
        _gather_around(values, index, first, last, out)
        return
    for i in range(first, last):
        segment, row = index[i], out[i]
        if segment >= 0 and segment < values.shape[0]:
            value = values[segment]
            for channel in range(len(row)):
                row[channel] = value[channel]
        else:
            for channel in range(len(row)):
                row[channel] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(grad, source, index, first, last, out):
    # rows without a segment on their own: beside the others they keep the loop below from becoming vector instructions
    for i in range(first, last):
        if index[i] < 0 or index[i] >= grad.shape[0]:
            out[i] = 0
    values, sources, channels, zero = grad.reshape(-1), source.reshape(-1), grad.shape[1], grad.dtype.type(0)
    (_, soon, lines), step = rows_ahead(out, grad), LINE_BYTES // grad.itemsize
    for i in range(first, last):
        later = index[min(i + soon, last - 1)]
        for line in range(lines):
            prefetch_to_read(values, later * channels + line * step)
            prefetch_to_read(sources, later * channels + line * step)
        segment, here = index[i], np.int32(i)
        if segment < 0 or segment >= grad.shape[0]:
            continue
        row, value, arg = out[i], grad[segment], source[segment]
        for channel in range(len(row)):
            row[channel] = value[channel] if arg[channel] == here else zero


@njit(cache=True, nogil=True, error_model="numpy")
def _divide(values, numbers, first, last, out):
    for v in range(first, last):
        row, quotient, number = values[v], out[v], values.dtype.type(max(numbers[v], 1))
        for channel in range(len(row)):
            quotient[channel] = row[channel] / number


def divide_rows(values: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Row v of values (V, C) over ``numbers[v]`` (V,) int64, of which less than 1 counts as 1."""
    out = empty(values.shape, values.dtype)
    # rows that were just summed are in this core's cache: few are not worth another core's
    least = 10 * least_items(len(out), out)
    run_in_ranges(lambda i, j: _divide(values, numbers, i, j, out), len(out), least)
    return out


def gather_rows(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(P, C): rows of values (V, C) at index (P,), 0 where there is no such row."""
    out = empty((len(index), values.shape[1]), values.dtype)
    around = _rows_may_go_around(out)
    run_in_ranges(
        lambda first, last: _gather(values, index, first, last, out, around), len(out), least_items(len(out), out)
    )
    return out


def spread_max(grad: np.ndarray, source: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(P, C): grad (V, C) at index (P,) where :func:`scatter_max` named the row for this value, 0 elsewhere.

    Row by row, which is written in one go: to go from each value to the row it came from takes twice as long.
    """
    out = empty((len(index), grad.shape[1]), grad.dtype)
    rows = len(out)
    run_in_ranges(lambda first, last: _spread(grad, source, index, first, last, out), rows, least_items(rows, out))
    return out


def _rows_may_go_around(out: np.ndarray) -> bool:
    """Rows of whole lines, of a type that a line can hold."""
    is_whole = out.shape[1] * out.itemsize % LINE_BYTES == 0 and out.dtype in (np.float32, np.float64)
    return is_whole and may_go_around(out)
