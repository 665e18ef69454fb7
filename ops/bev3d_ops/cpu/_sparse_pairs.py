"""Pairs of rows as the convolution's kernels want them: within bounds, ascending, cut into equal work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["Pairs", "ranges_of_work"]


@njit(cache=True, nogil=True, error_model="numpy")
def _are_within(rows, count):
    """Whether all are in [0, count). Without an early end, so that the loop becomes vector instructions."""
    outside = 0
    for p in range(len(rows)):
        outside |= (rows[p] < 0) | (rows[p] >= count)
    return outside == 0


@njit(cache=True, nogil=True, error_model="numpy")
def _falls(rows):
    """Whether some row is not above the one before it."""
    before, after = rows[:-1], rows[1:]
    falls = 0
    for p in range(len(after)):
        falls |= before[p] >= after[p]
    return falls != 0


@njit(cache=True, nogil=True, error_model="numpy")
def _ascends(source, target, offsets, source_count, target_count):
    """-1 where an index or an offset is out of range; else 1 where target ascends strictly within each offset."""
    volume = len(offsets) - 1
    if volume < 0 or offsets[0] != 0 or offsets[volume] != len(source) or len(source) != len(target):
        return -1
    for k in range(volume):
        if offsets[k] > offsets[k + 1]:
            return -1
    if not (_are_within(source, source_count) and _are_within(target, target_count)):
        return -1
    for k in range(volume):
        if offsets[k + 1] > offsets[k] and _falls(target[offsets[k] : offsets[k + 1]]):
            return 0
    return 1


@njit(cache=True, nogil=True, error_model="numpy")
def _block_starts(target, offsets, rows, starts):
    """starts[k, b]: first pair of offset k whose target is in row b * rows or after; a block has at most ``rows``."""
    for k in range(starts.shape[0]):
        low = offsets[k]
        for block in range(starts.shape[1]):
            high = min(low + rows, offsets[k + 1]) if block else low
            while low < high:
                middle = (low + high) // 2
                if target[middle] < block * rows:
                    low = middle + 1
                else:
                    high = middle
            starts[k, block] = low


@dataclass(frozen=True)
class Pairs:
    """Checked pairs, ``target`` strictly ascending within each offset."""

    source: np.ndarray
    target: np.ndarray
    offsets: np.ndarray
    target_count: int

    @staticmethod
    def check(source: np.ndarray, target: np.ndarray, offsets: np.ndarray, source_count: int, target_count: int) -> int:
        """Raise where a pair points outside; 1 where the targets ascend strictly within each offset, else 0."""
        ascends: int = _ascends(source, target, offsets, source_count, target_count)
        if ascends < 0:
            raise ValueError(
                f"pairs: expected offsets ascending from 0 to {len(source)} and rows in [0, {source_count}) and "
                f"[0, {target_count}), got others"
            )
        return ascends

    @classmethod
    def ordered(
        cls, source: np.ndarray, target: np.ndarray, offsets: np.ndarray, source_count: int, target_count: int
    ) -> Pairs:
        """Checked, and sorted where they do not ascend (sites in no order)."""
        if cls.check(source, target, offsets, source_count, target_count):
            return cls(source, target, offsets, target_count)
        offset_of = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        order = np.lexsort((target, offset_of))
        source, target = source[order], target[order]
        if not _ascends(source, target, offsets, source_count, target_count):
            raise ValueError("pairs: expected each row at most once for an offset, got one twice")
        return cls(source, target, offsets, target_count)

    def blocks(self, rows: int) -> np.ndarray:
        """(K, blocks + 1) int64: where the pairs of each offset and block of ``rows`` targets begin."""
        starts = np.empty((len(self.offsets) - 1, -(-self.target_count // rows) + 1), np.int64)
        _block_starts(self.target, self.offsets, rows, starts)
        return starts


def ranges_of_work(kernel: Callable[[int, int], object], work: np.ndarray, least: int) -> None:
    """Call ``kernel(first, last)`` over all items, the ranges cut so that threads get about equal ``work``.

    Args:
        kernel: see :func:`run_in_ranges`.
        work: (items,) what each item costs, integers >= 0.
        least: work that is worth a thread.
    """
    upto = np.cumsum(work)
    if not len(work) or upto[-1] == 0:
        return

    def of_items(start: int, stop: int) -> None:
        # an item belongs to the range that holds its last unit of work
        kernel(int(np.searchsorted(upto, start, "right")), int(np.searchsorted(upto, stop, "right")))

    run_in_ranges(of_items, int(upto[-1]), least)
