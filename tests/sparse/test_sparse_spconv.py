"""The same layers in spconv, with its weights: where it is installed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bev3d.sparse import sparse_conv3d, strided_rulebook, submanifold_rulebook, transposed_rulebook

SHAPE = (9, 20, 20)


@pytest.fixture
def native(spconv: Any) -> dict[str, Any]:
    """The one algorithm of spconv that runs on a CPU; its bias does not."""
    return {"algo": spconv.ConvAlgo.Native, "bias": False}


@pytest.fixture
def coordinates() -> Tensor:
    """Contiguous: spconv reads other strides as if they were."""
    return (torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0)) < 0.1).nonzero().int().contiguous()


def by_site(features: Tensor, coordinates: Tensor) -> Tensor:
    """Rows in the order of batch, z, y, x."""
    key = coordinates.long() @ torch.tensor([1 << 30, 1 << 20, 1 << 10, 1])
    return features[key.argsort()]


@pytest.mark.parametrize("kind", ["SubMConv3d", "SparseConv3d", "SparseConvTranspose3d", "SparseInverseConv3d"])
def test_a_layer_gives_what_spconv_gives_with_its_state(
    kind: str, spconv: Any, native: dict[str, Any], coordinates: Tensor
) -> None:
    features = torch.randn(len(coordinates), 8, generator=torch.Generator().manual_seed(1))
    start = spconv.SparseConvTensor(features.requires_grad_(), coordinates, list(SHAPE), 2)
    steps = {} if kind == "SubMConv3d" else {"stride": 2, "padding": 1}
    if kind == "SparseInverseConv3d":
        down = spconv.SparseConv3d(8, 8, 3, **steps, indice_key="down", **native)
        layer = spconv.SparseInverseConv3d(8, 16, 3, indice_key="down", **native)
        between = down(start)
        theirs = layer(between)
        rulebook = strided_rulebook(coordinates, SHAPE, 3, **steps, batch_size=2).inverse()
        read = by_site(between.features, between.indices)
    else:
        layer = getattr(spconv, kind)(8, 16, 3, **steps, **native)
        theirs = layer(start)
        make = {"SubMConv3d": submanifold_rulebook, "SparseConv3d": strided_rulebook}.get(kind, transposed_rulebook)
        rulebook, read = make(coordinates, SHAPE, 3, **steps, batch_size=2), features
    weight = layer.state_dict()["weight"].clone().requires_grad_()
    ours = sparse_conv3d(read, weight, rulebook)
    assert list(theirs.spatial_shape) == list(rulebook.out_shape)
    expected = by_site(theirs.features, theirs.indices)
    torch.testing.assert_close(by_site(ours, rulebook.out_coordinates), expected, rtol=1e-5, atol=1e-5)
    cotangent = torch.cos(expected.detach())
    (mine,) = torch.autograd.grad(by_site(ours, rulebook.out_coordinates), weight, cotangent, retain_graph=True)
    (other,) = torch.autograd.grad(expected, layer.weight, cotangent)
    torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)
