"""Gradients of eight pairs of boxes from columns back to rows, in vector registers.

Eight rows of seven numbers are seven whole vectors, and are written as such: where the array begins at a line of the
cache no store crosses one, and large arrays may be written around the caches.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bev3d_ops.cpu._lanes import LANES, scalar_size, shuffled, splat, transposed
from bev3d_ops.cpu._overlap_gradient import FACTOR, G_X
from bev3d_ops.cpu._overlap_transpose import COLUMNS
from bev3d_ops.cpu._streams import store_around

__all__ = ["store_gradients"]


def _store_gradients(
    typingctx: Any,
    block: Any,
    width: Any,
    column: Any,
    sign: Any,
    sizes: Any,
    yaw: Any,
    out: Any,
    first: Any,
    around: Any,
) -> Any:
    """Write the gradients of eight pairs by one of their boxes, times their factors, to the flat ``out``.

    Args:
        block: one-dimensional, float64; the rows of _overlap_gradient, each ``width`` long.
        width, column: integers; the pairs stand from place ``column`` on.
        sign: of the derivatives by the centre, which stand there for b.
        sizes, yaw: rows of the box's half sizes and of its yaw.
        out: float64 or float32.
        first: index of the first number to write.
        around: whether the stores go around the caches; then that place must be aligned to the vectors, and end_streams
            must follow before another thread reads.
    """
    whole = types.int64
    return types.void(block, whole, whole, types.float64, whole, whole, out, whole, types.boolean), _store


def _store(context: Any, builder: Any, signature: Any, args: Any) -> None:
    block_type, out_type = signature.args[0], signature.args[6]
    block, width, column, sign, sizes, yaw, out, first, around = args
    wide, narrow = (ir.VectorType(context.get_data_type(t.dtype), LANES) for t in (block_type, out_type))
    data = context.make_array(block_type)(context, builder, block).data

    def load(row: Any) -> Any:
        place = builder.add(builder.mul(width, row), column)
        pointer = builder.bitcast(builder.gep(data, [place]), wide.as_pointer())
        return builder.load(pointer, align=scalar_size(wide.element))

    def scaled(first_row: Any, count: int, by: Any) -> list[Any]:
        rows = [builder.add(first_row, ir.Constant(first_row.type, k)) for k in range(count)]
        vectors = [builder.fmul(load(row), by) for row in rows]
        return vectors if wide == narrow else [builder.fptrunc(vector, narrow) for vector in vectors]

    factor = load(ir.Constant(width.type, FACTOR))
    half = builder.fmul(factor, splat(builder, wide.element(0.5), wide))
    centre = scaled(ir.Constant(width.type, G_X), 3, builder.fmul(factor, splat(builder, sign, wide)))
    columns = [*centre, *scaled(sizes, 3, half), *scaled(yaw, 1, factor), splat(builder, narrow.element(0.0), narrow)]
    rows = context.make_array(out_type)(context, builder, out).data
    pointer = builder.bitcast(builder.gep(rows, [first]), narrow.as_pointer())
    _store_rows(builder, pointer, transposed(builder, columns), around)


def _store_rows(builder: Any, pointer: Any, rows: list[Any], around: Any) -> None:
    """Eight rows of seven numbers, and one lane more each, as seven vectors."""
    whole = [
        shuffled(builder, rows[k], rows[k + 1], [*range(k, COLUMNS), *range(LANES, LANES + k + 1)])
        for k in range(COLUMNS)
    ]
    places = [builder.gep(pointer, [ir.Constant(ir.IntType(64), k)]) for k in range(COLUMNS)]
    with builder.if_else(around) as (then, otherwise):
        with then:
            for row, place in zip(whole, places, strict=True):
                store_around(builder, row, place)
        with otherwise:
            for row, place in zip(whole, places, strict=True):
                builder.store(row, place, align=scalar_size(row.type.element))


store_gradients: Any = intrinsic(_store_gradients)
