"""Sparse convolutions as modules whose parameters are spconv's, by name and layout."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from bev3d.sparse import _spconv
from bev3d.sparse._check import Sizes, Three, three
from bev3d.sparse._convolution import sparse_conv3d
from bev3d.sparse._geometry import output_shape, reaches_anything
from bev3d.sparse._rulebook import Rulebook, strided_rulebook, submanifold_rulebook
from bev3d.sparse._tensor import Connection, Geometry, SparseTensor

__all__ = ["SparseConv3d", "SparseInverseConv3d", "SparseModule", "SubMConv3d"]


class SparseModule(nn.Module):
    """A module from :class:`SparseTensor` to :class:`SparseTensor` or, at the end of a network, to a dense tensor."""


class _SparseConvolution(SparseModule):
    """Parameters and what both directions share.

    ``weight`` (C_out, kD, kH, kW, C_in) and, where asked for, ``bias`` (C_out,) are drawn as spconv draws them:
    uniform within 1 / sqrt(C_in kD kH kW), from torch's generator.
    """

    weight: nn.Parameter

    def __init__(self, in_channels: int, out_channels: int, geometry: Geometry, bias: bool, key: str | None) -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name}: expected an integer, got {value!r}")
            if value < 1:
                raise ValueError(f"{name}: expected >= 1, got {value}")
        if key is not None and (not isinstance(key, str) or not key):
            raise TypeError(f"indice_key: expected a name or None, got {key!r}")
        self.in_channels, self.out_channels, self.indice_key = in_channels, out_channels, key
        self.geometry = geometry
        self.weight = nn.Parameter(torch.empty(out_channels, *geometry.kernel_size, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self._layers: dict[str, nn.Module] = {}
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw them anew."""
        bound = 1 / math.sqrt(self.in_channels * math.prod(self.geometry.kernel_size))
        with torch.no_grad():
            self.weight.uniform_(-bound, bound)
            if self.bias is not None:
                self.bias.uniform_(-bound, bound)

    def extra_repr(self) -> str:
        """What was asked for, as torch shows it."""
        g, text = self.geometry, f"{self.in_channels}, {self.out_channels}, kernel_size={self.geometry.kernel_size}"
        for name, value, usual in (
            ("stride", g.stride, (1, 1, 1)),
            ("padding", g.padding, (0, 0, 0)),
            ("dilation", g.dilation, (1, 1, 1)),
            ("bias", self.bias is not None, False),
            ("indice_key", self.indice_key, None),
        ):
            text += f", {name}={value!r}" if value != usual else ""
        return text

    def __getstate__(self) -> dict[str, Any]:
        """All but spconv's layers, which are made again where they are needed."""
        return self.__dict__ | {"_layers": {}}

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """(V, C_in) to (V', C_out).

        Under autocast a GPU computes in autocast's dtype (with spconv float16 or, instead of bfloat16, float32), the
        CPU in the weight's. Otherwise features and weight have one dtype.

        Raises:
            TypeError: not a SparseTensor, or features and weight of different dtypes outside of autocast.
            ValueError: other channels, or an ``indice_key`` that is taken or was made by a layer that does not fit.
        """
        if not isinstance(tensor, SparseTensor):
            raise TypeError(f"{type(self).__name__}: expected a SparseTensor, got {type(tensor).__name__}")
        if tensor.features.shape[1] != self.in_channels:
            raise ValueError(f"features: expected {self.in_channels} channels, got {tensor.features.shape[1]}")
        features, weight = _in_one_dtype(tensor, self.weight)
        with torch.autocast(features.device.type, enabled=False):
            out = self._convolve(tensor, features, weight)
            return out if self.bias is None else out.replace_features(out.features + self.bias.to(features.dtype))

    def _convolve(self, tensor: SparseTensor, features: Tensor, weight: Tensor) -> SparseTensor:
        raise NotImplementedError

    def _multiply(
        self, tensor: SparseTensor, features: Tensor, weight: Tensor, connection: Connection, *, inverse: bool = False
    ) -> Tensor:
        """Features of the output over pairs that are known."""
        pairs = connection.pairs
        if pairs is None:
            # rows of 0, and a gradient of 0 instead of none, which data-parallel training waits for
            rows = len(connection.in_coordinates if inverse else connection.out_coordinates)
            zeros = features.new_zeros(rows, self.in_channels) + 0 * features.sum()
            return zeros @ weight.flatten(1, 3).sum(1).T
        if isinstance(pairs, Rulebook):
            return sparse_conv3d(features, weight, pairs.inverse() if inverse else pairs)
        return _spconv.run_layer(self._layer(weight, inverse=inverse), tensor, features, weight, pairs)[0]

    def _layer(self, weight: Tensor, *, inverse: bool = False) -> nn.Module:
        """spconv's layer for the weight's device."""
        kind = weight.device.type
        if kind not in self._layers:
            self._layers[kind] = _spconv.make_layer(weight, self.geometry, inverse=inverse)
        return self._layers[kind]


