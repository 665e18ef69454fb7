"""Memory of large results: in huge pages, and kept for the next result when it is no longer used.

The first touch of new memory costs more than many a kernel, and threads queue for it. malloc gives back to the system
much of what is freed, and results of that size are asked for at every step of a training. What is kept here is at most
MOST_IDLE_BYTES, and the system may take it back whenever it runs short.
"""

from __future__ import annotations

import itertools
import math
import mmap
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["empty", "empty_rows", "is_kept", "zeros"]

_HUGE_BYTES = 1 << 21
_KEPT_BYTES = _HUGE_BYTES  # arrays from here on stand on blocks that are kept
# Zeros of malloc's up to here, which are memory that was freed before; above, it is new memory of the system's anyway.
LEAST_BYTES = 1 << 25
MOST_IDLE_BYTES = 1 << 28

Array = np.ndarray[Any, Any]


def _rounded(size: int) -> int:
    """Whole pages, their number rounded up to three binary digits: results of about one size share blocks."""
    pages = -(-size // _HUGE_BYTES)
    step = 1 << max(0, pages.bit_length() - 3)
    return -(-pages // step) * step * _HUGE_BYTES


class _Block:
    """Pages of the system's, in huge ones."""

    _free: Any = getattr(mmap, "MADV_FREE", None)  # a module's names are gone before its objects when Python ends

    def __init__(self, size: int) -> None:
        self.size = _rounded(size)
        # a page more, so that the block can start at one; what is never touched is never there
        self._pages = mmap.mmap(-1, self.size + _HUGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._pages.madvise(mmap.MADV_HUGEPAGE)
        start = np.frombuffer(self._pages, np.uint8).ctypes.data
        self._before = -start % _HUGE_BYTES
        self.address = start + self._before

    def offer(self) -> bool:
        """Let the system take the pages where it needs them, without losing them where it does not."""
        try:
            self._pages.madvise(self._free, self._before, self.size)
        except OSError:  # locked pages
            return False
        return True


class _Idle:
    """Blocks that nobody uses, by size.

    Every step is one step under the interpreter lock, on a table that has all sizes from the start: an array may be
    given back in the middle of any of them, by another thread, by a collection of garbage or by a signal's handler.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        sizes = {_rounded(size) for size in range(_HUGE_BYTES, most + 1, _HUGE_BYTES)}
        self._blocks: dict[int, deque[_Block]] = {size: deque() for size in sizes if size <= most}
        self._clock, self._used = itertools.count(), dict.fromkeys(self._blocks, -1)

    @property
    def bytes(self) -> int:
        """Of all."""
        return sum(size * len(blocks) for size, blocks in self._blocks.items())

    def take(self, size: int) -> _Block:
        size = _rounded(size)
        if size not in self._blocks:
            return _Block(size)
        self._used[size] = next(self._clock)  # whether there is one or not: what is asked for is what to keep
        try:
            return self._blocks[size].pop()
        except IndexError:
            return _Block(size)

    def give_back(self, block: _Block) -> None:
        """Keep it, and let go of those of the sizes that were not asked for lately where that is too much."""
        if block.size not in self._blocks or not block.offer():
            return
        self._blocks[block.size].append(block)
        while self.bytes > self._most:
            held = [size for size, blocks in self._blocks.items() if blocks]
            try:
                self._blocks[min(held, key=self._used.__getitem__)].popleft()
            except (ValueError, IndexError):  # taken meanwhile
                continue


_IDLE = _Idle(MOST_IDLE_BYTES)


class _Owner:
    """What an array stands on."""

    def __init__(self, block: _Block, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._block = block
        self.__array_interface__ = {
            "version": 3, "shape": shape, "typestr": dtype.str, "data": (block.address, False),
        }  # fmt: skip


class _Lease(_Owner):
    """Gives the block back when the last view of it is gone."""

    def __init__(self, block: _Block, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        super().__init__(block, shape, dtype)
        self._idle = _IDLE

    def __del__(self) -> None:
        self._idle.give_back(self._block)


def is_kept(size: int) -> bool:
    """Whether memory of so many bytes is kept for the next result."""
    return _KEPT_BYTES <= size <= MOST_IDLE_BYTES and _has_huge_pages()


def empty(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """numpy.empty; a large array stands on a block that an earlier one may have used."""
    dtype, sizes = np.dtype(dtype), shape if isinstance(shape, tuple) else (shape,)
    size = math.prod(sizes) * dtype.itemsize
    if size < _KEPT_BYTES or not _has_huge_pages():
        return np.empty(sizes, dtype)
    try:
        return np.asarray(_Lease(_IDLE.take(size), sizes, dtype))
    except OSError:  # a kernel without them
        return np.empty(sizes, dtype)


def empty_rows(count: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> list[Array]:
    """``count`` arrays; small ones share the memory of one."""
    dtype = np.dtype(dtype)
    if math.prod(shape) * dtype.itemsize < _KEPT_BYTES:
        return list(empty((count, *shape), dtype))
    return [empty(shape, dtype) for _ in range(count)]


def zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """numpy.zeros; a large array is new memory in huge pages, zeroed where it is first touched, and never kept."""
    dtype, sizes = np.dtype(dtype), shape if isinstance(shape, tuple) else (shape,)
    size = math.prod(sizes) * dtype.itemsize
    if size < LEAST_BYTES or not _has_huge_pages():
        return np.zeros(sizes, dtype)
    try:
        return np.asarray(_Owner(_Block(size), sizes, dtype))
    except OSError:
        return np.zeros(sizes, dtype)


def _has_huge_pages() -> bool:
    return hasattr(mmap, "MADV_HUGEPAGE") and hasattr(mmap, "MADV_FREE")
