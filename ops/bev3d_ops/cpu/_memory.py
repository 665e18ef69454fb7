"""Memory of large results: in huge pages, and kept for the next result when it is no longer used.

The first touch of new memory costs more than many a kernel, and threads queue for it. malloc gives back to the system
much of what is freed, and returns of that size are asked for at every step of a training. What is kept here is at most
MOST_IDLE_BYTES, and the system may take it back whenever it runs short.
"""

from __future__ import annotations

import math
import mmap
import os
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["empty", "empty_rows", "zeros"]

_HUGE_BYTES = 1 << 21
KEPT_BYTES = _HUGE_BYTES  # arrays from here on stand on blocks that are kept
# glibc's malloc may give back what it freed before up to this size; above it, it is always new memory of the system's
LEAST_BYTES = 1 << 25
MOST_IDLE_BYTES = 1 << 28

Array = np.ndarray[Any, Any]


class _Block:
    """Pages of the system's, in huge ones."""

    def __init__(self, size: int) -> None:
        self.size = size
        # a page more, so that the block can start at one; what is never touched is never there
        self._pages = mmap.mmap(-1, size + _HUGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._pages.madvise(mmap.MADV_HUGEPAGE)
        start = np.frombuffer(self._pages, np.uint8).ctypes.data
        self._before = -start % _HUGE_BYTES
        self.address = start + self._before

    def offer(self) -> None:
        """Let the system take the pages where it needs them, without losing them where it does not."""
        self._pages.madvise(mmap.MADV_FREE, self._before, self.size)


class _Idle:
    """Blocks that nobody uses, by size; sizes that were not asked for lately stand first."""

    def __init__(self) -> None:
        self.forget()
        if hasattr(os, "register_at_fork"):  # another thread of the parent may have had the lock
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        self._blocks: dict[int, list[_Block]] = {}
        self.bytes = 0
        self._lock = threading.RLock()  # a collection of garbage may give back while this thread takes

    def take(self, size: int) -> _Block:
        size = _rounded(size)
        with self._lock:
            blocks = self._blocks.get(size)
            if blocks:
                self.bytes -= size
                return blocks.pop()
        return _Block(size)

    def give_back(self, block: _Block) -> None:
        block.offer()
        with self._lock:
            self._blocks[block.size] = [*self._blocks.pop(block.size, ()), block]
            self.bytes += block.size
            while self.bytes > MOST_IDLE_BYTES:
                size = next(iter(self._blocks))
                if self._blocks[size]:
                    self._blocks[size].pop(0)
                    self.bytes -= size
                else:
                    del self._blocks[size]


_IDLE = _Idle()


def _rounded(size: int) -> int:
    """Whole pages, with two digits in binary and a bit: results of about one size share blocks."""
    pages = -(-size // _HUGE_BYTES)
    step = 1 << max(0, pages.bit_length() - 3)
    return -(-pages // step) * step * _HUGE_BYTES


class _Lease:
    """What an array stands on: gives the block back when the last view of it is gone."""

    def __init__(self, block: _Block, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._block, self._idle = block, _IDLE
        self.__array_interface__ = {
            "version": 3, "shape": shape, "typestr": dtype.str, "data": (block.address, False),
        }  # fmt: skip

    def __del__(self) -> None:
        self._idle.give_back(self._block)


def empty(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """numpy.empty; a large array stands on a block that an earlier one may have used."""
    dtype, sizes = np.dtype(dtype), shape if isinstance(shape, tuple) else (shape,)
    size = math.prod(sizes) * dtype.itemsize
    if size < KEPT_BYTES or not _has_huge_pages():
        return np.empty(sizes, dtype)
    try:
        return np.asarray(_Lease(_IDLE.take(size), sizes, dtype))
    except OSError:  # a kernel without them
        return np.empty(sizes, dtype)


def empty_rows(count: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> list[Array]:
    """``count`` arrays; small ones share the memory of one."""
    dtype = np.dtype(dtype)
    if math.prod(shape) * dtype.itemsize < KEPT_BYTES:
        return list(empty((count, *shape), dtype))
    return [empty(shape, dtype) for _ in range(count)]


def zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """numpy.zeros; a large array is new memory in huge pages, zeroed where it is first touched."""
    dtype, sizes = np.dtype(dtype), shape if isinstance(shape, tuple) else (shape,)
    size = math.prod(sizes) * dtype.itemsize
    if size < LEAST_BYTES or not _has_huge_pages():
        return np.zeros(sizes, dtype)
    try:
        return np.asarray(_Lease(_Block(_rounded(size)), sizes, dtype))
    except OSError:
        return np.zeros(sizes, dtype)


def _has_huge_pages() -> bool:
    return hasattr(mmap, "MADV_HUGEPAGE") and hasattr(mmap, "MADV_FREE")
