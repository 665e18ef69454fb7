"""Two register tiles of the sparse convolution, written as vectors because no loop of scalars compiles to them.

A tile holds ROWS x (panels x lanes) sums in registers while it runs over its products: one vector of one operand is
loaded and used ROWS times, one scalar of the other is loaded and used ``panels`` times. Rows are found through
indices, so that gathering and scattering cost no pass over memory of their own. A vector wider than the machine's is
split by LLVM, and a multiplication and an addition become one instruction where the machine has it.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic
from numba.np.arrayobj import make_array

__all__ = [
    "ROWS",
    "add_product_1",
    "add_product_2",
    "lanes",
    "outer_product_1",
    "outer_product_2",
]

_WIDE = bool(llvmlite.binding.get_host_cpu_features().get("avx512f"))
_VECTOR_BYTES = 64 if _WIDE else 32
ROWS = 8 if _WIDE else 4
"""Rows of a tile: with two panels, 16 of the 32 registers of AVX-512 (8 of 16 of AVX2) hold sums."""

_CONTRACT = ("contract",)


def lanes(itemsize: int) -> int:
    """Numbers in a vector, the width of a panel, for an item of so many bytes."""
    return _VECTOR_BYTES // itemsize


class _Tile:
    """Builds the instructions of a tile in one scalar type."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any, panels: int) -> None:
        self.context, self.builder = context, builder
        self.signature, self.args = signature, args
        self.scalar = context.get_data_type(signature.args[0].dtype)
        self.itemsize = context.get_abi_sizeof(self.scalar)
        self.lanes = lanes(self.itemsize)
        self.vector = ir.VectorType(self.scalar, self.lanes)
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        self.sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(panels)] for _ in range(ROWS)]

    def data(self, position: int) -> Any:
        """Pointer to the first item of an array argument."""
        array = make_array(self.signature.args[position])(self.context, self.builder, self.args[position])
        return array.data

    def load_vector(self, pointer: Any, offset: Any) -> Any:
        return self.builder.load(self._vector_at(pointer, offset), align=self.itemsize)

    def load_sums(self, pointer: Any, rows: list[Any], across: list[Any]) -> None:
        for row, slots in zip(rows, self.sums, strict=True):
            for step, slot in zip(across, slots, strict=True):
                self.builder.store(self.load_vector(pointer, self.builder.add(row, step)), slot)

    def store_sums(self, pointer: Any, rows: list[Any], across: list[Any]) -> None:
        for row, slots in zip(rows, self.sums, strict=True):
            for step, slot in zip(across, slots, strict=True):
                to = self._vector_at(pointer, self.builder.add(row, step))
                self.builder.store(self.builder.load(slot), to, align=self.itemsize)

    def _vector_at(self, pointer: Any, offset: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), self.vector.as_pointer())

    def index(self, pointer: Any, position: Any) -> Any:
        """An item of an index array, in 64 bits."""
        return self.builder.sext(self.builder.load(self.builder.gep(pointer, [position])), self.word)

    @property
    def word(self) -> Any:
        return self.context.get_value_type(types.intp)

    def constant(self, value: int) -> Any:
        return ir.Constant(self.word, value)

    def clamped(self, row: int, count: Any) -> Any:
        """``row``, or the last one of ``count``: that one is then computed and stored again, to the same value."""
        last, wanted = self.builder.sub(count, self.constant(1)), self.constant(row)
        return self.builder.select(self.builder.icmp_signed("<", wanted, count), wanted, last)

    def add_products(self, row: int, pointer: Any, offset: Any, vectors: list[Any]) -> None:
        """sums[row] += pointer[offset] * vectors."""
        b = self.builder
        scalar = b.load(b.gep(pointer, [offset]))
        first = b.insert_element(ir.Constant(self.vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        spread = b.shuffle_vector(first, ir.Constant(self.vector, ir.Undefined), zeros)
        for panel, vector in enumerate(vectors):
            slot = self.sums[row][panel]
            b.store(b.fadd(b.load(slot), b.fmul(spread, vector, flags=_CONTRACT), flags=_CONTRACT), slot)


def _add_product(panels: int) -> Any:
    @intrinsic
    def add_product(typing, values, weights, sums, source, target, pair, count, panel_start, column):
        """sums[target[p], column:] += values[source[p]] @ weights for the ``count`` <= ROWS pairs p from ``pair``.

        ``weights`` is flat; panel ``panel_start`` of it, (values.shape[1], lanes), and the next are multiplied.
        """
        signature = types.void(values, weights, sums, source, target, *[types.intp] * 4)

        def generate(context, builder, signature, args):
            tile = _Tile(context, builder, signature, args, panels)
            b, (pair, count, panel_start, column) = builder, args[5:]
            width = _shape(tile, 0, 1)
            stride = _shape(tile, 2, 1)
            x, w, out, source, target = (tile.data(i) for i in range(5))
            rows = [b.add(pair, tile.clamped(r, count)) for r in range(ROWS)]
            from_rows = [b.mul(tile.index(source, row), width) for row in rows]
            to_rows = [b.add(b.mul(tile.index(target, row), stride), column) for row in rows]
            size = b.mul(width, tile.constant(tile.lanes))
            starts = [b.mul(b.add(panel_start, tile.constant(v)), size) for v in range(panels)]
            across = [tile.constant(v * tile.lanes) for v in range(panels)]
            tile.load_sums(out, to_rows, across)
            with cgutils.for_range(b, width) as loop:
                step = b.mul(loop.index, tile.constant(tile.lanes))
                vectors = [tile.load_vector(w, b.add(start, step)) for start in starts]
                for r in range(ROWS):
                    tile.add_products(r, x, b.add(from_rows[r], loop.index), vectors)
            tile.store_sums(out, to_rows, across)

        return signature, generate

    return add_product


def _outer_product(panels: int) -> Any:
    @intrinsic
    def outer_product(typing, left, right, sums, source, target, first, last, row, count, sum_row, column):
        """sums[sum_row + r, column:] += sum over the pairs p of left[source[p], row + r] * right[target[p], column:].

        For r < count <= ROWS and pairs in range(first, last).
        """
        signature = types.void(left, right, sums, source, target, *[types.intp] * 6)

        def generate(context, builder, signature, args):
            tile = _Tile(context, builder, signature, args, panels)
            b, (first, last, row, count, sum_row, column) = builder, args[5:]
            width, stride = _shape(tile, 0, 1), _shape(tile, 1, 1)
            x, dy, out, source, target = (tile.data(i) for i in range(5))
            kept = [tile.clamped(r, count) for r in range(ROWS)]
            rows = [b.add(row, at) for at in kept]
            to_rows = [b.add(b.mul(b.add(sum_row, at), stride), column) for at in kept]
            across = [tile.constant(v * tile.lanes) for v in range(panels)]
            tile.load_sums(out, to_rows, across)
            with cgutils.for_range_slice(b, first, last, tile.constant(1)) as (pair, _):
                from_row = b.mul(tile.index(source, pair), width)
                to_row = b.add(b.mul(tile.index(target, pair), stride), column)
                vectors = [tile.load_vector(dy, b.add(to_row, step)) for step in across]
                for r in range(ROWS):
                    tile.add_products(r, x, b.add(from_row, rows[r]), vectors)
            tile.store_sums(out, to_rows, across)

        return signature, generate

    return outer_product


def _shape(tile: _Tile, position: int, axis: int) -> Any:
    array = make_array(tile.signature.args[position])(tile.context, tile.builder, tile.args[position])
    return cgutils.unpack_tuple(tile.builder, array.shape)[axis]


add_product_1, add_product_2 = _add_product(1), _add_product(2)
outer_product_1, outer_product_2 = _outer_product(1), _outer_product(2)
