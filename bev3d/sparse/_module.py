"""What sparse convolutions of either direction share: parameters, dtypes, and products over known pairs."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from bev3d.sparse import _spconv
from bev3d.sparse._convolution import sparse_conv3d
from bev3d.sparse._rulebook import Rulebook
from bev3d.sparse._tensor import Connection, Geometry, SparseTensor

__all__ = ["SparseConvolution", "SparseModule"]


class SparseModule(nn.Module):
    """A module from :class:`SparseTensor` to :class:`SparseTensor` or, at the end of a network, to a dense tensor."""


class SparseConvolution(SparseModule):
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
            out = self.convolve(tensor, features, weight)
            return out if self.bias is None else out.replace_features(out.features + self.bias.to(features.dtype))

    def convolve(self, tensor: SparseTensor, features: Tensor, weight: Tensor) -> SparseTensor:
        """What a kind of convolution does with features and weight of one dtype; every subclass has its own."""
        raise NotImplementedError

    def multiply(
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
        return _spconv.run_layer(self.spconv_layer(weight, inverse=inverse), tensor, features, weight, pairs)[0]

    def spconv_layer(self, weight: Tensor, *, inverse: bool = False) -> nn.Module:
        """spconv's layer for the weight's device."""
        kind = weight.device.type
        if kind not in self._layers:
            self._layers[kind] = _spconv.make_layer(weight, self.geometry, inverse=inverse)
        return self._layers[kind]


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
