"""Sums and maxima of rows by segment on the CPU.

A thread owns a range of segments and takes their rows in the order in which they come, so that the result does not
depend on the number of threads. No sort: to list the rows of a range costs a comparison for each.

To skip rows breaks the stream from memory. With two or three threads sums, whose order is a promise, are therefore left
to one, which asks for what it will read and write; maxima of many rows are found in two halves, each read in one go,
and joined.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit

from bev3d_ops.cpu._memory import empty
from bev3d_ops.cpu._prefetch import prefetch_to_read, prefetch_to_write
from bev3d_ops.cpu._segments import least_items, rows_ahead
from bev3d_ops.cpu._streams import LINE_BYTES
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["scatter_max", "scatter_sum"]

_VALUES_OF_HALVES, _ROWS_OF_SEGMENT = 1_000_000, 4
_THREADS_FOR_SUMS = 4  # fewer gain nothing


@njit(cache=True, nogil=True, error_model="numpy")
def _rows_of(index, first, last):
    """Numbers of the rows of the segments ``first`` to ``last``, and how many; no branch, half of which would miss."""
    rows, count = np.empty(len(index) + 1, np.int64), 0
    for i in range(len(index)):
        rows[count] = i
        count += 1 if (index[i] >= first) & (index[i] < last) else 0
    return rows, count


@njit(inline="always")
def _add(row, total):
    for channel in range(len(total)):
        total[channel] += row[channel]


@njit(cache=True, nogil=True, error_model="numpy")
def _sum(features, index, sums, numbers):
    sums[:] = 0
    numbers[:] = 0
    rows, totals, channels = features.reshape(-1), sums.reshape(-1), features.shape[1]
    (ahead, soon, lines), step = rows_ahead(features, sums), LINE_BYTES // features.itemsize
    for i in range(len(index)):
        later = index[min(i + soon, len(index) - 1)] if lines > 0 else 0
        for line in range(lines):
            prefetch_to_read(rows, (i + ahead) * channels + line * step)
            prefetch_to_write(totals, later * channels + line * step)
        if index[i] >= 0:
            numbers[index[i]] += 1
            _add(features[i], sums[index[i]])


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_own(features, index, first, last, sums, numbers):
    """Of the segments ``first`` to ``last``."""
    sums[first:last] = 0
    numbers[first:last] = 0
    own, count = _rows_of(index, first, last)
    rows, totals, channels = features.reshape(-1), sums.reshape(-1), features.shape[1]
    (ahead, soon, lines), step = rows_ahead(features, sums), LINE_BYTES // features.itemsize
    for k in range(count):
        far, later = own[min(k + ahead, count - 1)], index[own[min(k + soon, count - 1)]]
        for line in range(lines):
            prefetch_to_read(rows, far * channels + line * step)
            prefetch_to_write(totals, later * channels + line * step)
        numbers[index[own[k]]] += 1
        _add(features[own[k]], sums[index[own[k]]])


@njit(inline="always")
def _raise(row, i, best, arg):
    """The first row of a segment is taken as it is: ``arg`` is then below 0."""
    here = np.int32(i)
    if arg[0] < 0:
        for channel in range(len(best)):
            best[channel] = row[channel]
            arg[channel] = here
        return
    for channel in range(len(best)):
        old, new = best[channel], row[channel]
        # a NaN counts as the greatest, the first one stays
        better = (not new <= old) & (old == old)
        before = arg[channel]
        best[channel] = new if better else old
        arg[channel] = here if better else before


@njit(cache=True, nogil=True, error_model="numpy")
def _max(features, index, begin, end, maxima, source):
    """Of the rows ``begin`` to ``end``."""
    maxima[:] = 0
    source[:] = -1
    channels = features.shape[1]
    if channels == 0:
        return
    rows, bests, args = features.reshape(-1), maxima.reshape(-1), source.reshape(-1)
    (ahead, soon, lines), step = rows_ahead(features, maxima), LINE_BYTES // features.itemsize
    for i in range(begin, end):
        later = index[min(i + soon, end - 1)] if lines > 0 else 0
        for line in range(lines):
            prefetch_to_read(rows, (i + ahead) * channels + line * step)
            prefetch_to_write(bests, later * channels + line * step)
            prefetch_to_write(args, later * channels + line * step)
        if index[i] >= 0:
            _raise(features[i], i, maxima[index[i]], source[index[i]])


@njit(cache=True, nogil=True, error_model="numpy")
def _max_own(features, index, first, last, maxima, source):
    """Of the segments ``first`` to ``last``."""
    maxima[first:last] = 0
    source[first:last] = -1
    if features.shape[1] == 0:
        return
    own, count = _rows_of(index, first, last)
    for k in range(count):
        segment = index[own[k]]
        _raise(features[own[k]], own[k], maxima[segment], source[segment])


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


def scatter_sum(features: np.ndarray, index: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums (count, C) of features (P, C) by index (P,), in their dtype and order, and the rows in each (count,) int64.

    Raises:
        ValueError: an index that is not below ``count``; a negative one leaves its row out.
    """
    _check(index, count)
    sums, numbers = empty((count, features.shape[1]), features.dtype), np.empty(count, np.int64)
    least = least_items(count, features)
    if torch.get_num_threads() < _THREADS_FOR_SUMS or count < 2 * least:
        _sum(features, index, sums, numbers)
        return sums, numbers

    def own(first: int, last: int) -> None:
        _sum_own(features, index, first, last, sums, numbers)

    run_in_ranges(own, count, least)
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
    least = least_items(count, features)
    if torch.get_num_threads() == 1 or count < 2 * least:
        _max(features, index, 0, rows, maxima, source)
    elif features.size >= _VALUES_OF_HALVES and rows >= _ROWS_OF_SEGMENT * count:
        _max_in_halves(features, index, maxima, source)
    else:

        def own(first: int, last: int) -> None:
            _max_own(features, index, first, last, maxima, source)

        run_in_ranges(own, count, least)
    return maxima, source


def _max_in_halves(features: np.ndarray, index: np.ndarray, maxima: np.ndarray, source: np.ndarray) -> None:
    rows, count = len(features), len(maxima)
    more, more_source = empty(maxima.shape, maxima.dtype), empty(maxima.shape, np.int32)
    halves = (0, rows // 2, maxima, source), (rows // 2, rows, more, more_source)

    def half(first: int, last: int) -> None:
        for part in halves[first:last]:
            _max(features, index, *part)

    def join(first: int, last: int) -> None:
        _join_half(maxima, source, more, more_source, first, last)

    run_in_ranges(half, 2, 1)
    run_in_ranges(join, count, least_items(count, maxima))


def _check(index: np.ndarray, count: int) -> None:
    if count < 0:
        raise ValueError(f"count: expected a number of segments >= 0, got {count}")
    if len(index) and index.max() >= count:
        raise ValueError(f"index: expected values below count ({count}), got {index.max()}")
