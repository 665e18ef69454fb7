"""Eight pairs of boxes from rows to columns, in vector registers.

Written one value after the other this costs as much as the overlap itself, and Numba has no shuffles of its own:
hence a little LLVM, which every processor's back end turns into what it has.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bev3d_ops.cpu._lanes import LANES, scalar_size, shuffled, splat, transposed
from bev3d_ops.cpu._prefetch import TO_READ, prefetch
from bev3d_ops.cpu._streams import LINE_BYTES

__all__ = ["COLUMNS", "transpose_pairs"]

COLUMNS = 7  # of a box; a row is read with one number of the next one
_AHEAD = 64  # boxes: a block


def _transpose_pairs(
    typingctx: Any, a: Any, b: Any, first: Any, block: Any, width: Any, column: Any, largest: Any, smallest: Any
) -> Any:
    """Write eight pairs to eleven rows of ``block``, each ``width`` long, from place ``column`` on.

    The rows are b - a of x, y and z; the halves of a's and of b's length, width and height; a's yaw; b's yaw: 0 to 2, 3
    to 5, 6 to 8, 9 and 10. Halves of sizes below ``smallest`` are 0.

    Args:
        a, b: contiguous, seven numbers for each box, readable one number beyond the eighth box.
        first: index of the first number of the first box.
        block: one-dimensional; of the type of a and b, or wider.
        width, column: integers.
        largest, smallest: floats.

    Returns:
        Not 0 where magnitudes sum to more than ``largest``, a number is NaN, or a size is between 0 and ``smallest``.
    """
    signature = types.int64(a, b, types.int64, block, types.int64, types.int64, types.float64, types.float64)
    return signature, _transpose


def _transpose(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    a_type, b_type, _, block_type = signature.args[:4]
    _, _, first, _, width, column, largest, smallest = args
    source, target = (ir.VectorType(context.get_data_type(t.dtype), LANES) for t in (a_type, block_type))
    for array_type, array in ((a_type, args[0]), (b_type, args[1])):
        _prefetch(context, builder, array_type, array, first)
    rows_a, rows_b = (
        _load_rows(context, builder, array_type, array, first, source, target)
        for array_type, array in ((a_type, args[0]), (b_type, args[1]))
    )
    out = context.make_array(block_type)(context, builder, args[3]).data
    scalar = context.get_data_type(block_type.dtype)
    largest, smallest = (
        splat(builder, context.cast(builder, value, types.float64, block_type.dtype), target)
        for value in (largest, smallest)
    )
    half, zero = splat(builder, scalar(0.5), target), splat(builder, scalar(0.0), target)

    # x, y, z of the difference beside length ... yaw of a; length ... yaw of b, two boxes in a vector
    mixed = [
        shuffled(builder, p, builder.fsub(q, p), [8, 9, 10, 3, 4, 5, 6, 7]) for p, q in zip(rows_a, rows_b, strict=True)
    ]
    rest = [shuffled(builder, rows_b[k], rows_b[k + 4], [3, 4, 5, 6, 11, 12, 13, 14]) for k in range(4)]
    mixed, rest = transposed(builder, mixed), transposed(builder, rest)
    sizes, bad = (*mixed[3:6], *rest[:3]), _are_large(builder, rows_a, rows_b, largest)
    halves = []
    for size in sizes:
        is_less = builder.fcmp_ordered("<", size, smallest)
        halves.append(builder.select(is_less, zero, builder.fmul(size, half)))
        bad = builder.or_(bad, builder.and_(is_less, builder.fcmp_ordered(">", size, zero)))
    for row, vector in enumerate([*mixed[:3], *halves, mixed[6], rest[3]]):
        place = builder.add(builder.mul(width, ir.Constant(width.type, row)), column)
        pointer = builder.bitcast(builder.gep(out, [place]), target.as_pointer())
        builder.store(vector, pointer, align=scalar_size(scalar))
    return builder.zext(builder.bitcast(bad, ir.IntType(LANES)), ir.IntType(64))


def _load_rows(
    context: Any, builder: Any, array_type: Any, array: Any, first: Any, source: Any, target: Any
) -> list[Any]:
    data = context.make_array(array_type)(context, builder, array).data
    rows = []
    for k in range(LANES):
        place = builder.add(first, ir.Constant(first.type, COLUMNS * k))
        pointer = builder.bitcast(builder.gep(data, [place]), source.as_pointer())
        row = builder.load(pointer, align=scalar_size(source.element))
        rows.append(row if source == target else builder.fpext(row, target))
    return rows


def _prefetch(context: Any, builder: Any, array_type: Any, array: Any, first: Any) -> None:
    """Ask for the eight boxes ``_AHEAD`` boxes on: between two reads lies more than the hardware foresees.

    Past the end of the array that does nothing.
    """
    data = context.make_array(array_type)(context, builder, array).data
    step = LINE_BYTES // scalar_size(context.get_data_type(array_type.dtype))
    for offset in range(0, COLUMNS * LANES, step):
        place = builder.add(first, ir.Constant(first.type, COLUMNS * _AHEAD + offset))
        prefetch(builder, builder.gep(data, [place]), TO_READ)


def _are_large(builder: Any, rows_a: list[Any], rows_b: list[Any], largest: Any) -> Any:
    """Lanes whose sum of magnitudes is too large or NaN."""
    vector = rows_a[0].type
    integers = ir.VectorType(ir.IntType(8 * scalar_size(vector.element)), LANES)
    mask = ir.Constant(integers, [2 ** (integers.element.width - 1) - 1] * LANES)
    total = None
    for row in (*rows_a, *rows_b):
        magnitude = builder.bitcast(builder.and_(builder.bitcast(row, integers), mask), vector)
        total = magnitude if total is None else builder.fadd(total, magnitude)
    return builder.fcmp_unordered(">", total, largest)


transpose_pairs: Any = intrinsic(_transpose_pairs)
