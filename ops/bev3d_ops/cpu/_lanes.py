"""Vectors of eight lanes for intrinsics: what Numba has no words for and every processor's back end knows."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

__all__ = ["LANES", "scalar_size", "shuffled", "splat", "transposed"]

LANES = 8


def scalar_size(scalar: Any) -> int:
    """Bytes of an integer, float or double of LLVM."""
    if isinstance(scalar, ir.IntType):
        return scalar.width // 8
    return 8 if isinstance(scalar, ir.DoubleType) else 4


def shuffled(builder: Any, p: Any, q: Any, lanes: list[int]) -> Any:
    """The lanes of ``p`` and, from LANES on, of ``q``."""
    return builder.shuffle_vector(p, q, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def splat(builder: Any, value: Any, vector: Any) -> Any:
    """``value`` in all lanes of the type ``vector``."""
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return shuffled(builder, single, single, [0] * LANES)


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose squares of ``len(rows)``, side by side in the vectors: swap ever larger halves of halves."""
    rows, step = list(rows), 1
    while step < len(rows):
        upper = [lane if not lane & step else lane - step + LANES for lane in range(LANES)]
        lower = [lane + step if not lane & step else lane + LANES for lane in range(LANES)]
        for k in range(len(rows)):
            if not k & step:
                p, q = rows[k], rows[k + step]
                rows[k], rows[k + step] = shuffled(builder, p, q, upper), shuffled(builder, p, q, lower)
        step *= 2
    return rows
