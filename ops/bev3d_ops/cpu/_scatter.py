"""Sums and maxima of rows by segment on the CPU, and the ways back.

A thread owns a range of segments and takes their rows in the order in which they come, so that the result does not
depend on the number of threads. No sort: looking at an index that is another thread's costs a comparison.

Skipping rows breaks the stream from memory, though, which is what limits it: half of the rows take longer than all.
Maxima of many rows are therefore found in two halves, each read in one go, and joined. Sums, whose order is a promise,
stay in one thread where there are not several; what they read and write is asked for ahead.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit

from bev3d_ops.cpu._memory import empty
from bev3d_ops.cpu._prefetch import prefetch_to_read, prefetch_to_write
from bev3d_ops.cpu._streams import LINE_BYTES, copy_around, end_streams, may_go_around
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["gather_rows", "scatter_max", "scatter_sum", "spread_max"]

_AHEAD_BYTES, _SOON_BYTES = 8192, 1024  # of rows: how far ahead they, and the segments of them, are asked for
_VALUES_PER_THREAD = 200_000
_VALUES_OF_HALVES, _ROWS_OF_SEGMENT = 1_000_000, 4
_THREADS_FOR_SUMS = 4  # fewer gain nothing


@njit(cache=True, nogil=True, error_model="numpy")
def _sum(features, index, begin, end, first, last, sums, numbers):
    """Rows ``begin`` to ``end`` of the segments ``first`` to ``last``."""
    sums[first:last] = 0
    numbers[first:last] = 0
    rows, totals, channels = features.reshape(-1), sums.reshape(-1), features.shape[1]
    row_bytes, step = max(1, channels * features.itemsize), LINE_BYTES // features.itemsize
    ahead, soon, lines = 1 + _AHEAD_BYTES // row_bytes, 1 + _SOON_BYTES // row_bytes, -(-channels // step)
    for i in range(begin, end):
        far, near = min(i + ahead, end - 1), index[min(i + soon, end - 1)]
        if index[far] >= first and index[far] < last:
            for line in range(lines):
                prefetch_to_read(rows, far * channels + line * step)
        if near >= first and near < last:  # another thread's would be taken from its cache
            for line in range(lines):
                prefetch_to_write(totals, near * channels + line * step)
        segment = index[i]
        if segment < first or segment >= last:
            continue
        numbers[segment] += 1
        row, total = features[i], sums[segment]
        for channel in range(len(total)):
            total[channel] += row[channel]


@njit(cache=True, nogil=True, error_model="numpy")
def _max(features, index, begin, end, first, last, maxima, source):
    maxima[first:last] = 0
    source[first:last] = -1
    seen = np.zeros(last - first, np.bool_)
    for i in range(begin, end):
        segment = index[i]
        if segment < first or segment >= last:
            continue
        row, best, arg = features[i], maxima[segment], source[segment]
        if not seen[segment - first]:
            seen[segment - first] = True
            for channel in range(len(best)):
                best[channel] = row[channel]
                arg[channel] = i
            continue
        here = np.int32(i)
        for channel in range(len(best)):
            old, new = best[channel], row[channel]
            # a NaN counts as the greatest, the first one stays
            better = (not new <= old) & (old == old)
            before = arg[channel]
            best[channel] = new if better else old
            arg[channel] = here if better else before


@njit(cache=True, nogil=True, error_model="numpy")
def _join_half(maxima, source, more, more_source, first, last):
    """As _max goes on with later rows."""
    for segment in range(first, last):
        best, arg, new, here = maxima[segment], source[segment], more[segment], more_source[segment]
        for channel in range(len(best)):
            is_first = arg[channel] < 0
            better = is_first | ((not new[channel] <= best[channel]) & (best[channel] == best[channel]))
            if better & (here[channel] >= 0):
                best[channel], arg[channel] = new[channel], here[channel]


@njit(cache=True, nogil=True, error_model="numpy")
def _gather_around(values, index, first, last, out):
    flat, channels = out.reshape(-1), out.shape[1]
    lines, none = channels * out.itemsize // LINE_BYTES, np.zeros(channels, out.dtype)
    for i in range(first, last):
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
    step = LINE_BYTES // grad.itemsize
    soon, lines = 1 + _SOON_BYTES // max(1, channels * grad.itemsize), -(-channels // step)
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


def scatter_sum(features: np.ndarray, index: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums (count, C) of features (P, C) by index (P,), in their dtype and order, and the rows in each (count,) int64.

    Raises:
        ValueError: an index that is not below ``count``; a negative one leaves its row out.
    """
    _check(index, count)
    sums, numbers = empty((count, features.shape[1]), features.dtype), np.empty(count, np.int64)
    least = _least(count, features) if torch.get_num_threads() >= _THREADS_FOR_SUMS else count
    rows = len(features)
    run_in_ranges(lambda first, last: _sum(features, index, 0, rows, first, last, sums, numbers), count, least)
    return sums, numbers


