"""Sparse modules of either backend against torch's dense convolutions in float64, all gradients included."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bev3d.sparse import (
    SparseConv3d,
    SparseInverseConv3d,
    SparseMaxPool3d,
    SparseSequential,
    SparseTensor,
    SubMConv3d,
    ToBEV,
    ToDense,
)

BATCH, SHAPE, CHANNELS = 3, (6, 7, 9), 3
Three = tuple[int, int, int]


def sites(density: float = 0.25, seed: int = 0, *, shuffled: bool = True) -> Tensor:
    """Some of the grid; the sample in the middle is empty."""
    rng = torch.Generator().manual_seed(seed)
    found = (torch.rand(BATCH, *SHAPE, generator=rng) < density).nonzero()
    found = found[found[:, 0] != 1]
    return found[torch.randperm(len(found), generator=rng)] if shuffled else found


def leaf(*shape: int, seed: int = 1) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


def dense(features: Tensor, coordinates: Tensor) -> Tensor:
    grid = features.new_zeros((BATCH, *SHAPE, features.shape[1]))
    return grid.index_put(tuple(coordinates.long().unbind(1)), features).permute(0, 4, 1, 2, 3)


def occupied(coordinates: Tensor) -> Tensor:
    return dense(torch.ones(len(coordinates), 1, dtype=torch.float64), coordinates)


def kernel_of(layer: nn.Module) -> Tensor:
    """In the order of torch's conv3d."""
    return layer.weight.permute(0, 4, 1, 2, 3)  # type: ignore[operator, union-attr]  # a parameter


def assert_same(actual: Tensor, expected: Tensor, leaves: list[Tensor], others: list[Tensor] | None = None) -> None:
    """Values, and gradients of both with respect to the leaves (or, of the second, to ``others``)."""
    torch.testing.assert_close(actual, expected, rtol=1e-11, atol=1e-11)
    cotangent = torch.randn(actual.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    ours = torch.autograd.grad(actual, leaves, cotangent)
    theirs = torch.autograd.grad(expected, others or leaves, cotangent)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def run(network: nn.Module, features: Tensor, coordinates: Tensor, backend: str) -> Tensor:
    out: Tensor = network.double()(SparseTensor(features, coordinates, SHAPE, BATCH, backend)).dense()
    return out


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kernel", [3, 1, (3, 1, 5), (5, 3, 1)])
@pytest.mark.parametrize("dilation", [1, (2, 1, 3)])
def test_submanifold(kernel: int | Three, dilation: int | Three, bias: bool, backend: str) -> None:
    coordinates, layer = sites(), SubMConv3d(CHANNELS, 4, kernel, dilation=dilation, bias=bias).double()
    features = leaf(len(coordinates), CHANNELS)
    actual = run(layer, features, coordinates, backend)
    g = layer.geometry
    padding = tuple(k // 2 * d for k, d in zip(g.kernel_size, g.dilation, strict=True))
    grid = functional.conv3d(dense(features, coordinates), kernel_of(layer), layer.bias, 1, padding, g.dilation)
    assert_same(actual, grid * occupied(coordinates), [features, *layer.parameters()])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [
        (3, 2, 1, 1),
        (3, 1, 1, 2),
        (3, 2, (0, 1, 1), 1),
        ((3, 1, 1), (2, 1, 1), 0, 1),
        (2, 2, 0, 1),
        (1, 1, 0, 1),
        (1, 2, 0, 1),
        (1, 1, 1, 1),
        ((2, 4, 3), (1, 3, 2), (1, 2, 0), (2, 1, 3)),
        ((1, 2, 1), (3, 4, 2), (0, 1, 0), 1),  # strides longer than the kernel: some sites reach nothing
        (3, 1, (4, 3, 5), (2, 3, 2)),  # padding wider than the kernel
    ],
    ids=str,
)
def test_strided(
    kernel: int | Three, stride: int | Three, padding: int | Three, dilation: int | Three, bias: bool, backend: str
) -> None:
    coordinates = sites()
    layer = SparseConv3d(CHANNELS, 4, kernel, stride, padding, dilation=dilation, bias=bias).double()
    features = leaf(len(coordinates), CHANNELS)
    actual = run(layer, features, coordinates, backend)
    g = layer.geometry
    more = (g.stride, g.padding, g.dilation)
    ones = torch.ones(1, 1, *g.kernel_size, dtype=torch.float64)
    reached = functional.conv3d(occupied(coordinates), ones, None, *more) > 0.5
    grid = functional.conv3d(dense(features, coordinates), kernel_of(layer), layer.bias, *more)
    assert layer.output_shape(SHAPE) == tuple(grid.shape[2:])
    assert_same(actual, grid * reached, [features, *layer.parameters()])


@pytest.mark.parametrize("seed", range(4))
def test_settings_drawn_at_random(seed: int, backend: str) -> None:
    rng = torch.Generator().manual_seed(seed)

    def drawn(low: int, high: int) -> Three:
        z, y, x = torch.randint(low, high + 1, (3,), generator=rng).tolist()
        return z, y, x

    coordinates = sites(0.05 + 0.2 * seed, seed)
    layer = SparseConv3d(CHANNELS, 5, drawn(1, 3), drawn(1, 3), drawn(0, 2), dilation=drawn(1, 2)).double()
    features = leaf(len(coordinates), CHANNELS)
    g = layer.geometry
    more = (g.stride, g.padding, g.dilation)
    grid = functional.conv3d(dense(features, coordinates), kernel_of(layer), None, *more)
    assert_same(run(layer, features, coordinates, backend), grid, [features, layer.weight])


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), ((3, 1, 1), (2, 1, 1), 0), (2, 2, 0), (1, 2, 0)])
def test_inverse_leads_back_to_the_sites(
    kernel: int | Three, stride: int | Three, padding: int | Three, backend: str
) -> None:
    coordinates = sites()
    down = SparseConv3d(CHANNELS, 4, kernel, stride, padding, indice_key="down")
    network = SparseSequential(
        down, SubMConv3d(4, 4, 3), SparseInverseConv3d(4, 5, kernel, indice_key="down", bias=True)
    )
    network.double()
    features = leaf(len(coordinates), CHANNELS)
    actual = run(network, features, coordinates, backend)
    g = down.geometry
    ones = torch.ones(1, 1, *g.kernel_size, dtype=torch.float64)
    reached = functional.conv3d(occupied(coordinates), ones, None, g.stride, g.padding) > 0.5
    grid = functional.conv3d(dense(features, coordinates), kernel_of(down), None, g.stride, g.padding)
    grid = functional.conv3d(grid, kernel_of(network[1]), None, 1, 1) * reached
    sizes = zip(SHAPE, grid.shape[2:], g.kernel_size, g.stride, g.padding, strict=True)
    rest = [n - ((o - 1) * s - 2 * p + k) for n, o, k, s, p in sizes]
    back = network[2].weight.permute(4, 0, 1, 2, 3)
    grid = functional.conv_transpose3d(grid, back, network[2].bias, g.stride, g.padding, rest)
    assert_same(actual, grid * occupied(coordinates), [features, *network.parameters()])


