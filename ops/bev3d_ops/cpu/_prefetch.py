"""Asking for memory ahead, for kernels that read or write places in no order, or more than the hardware foresees."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["TO_READ", "TO_WRITE", "prefetch", "prefetch_to_read", "prefetch_to_write"]

_WORD = ir.IntType(32)
TO_READ, TO_WRITE = 0, 1
_KEEP, _DATA = 3, 1


def prefetch(builder: Any, pointer: Any, purpose: int) -> None:
    """For intrinsics: ask for the cache line at ``pointer``, TO_READ or TO_WRITE."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _WORD, _WORD, _WORD])
    function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    builder.call(function, [builder.bitcast(pointer, byte), _WORD(purpose), _WORD(_KEEP), _WORD(_DATA)])


def _generator(typing_context: Any, array: Any, index: Any, purpose: int) -> Any:
    if not isinstance(array, types.Array) or array.ndim != 1 or array.layout != "C":
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, value=arguments[0]).data
        prefetch(builder, builder.gep(data, [arguments[1]]), purpose)
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


def _to_read(typing_context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of ``array[index]``, which is then read; nothing is read here, so any index is legal."""
    return _generator(typing_context, array, index, TO_READ)


def _to_write(typing_context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of ``array[index]``, which is then written; nothing is read, so any index is legal."""
    return _generator(typing_context, array, index, TO_WRITE)


prefetch_to_read: Any = intrinsic(_to_read)
prefetch_to_write: Any = intrinsic(_to_write)