def scatter_max(features: np.ndarray, index: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Maxima (count, C), 0 where a segment is empty, and the row each is from, int32, -1 where it is empty.

    Raises:
        ValueError: as :func:`scatter_sum`; 2^31 rows or more.
    """
    _check(index, count)
    if len(features) >= 2**31:
        raise ValueError(f"features: expected fewer than 2^31 rows, got {len(features)}")
    rows, shape = len(features), (count, features.shape[1])
    maxima, source = empty(shape, features.dtype), empty(shape, np.int32)
    if features.size < _VALUES_OF_HALVES or rows < _ROWS_OF_SEGMENT * count or torch.get_num_threads() == 1:

        def segments(first: int, last: int) -> None:
            _max(features, index, 0, rows, first, last, maxima, source)

        run_in_ranges(segments, count, _least(count, features))
        return maxima, source
    more, more_source = empty(shape, features.dtype), empty(shape, np.int32)
    halves = (0, rows // 2, maxima, source), (rows // 2, rows, more, more_source)

    def half(first: int, last: int) -> None:
        for begin, end, *out in halves[first:last]:
            _max(features, index, begin, end, 0, count, *out)

    run_in_ranges(half, 2, 1)
    run_in_ranges(
        lambda first, last: _join_half(maxima, source, more, more_source, first, last), count, _least(count, maxima)
    )
    return maxima, source


def gather_rows(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(P, C): rows of values (V, C) at index (P,), 0 where there is no such row."""
    out = empty((len(index), values.shape[1]), values.dtype)
    around = _may_go_around(out)
    run_in_ranges(lambda first, last: _gather(values, index, first, last, out, around), len(out), _least(len(out), out))
    return out


def spread_max(grad: np.ndarray, source: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(P, C): grad (V, C) at index (P,) where :func:`scatter_max` named the row for this value, 0 elsewhere.

    Row by row, which is written in one go: to go from each value to the row it came from takes twice as long.
    """
    out = empty((len(index), grad.shape[1]), grad.dtype)
    rows = len(out)
    run_in_ranges(lambda first, last: _spread(grad, source, index, first, last, out), rows, _least(rows, out))
    return out


def _check(index: np.ndarray, count: int) -> None:
    if count < 0:
        raise ValueError(f"count: expected a number of segments >= 0, got {count}")
    if len(index) and index.max() >= count:
        raise ValueError(f"index: expected values below count ({count}), got {index.max()}")


def _may_go_around(out: np.ndarray) -> bool:
    """Rows of whole lines, of a type that a line can hold."""
    is_whole = out.shape[1] * out.itemsize % LINE_BYTES == 0 and out.dtype in (np.float32, np.float64)
    return is_whole and may_go_around(out)


def _least(items: int, values: np.ndarray) -> int:
    """Items that are worth a thread, of as many as hold ``values`` together."""
    return max(1, items * _VALUES_PER_THREAD // max(1, values.size))