def test_pooling_is_the_largest_of_the_sites_and_can_be_gone_back(backend: str) -> None:
    coordinates = sites()
    network = SparseSequential(
        SparseMaxPool3d(2, indice_key="pool"), SparseInverseConv3d(CHANNELS, 4, 2, indice_key="pool")
    )
    network.double()
    features = (leaf(len(coordinates), CHANNELS).detach() - 5).requires_grad_()
    actual = run(network, features, coordinates, backend)
    grid = dense(features, coordinates)
    grid = torch.where(occupied(coordinates) > 0, grid, -torch.inf)
    grid = functional.max_pool3d(grid, 2)
    grid = torch.where(grid.isinf(), 0.0, grid)
    grid = functional.conv_transpose3d(grid, network[1].weight.permute(4, 0, 1, 2, 3), None, 2, 0, [0, 1, 1])
    assert_same(actual, grid * occupied(coordinates), [features, *network.parameters()])


@pytest.mark.parametrize("training", [True, False])
def test_a_network_with_batch_norm(training: bool, backend: str) -> None:
    """Dense convolutions, whose cells without a site are set to 0, and batch norm over the sites' rows."""
    coordinates = sites(shuffled=False)
    network = SparseSequential(
        SubMConv3d(CHANNELS, 4, 3, indice_key="a"),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        SubMConv3d(4, 4, 3, indice_key="a"),
        nn.BatchNorm1d(4),
        SparseConv3d(4, 5, 3, 2, 1),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        ToBEV(),
        nn.Conv2d(5 * 3, 2, 1),
    )
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.weight.uniform_(0.5, 2)
                part.bias.uniform_(-1, 1)
                part.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
                part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    network.double().train(training)
    features = leaf(len(coordinates), CHANNELS)
    twin = copy.deepcopy(network)
    actual = network(SparseTensor(features, coordinates, SHAPE, BATCH, backend))

    grid, mask = dense(features, coordinates), occupied(coordinates) > 0
    for part in list(twin)[:8]:
        if isinstance(part, SparseConv3d):
            ones = torch.ones(1, 1, 3, 3, 3, dtype=torch.float64)
            mask = functional.conv3d(mask.double(), ones, None, 2, 1) > 0.5
            grid = functional.conv3d(grid, kernel_of(part), None, 2, 1)
        elif isinstance(part, SubMConv3d):
            grid = functional.conv3d(grid, kernel_of(part), None, 1, 1) * mask
        else:
            at = mask[:, 0].nonzero(as_tuple=True)
            rows = part(grid.permute(0, 2, 3, 4, 1)[at])
            grid = torch.zeros_like(grid).permute(0, 2, 3, 4, 1).index_put(at, rows).permute(0, 4, 1, 2, 3)
    ours, theirs = ([features, *net.parameters()] for net in (network, twin))
    assert_same(actual, twin[9](grid.flatten(1, 2)), ours, theirs)
    for one, other in zip(network.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer", [ToDense, ToBEV])
def test_the_way_to_dense_tensors(layer: Callable[[], nn.Module], backend: str) -> None:
    coordinates = sites()
    features = leaf(len(coordinates), CHANNELS)
    expected = dense(features, coordinates)
    expected = expected.flatten(1, 2) if layer is ToBEV else expected
    assert torch.equal(layer()(SparseTensor(features, coordinates, SHAPE, BATCH, backend)), expected)
