"""Asking for memory ahead, for kernels that write to places in no order."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["prefetch_to_write"]

_WORD = ir.IntType(32)
_WRITE, _KEEP, _DATA = 1, 3, 1


def _prefetch(typing_context, array, index):
    """Ask for the cache line of ``array[index]``, which is then written; nothing is read, so any index is legal."""
    if not isinstance(array, types.Array) or array.ndim != 1 or array.layout != "C":
        return None

    def generate(context, builder, signature, arguments):
        data = context.make_array(array)(context, builder, value=arguments[0]).data
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _WORD, _WORD, _WORD])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        place = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(prefetch, [place, _WORD(_WRITE), _WORD(_KEEP), _WORD(_DATA)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


prefetch_to_write: Any = intrinsic(_prefetch)
