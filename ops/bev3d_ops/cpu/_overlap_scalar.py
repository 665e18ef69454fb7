"""Arithmetic that stays in the type of its arguments, float32 or float64, in one source for both."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["epsilon_of", "of_type"]


def _of_type(typingctx: Any, like: Any, value: Any) -> Any:
    """``value`` in the type of ``like``: a literal would make all arithmetic with it float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[1], signature.args[1], signature.return_type)

    return like(like, value), codegen


def _epsilon_of(typingctx: Any, like: Any) -> Any:
    """Distance from 1 to the next larger number of the type of ``like``, in that type."""
    epsilon = float(np.finfo(np.float32).eps) if like == types.float32 else sys.float_info.epsilon

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(signature.return_type), epsilon)

    return like(like), codegen


of_type: Any = intrinsic(_of_type)
epsilon_of: Any = intrinsic(_epsilon_of)
