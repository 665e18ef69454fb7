"""One small network for the tests of both backends, of our modules and of spconv's, and its input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bev3d.sparse import SparseConv3d, SparseInverseConv3d, SparseSequential, SparseTensor, SubMConv3d, ToBEV

SHAPE = (9, 20, 20)


def network(seed: int = 0) -> SparseSequential:
    torch.manual_seed(seed)
    return SparseSequential(
        SubMConv3d(4, 16, 3, indice_key="a"),
        nn.BatchNorm1d(16),
        nn.ReLU(inplace=True),
        SparseSequential(SubMConv3d(16, 16, 3, indice_key="a"), nn.BatchNorm1d(16), nn.ReLU()),
        SparseConv3d(16, 32, 3, 2, 1, indice_key="down"),
        nn.BatchNorm1d(32),
        nn.ReLU(inplace=True),
        SparseInverseConv3d(32, 8, 3, indice_key="down"),
        nn.BatchNorm1d(8),
        SparseConv3d(8, 8, (3, 1, 1), (2, 1, 1)),
        ToBEV(),
    )


def plain(spconv: Any, seed: int = 0) -> nn.Module:
    """The same, of spconv's own modules."""
    torch.manual_seed(seed)
    more = {"bias": False, "algo": spconv.ConvAlgo.Native}
    return spconv.SparseSequential(
        spconv.SubMConv3d(4, 16, 3, indice_key="a", **more),
        nn.BatchNorm1d(16),
        nn.ReLU(inplace=True),
        spconv.SparseSequential(spconv.SubMConv3d(16, 16, 3, indice_key="a", **more), nn.BatchNorm1d(16), nn.ReLU()),
        spconv.SparseConv3d(16, 32, 3, 2, 1, indice_key="down", **more),
        nn.BatchNorm1d(32),
        nn.ReLU(inplace=True),
        spconv.SparseInverseConv3d(32, 8, 3, indice_key="down", **more),
        nn.BatchNorm1d(8),
        spconv.SparseConv3d(8, 8, (3, 1, 1), (2, 1, 1), **more),
    )


def batch(density: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    coordinates = (torch.rand(2, *SHAPE, generator=rng) < density).nonzero().int()
    return torch.randn(len(coordinates), 4, generator=rng), coordinates


def given(backend: str, features: Tensor, coordinates: Tensor) -> SparseTensor:
    return SparseTensor(features, coordinates, SHAPE, 2, backend)  # type: ignore[arg-type]


def relative(one: Tensor, other: Tensor) -> float:
    return float((one.detach() - other.detach()).abs().max() / other.detach().abs().max())
