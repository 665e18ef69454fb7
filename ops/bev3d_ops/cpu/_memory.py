"""Large results in huge pages: first touches of small ones cost more than many a kernel, and threads queue for them."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["empty_rows", "zeros"]

_SMALL_BYTES = 1 << 22  # numpy.empty asks for huge pages from here on, numpy.zeros never does
# glibc's malloc gives back what it freed before up to this size; above it, always new memory of the system's
LEAST_BYTES = 1 << 25
_HUGE_BYTES = 1 << 21


def empty_rows(count: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> list[np.ndarray[Any, Any]]:
    """``count`` arrays; those too small for huge pages share the memory of one, which often is not."""
    dtype = np.dtype(dtype)
    if math.prod(shape) * dtype.itemsize < _SMALL_BYTES:
        return list(np.empty((count, *shape), dtype))
    return [np.empty(shape, dtype) for _ in range(count)]


def zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray[Any, Any]:
    """numpy.zeros; a large array is memory of its own in huge pages, zeroed where it is first touched."""
    dtype = np.dtype(dtype)
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    if count * dtype.itemsize < LEAST_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(shape, dtype)
    size = -(-count * dtype.itemsize // _HUGE_BYTES) * _HUGE_BYTES
    # a page more, so that the array can start at one; what is never touched is never there
    memory = mmap.mmap(-1, size + _HUGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:  # a kernel without them
        return np.zeros(shape, dtype)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % _HUGE_BYTES
    return np.frombuffer(memory, dtype, count, start).reshape(shape)
