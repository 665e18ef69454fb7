"""Sparse convolutions as modules whose parameters are spconv's, by name and layout."""

from __future__ import annotations

import math

from torch import Tensor

from bev3d.sparse import _spconv
from bev3d.sparse._check import Sizes, Three, three
from bev3d.sparse._geometry import output_shape, reaches_anything
from bev3d.sparse._module import SparseConvolution
from bev3d.sparse._rulebook import strided_rulebook, submanifold_rulebook
from bev3d.sparse._tensor import Connection, Geometry, SparseTensor

__all__ = ["SparseConv3d", "SparseInverseConv3d", "SubMConv3d", "connect"]


class _ForwardConvolution(SparseConvolution):
    """Submanifold or strided: sites and pairs follow from the geometry."""

    def output_shape(self, spatial_shape: Three) -> Three:
        """Grid (D, H, W) of the output for that of the input.

        Raises:
            ValueError: a kernel that is larger than the padded grid.
        """
        return output_shape(spatial_shape, self.geometry)

    def convolve(self, tensor: SparseTensor, features: Tensor, weight: Tensor) -> SparseTensor:
        known = self._known(tensor)
        if known is not None:
            out, connection = self.multiply(tensor, features, weight, known), known
        # spconv reads the weight of a single cell the wrong way round
        elif tensor.backend == "spconv" and math.prod(self.geometry.kernel_size) > 1:
            out, connection = self._connect_in_spconv(tensor, features, weight)
        else:
            connection = connect(tensor, self.geometry)
            out = self.multiply(tensor, features, weight, connection)
        return tensor.at_sites(connection, out, self.indice_key)

    def _known(self, tensor: SparseTensor) -> Connection | None:
        known = None if self.indice_key is None else tensor.connections.get(self.indice_key)
        if known is None:
            return None
        if not self.geometry.submanifold:
            raise ValueError(f"indice_key: expected a name that no layer before has, got {self.indice_key!r}")
        if known.geometry != self.geometry or known.in_coordinates is not tensor.coordinates:
            raise ValueError(
                f"indice_key: expected {self.indice_key!r} to be of layers with this kernel and dilation at these "
                f"sites, got one of {known.geometry} at {len(known.in_coordinates)} sites"
            )
        return known

    def _connect_in_spconv(self, tensor: SparseTensor, features: Tensor, weight: Tensor) -> tuple[Tensor, Connection]:
        geometry, start = self.geometry, tensor.coordinates
        shapes = tensor.spatial_shape, output_shape(tensor.spatial_shape, geometry)
        if not reaches_anything(start, tensor.spatial_shape, geometry):
            end = start if geometry.submanifold else start[:0]
            connection = Connection(geometry, start, shapes[0], end, shapes[1], None)
            return self.multiply(tensor, features, weight, connection), connection
        out, reached, pairs = _spconv.run_layer(self.spconv_layer(weight), tensor, features, weight)
        end = start if geometry.submanifold else reached
        return out, Connection(geometry, start, shapes[0], end, shapes[1], pairs)


class SubMConv3d(_ForwardConvolution):
    """Submanifold sparse convolution (Graham, Engelcke, van der Maaten 2018, arXiv:1711.10275): the sites stay.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: odd, one number or three for z, y, x. The kernel is centred, so there is no padding to choose.
        dilation: steps between its cells.
        bias: whether to add one; not before a batch norm, which would take it away again.
        indice_key: layers with one key, kernel and dilation share the pairs of sites that the first of them finds.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        *,
        dilation: Sizes = 1,
        bias: bool = False,
        indice_key: str | None = None,
    ) -> None:
        kernel = three("kernel_size", kernel_size, 1)
        if not all(size % 2 for size in kernel):
            raise ValueError(f"kernel_size: expected odd sizes, got {kernel_size!r}")
        geometry = Geometry(kernel, dilation=three("dilation", dilation, 1), submanifold=True)
        super().__init__(in_channels, out_channels, geometry, bias, indice_key)


class SparseConv3d(_ForwardConvolution):
    """Sparse convolution at every site that the input reaches: torch's conv3d of the grid that is 0 elsewhere.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: one number or three for z, y, x.
        stride: of the output in cells of the input.
        padding: on both sides of the input.
        dilation: steps between the kernel's cells.
        bias: whether to add one at the sites.
        indice_key: name under which a :class:`SparseInverseConv3d` finds the way back.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        *,
        dilation: Sizes = 1,
        bias: bool = False,
        indice_key: str | None = None,
    ) -> None:
        geometry = Geometry(
            three("kernel_size", kernel_size, 1),
            three("stride", stride, 1),
            three("padding", padding, 0),
            three("dilation", dilation, 1),
        )
        super().__init__(in_channels, out_channels, geometry, bias, indice_key)


class SparseInverseConv3d(SparseConvolution):
    """The way back from a :class:`SparseConv3d` or pool to the sites that it started from.

    Cell k of the kernel connects the same two sites as there, in the other direction.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: of the layer that is gone back.
        bias: whether to add one.
        indice_key: of the layer that is gone back.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes, *, indice_key: str, bias: bool = False
    ) -> None:
        if indice_key is None:
            raise TypeError("indice_key: expected the name of the layer to go back, got None")
        super().__init__(in_channels, out_channels, Geometry(three("kernel_size", kernel_size, 1)), bias, indice_key)

    def convolve(self, tensor: SparseTensor, features: Tensor, weight: Tensor) -> SparseTensor:
        known = tensor.connections.get(self.indice_key or "")
        if known is None or known.geometry.submanifold:
            raise ValueError(f"indice_key: expected the name of a strided layer before, got {self.indice_key!r}")
        if known.geometry.kernel_size != self.geometry.kernel_size or known.out_coordinates is not tensor.coordinates:
            raise ValueError(
                f"indice_key: expected {self.indice_key!r} to be of a layer with kernel {self.geometry.kernel_size} "
                f"that led to these sites, got one with {known.geometry.kernel_size} that led to "
                f"{len(known.out_coordinates)} sites"
            )
        out = self.multiply(tensor, features, weight, known, inverse=True)
        return tensor.back_at_sites(known, out)


def connect(tensor: SparseTensor, geometry: Geometry) -> Connection:
    """Our own rulebook of a submanifold or strided layer."""
    start, shape, g, batch = tensor.coordinates, tensor.spatial_shape, geometry, tensor.batch_size
    if g.submanifold:
        book = submanifold_rulebook(start, shape, g.kernel_size, g.dilation, batch_size=batch)
    else:
        book = strided_rulebook(start, shape, g.kernel_size, g.stride, g.padding, g.dilation, batch_size=batch)
    return Connection(geometry, start, shape, book.out_coordinates, book.out_shape, book)