class _ForwardConvolution(_SparseConvolution):
    """Submanifold or strided: sites and pairs follow from the geometry."""

    def output_shape(self, spatial_shape: Three) -> Three:
        """Grid (D, H, W) of the output for that of the input.

        Raises:
            ValueError: a kernel that is larger than the padded grid.
        """
        return output_shape(spatial_shape, self.geometry)

    def _convolve(self, tensor: SparseTensor, features: Tensor, weight: Tensor) -> SparseTensor:
        known = self._known(tensor)
        if known is not None:
            out, connection = self._multiply(tensor, features, weight, known), known
        # spconv reads the weight of a single cell the wrong way round
        elif tensor.backend == "spconv" and math.prod(self.geometry.kernel_size) > 1:
            out, connection = self._connect_in_spconv(tensor, features, weight)
        else:
            connection = connect(tensor, self.geometry)
            out = self._multiply(tensor, features, weight, connection)
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
            return self._multiply(tensor, features, weight, connection), connection
        out, reached, pairs = _spconv.run_layer(self._layer(weight), tensor, features, weight)
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


class SparseInverseConv3d(_SparseConvolution):
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

    def _convolve(self, tensor: SparseTensor, features: Tensor, weight: Tensor) -> SparseTensor:
        known = tensor.connections.get(self.indice_key or "")
        if known is None or known.geometry.submanifold:
            raise ValueError(f"indice_key: expected the name of a strided layer before, got {self.indice_key!r}")
        if known.geometry.kernel_size != self.geometry.kernel_size or known.out_coordinates is not tensor.coordinates:
            raise ValueError(
                f"indice_key: expected {self.indice_key!r} to be of a layer with kernel {self.geometry.kernel_size} "
                f"that led to these sites, got one with {known.geometry.kernel_size} that led to "
                f"{len(known.out_coordinates)} sites"
            )
        out = self._multiply(tensor, features, weight, known, inverse=True)
        return tensor.back_at_sites(known, out)


def connect(tensor: SparseTensor, geometry: Geometry) -> Connection:
    """Our own rulebook of a submanifold or strided layer."""
    start, shape, g, batch = tensor.coordinates, tensor.spatial_shape, geometry, tensor.batch_size
    if g.submanifold:
        book = submanifold_rulebook(start, shape, g.kernel_size, g.dilation, batch_size=batch)
    else:
        book = strided_rulebook(start, shape, g.kernel_size, g.stride, g.padding, g.dilation, batch_size=batch)
    return Connection(geometry, start, shape, book.out_coordinates, book.out_shape, book)


def _in_one_dtype(tensor: SparseTensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Features and weight as they are to be multiplied."""
    features, device = tensor.features, tensor.features.device.type
    if torch.is_autocast_enabled(device) and weight.dtype != torch.float64:
        dtype = weight.dtype if device == "cpu" else torch.get_autocast_dtype(device)
        if tensor.backend == "spconv" and dtype == torch.bfloat16:
            dtype = torch.float32
        return features.to(dtype), weight.to(dtype)
    if features.dtype != weight.dtype:
        raise TypeError(f"features: expected the weight's dtype {weight.dtype}, got {features.dtype}")
    return features, weight
