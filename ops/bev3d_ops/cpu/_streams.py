"""Stores that go around the caches, for results that no cache holds.

An ordinary store first reads the line that it overwrites, so that a result costs twice its size from memory. Where that
is what limits a kernel, and all threads share it, this is a fifth to a third of its time. A result that fits the caches
is better left there, for whoever reads it next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from bev3d_ops.cpu._lanes import scalar_size

__all__ = ["LINE_BYTES", "clear", "copy_around", "end_streams", "may_go_around", "store_around"]

LINE_BYTES = 64
LARGE_BYTES = 1 << 25  # of all that is written: more than one thread's share of most caches


def may_go_around(*arrays: np.ndarray) -> bool:
    """Whether arrays that are written once, in order, are large enough for that, and start at a line."""
    is_large = sum(array.nbytes for array in arrays) >= LARGE_BYTES
    return is_large and all(array.ctypes.data % LINE_BYTES == 0 for array in arrays if array.size)


def store_around(builder: Any, vector: Any, pointer: Any) -> None:
    """For intrinsics: write ``vector`` to ``pointer``, aligned to it, around the caches."""
    store = builder.store(vector, pointer, align=scalar_size(vector.type.element) * vector.type.count)
    store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))


def _copy_around(typing_context: Any, source: Any, out: Any, place: Any, lines: Any) -> Any:
    """Copy whole lines from the start of ``source`` to ``out`` from ``place`` on, which must be the start of a line.

    Args:
        source, out: one-dimensional, contiguous, of one type of float.
        place: index of a number.
        lines: how many.
    """
    if source.dtype != out.dtype:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, _ = _lines(context, builder, source, arguments[0], ir.Constant(ir.IntType(64), 0))
        written, _ = _lines(context, builder, out, arguments[1], arguments[2])
        align = scalar_size(context.get_data_type(out.dtype))
        with cgutils.for_range(builder, arguments[3]) as loop:
            vector = builder.load(builder.gep(read, [loop.index]), align=align)
            store_around(builder, vector, builder.gep(written, [loop.index]))
        return context.get_dummy_value()

    return types.void(source, out, types.int64, types.int64), generate


def _clear_around(typing_context: Any, out: Any, place: Any, lines: Any) -> Any:
    """As copy_around, of zeros."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        written, line = _lines(context, builder, out, arguments[0], arguments[1])
        with cgutils.for_range(builder, arguments[2]) as loop:
            store_around(builder, ir.Constant(line, None), builder.gep(written, [loop.index]))
        return context.get_dummy_value()

    return types.void(out, types.int64, types.int64), generate


def _lines(context: Any, builder: Any, array_type: Any, array: Any, place: Any) -> tuple[Any, Any]:
    """Pointer to the lines of an array from ``place`` on, and the type of a line."""
    data = context.make_array(array_type)(context, builder, value=array).data
    scalar = context.get_data_type(array_type.dtype)
    line = ir.VectorType(scalar, LINE_BYTES // scalar_size(scalar))
    return builder.bitcast(builder.gep(data, [place]), line.as_pointer()), line


def _end_streams(typing_context: Any) -> Any:
    """What was written around the caches is there for whoever sees what follows."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


clear_around: Any = intrinsic(_clear_around)
copy_around: Any = intrinsic(_copy_around)
end_streams: Any = intrinsic(_end_streams)


@njit(cache=True, nogil=True, error_model="numpy")
def clear(out, begin, end, around):
    """Write 0 to ``out`` (one-dimensional, float32 or float64) from ``begin`` to ``end``; see may_go_around."""
    if not around:
        out[begin:end] = 0
        return
    step = LINE_BYTES // out.itemsize
    first = min(end, -(-begin // step) * step)
    lines = (end - first) // step
    out[begin:first] = 0
    clear_around(out, first, lines)
    out[first + lines * step : end] = 0
