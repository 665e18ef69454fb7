"""The sparse residual backbone between voxels and the 2D network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bev3d.sparse import (
    Backend,
    SparseConv3d,
    SparseModule,
    SparseSequential,
    SparseTensor,
    SubMConv3d,
    apply_to_rows,
)

__all__ = ["SparseResNet", "SparseResNetSettings"]

Three = tuple[int, int, int]


@dataclass(frozen=True)
class SparseResNetSettings:
    """Sizes of a :class:`SparseResNet`; the defaults are those published for CenterPoint on nuScenes.

    Attributes:
        channels: of each stage.
        blocks: residual blocks of each stage.
        strides: of the 3 x 3 x 3 convolution into each stage after the first, along z, y and x.
        paddings: of that convolution, likewise.
        out_channels: of each height of the map.
        out_kernel: of the last convolution, which brings the heights together.
        out_stride: of it.
        block_bias: biases in the residual blocks, in front of their batch norms. They change no function that the
            network can learn; published CenterPoint checkpoints have them.

    Raises:
        ValueError: lists whose lengths do not fit together, or sizes below 1.
    """

    channels: tuple[int, ...] = (16, 32, 64, 128)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    strides: tuple[Three, ...] = ((2, 2, 2), (2, 2, 2), (2, 2, 2))
    paddings: tuple[Three, ...] = ((1, 1, 1), (1, 1, 1), (0, 1, 1))
    out_channels: int = 128
    out_kernel: Three = (3, 1, 1)
    out_stride: Three = (2, 1, 1)
    block_bias: bool = False

    def __post_init__(self) -> None:
        stages = len(self.channels)
        if stages < 1 or min(self.channels) < 1:
            raise ValueError(f"channels: expected one number >= 1 or more, got {self.channels}")
        if len(self.blocks) != stages or min(self.blocks) < 0:
            raise ValueError(f"blocks: expected {stages} numbers >= 0, one for each of channels, got {self.blocks}")
        for name, value in (("strides", self.strides), ("paddings", self.paddings)):
            if len(value) != stages - 1 or any(len(part) != 3 for part in value):
                raise ValueError(f"{name}: expected {stages - 1} times (z, y, x), between stages, got {value}")

    def output_stride(self) -> tuple[int, int]:
        """Voxels for each cell of the map along y and x."""
        steps = (*self.strides, self.out_stride)
        return math.prod(step[1] for step in steps), math.prod(step[2] for step in steps)


class SparseResNet(nn.Module):
    """Sparse middle encoder of CenterPoint (Yin et al. 2021, arXiv:2006.11275), its ``SpMiddleResNetFHD``.

    A submanifold layer, stages of residual blocks (He et al. 2015, arXiv:1512.03385) with strided convolutions between
    them, and one more over the heights that are left, which then become channels. Parameters are named as there:
    ``conv_input.0.weight``, ``conv2.3.conv1.weight``, ``extra_conv.0.weight``.

    Args:
        in_channels: of a voxel.
        spatial_shape: D, H, W of the grid; the published ones have one cell more in height than the range.
        settings: sizes.
        backend: of the sparse convolutions, see :func:`bev3d.sparse.resolve_backend`. An attribute, which may be set
            at any time: no parameter depends on it.

    Raises:
        ValueError: a grid that is too small for the strides and kernels.

    Attributes:
        out_channels: of the map: those of the settings times the heights that are left.
        out_shape: H, W of the map.
    """

    def __init__(
        self,
        in_channels: int,
        spatial_shape: Three,
        settings: SparseResNetSettings | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        settings = settings or SparseResNetSettings()
        self.settings, self.spatial_shape, self.backend = settings, spatial_shape, backend
        width = settings.channels[0]
        self.conv_input = SparseSequential(
            SubMConv3d(in_channels, width, 3, indice_key="stage1"), _norm(width), nn.ReLU(inplace=True)
        )
        names = [f"conv{i + 1}" for i in range(len(settings.channels))]
        for i, (name, channels) in enumerate(zip(names, settings.channels, strict=True)):
            layers: list[nn.Module] = []
            if i:
                down = SparseConv3d(width, channels, 3, settings.strides[i - 1], settings.paddings[i - 1])
                layers += [down, _norm(channels), nn.ReLU(inplace=True)]
            key = f"stage{i + 1}"
            layers += [ResidualBlock(channels, key, bias=settings.block_bias) for _ in range(settings.blocks[i])]
            self.add_module(name, SparseSequential(*layers))
            width = channels
        self._stages = tuple(names)
        self.extra_conv = SparseSequential(
            SparseConv3d(width, settings.out_channels, settings.out_kernel, settings.out_stride),
            _norm(settings.out_channels),
            nn.ReLU(inplace=True),
        )
        grid = spatial_shape
        for layer in self.modules():
            grid = layer.output_shape(grid) if isinstance(layer, SparseConv3d) else grid
        self.out_channels = settings.out_channels * grid[0]
        self.out_shape = grid[1:]

    def forward(self, features: Tensor, coordinates: Tensor, batch_size: int) -> Tensor:
        """Bird's-eye-view map (B, out_channels, H', W').

        Args:
            features: (V, in_channels).
            coordinates: (V, 4) integers batch, z, y, x, inside ``spatial_shape``, each once.
            batch_size: B.

        Raises:
            ValueError: coordinates outside or repeated, shapes that do not fit.
        """
        tensor = SparseTensor(features, coordinates, self.spatial_shape, batch_size, self.backend)
        for name in ("conv_input", *self._stages, "extra_conv"):
            tensor = getattr(self, name)(tensor)
        return tensor.bev()


class ResidualBlock(SparseModule):
    """Two submanifold layers around which the input passes: relu(x + bn(conv(relu(bn(conv(x))))))."""

    def __init__(self, channels: int, indice_key: str, *, bias: bool = False) -> None:
        super().__init__()
        self.conv1 = SubMConv3d(channels, channels, 3, bias=bias, indice_key=indice_key)
        self.bn1 = _norm(channels)
        self.conv2 = SubMConv3d(channels, channels, 3, bias=bias, indice_key=indice_key)
        self.bn2 = _norm(channels)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """(V, C) to (V, C)."""
        inner = self.conv1(tensor)
        inner = self.conv2(inner.replace_features(torch.relu(apply_to_rows(self.bn1, inner.features))))
        out = apply_to_rows(self.bn2, inner.features) + tensor.features
        return inner.replace_features(torch.relu(out))


def _norm(channels: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(channels, eps=1e-3, momentum=0.01)
