"""The sparse residual backbone: its published size, dense convolutions in float64, and spconv's own modules."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bev3d._errors import MissingPackageError
from bev3d.models._sparse_resnet import ResidualBlock, SparseResNet, SparseResNetSettings
from bev3d.sparse import Backend, SparseConv3d, SubMConv3d
from bev3d.sparse._backend import import_spconv

TINY = SparseResNetSettings(
    channels=(4, 6, 8),
    blocks=(1, 2, 1),
    strides=((2, 2, 2), (2, 1, 1)),
    paddings=((1, 1, 1), (0, 1, 1)),
    out_channels=5,
)
SHAPE, BATCH = (21, 14, 10), 2


@pytest.fixture(params=["bev3d", "spconv"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "spconv":
        request.getfixturevalue("spconv")
    return request.param


@pytest.fixture(scope="module")
def spconv() -> Any:
    try:
        return import_spconv()
    except MissingPackageError:
        pytest.skip("spconv is not installed")


def voxels(density: float = 0.15, seed: int = 0, channels: int = 5) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    coordinates = (torch.rand(BATCH, *SHAPE, generator=rng) < density).nonzero()
    return torch.randn(len(coordinates), channels, generator=rng), coordinates


def shaken(network: nn.Module, seed: int = 0) -> nn.Module:
    """With batch norms that change something."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.weight.uniform_(0.5, 2, generator=rng)
                part.bias.uniform_(-1, 1, generator=rng)
                part.running_mean.uniform_(-1, 1, generator=rng)  # type: ignore[union-attr]
                part.running_var.uniform_(0.5, 2, generator=rng)  # type: ignore[union-attr]
    return network


def published_count(channels: tuple[int, ...], blocks: tuple[int, ...], out: int, *, bias: bool) -> int:
    """Weights of 3 x 3 x 3 kernels, two numbers a batch norm, and one bias a convolution of a block."""
    stages = 27 * 5 * channels[0] + 2 * channels[0]
    for i, (width, count) in enumerate(zip(channels, blocks, strict=True)):
        stages += count * 2 * (27 * width**2 + 2 * width + bias * width)
        stages += (27 * channels[i - 1] * width + 2 * width) if i else 0
    return stages + 3 * channels[-1] * out + 2 * out


@pytest.mark.parametrize(("bias", "count"), [(False, 2_694_352), (True, 2_695_312)])
def test_the_published_size(bias: bool, count: int) -> None:
    """nuScenes, voxels of 0.075 x 0.075 x 0.2 m in +-54 m: 1440 x 1440 x 40 cells, and one more in height."""
    network = SparseResNet(5, (41, 1440, 1440), SparseResNetSettings(block_bias=bias))
    assert sum(value.numel() for value in network.parameters()) == count
    assert published_count((16, 32, 64, 128), (2, 2, 2, 2), 128, bias=bias) == count
    assert (network.out_channels, network.out_shape) == (256, (180, 180))
    assert network.settings.output_stride() == (8, 8)
    coordinates = torch.tensor([[0, 0, 0, 0], [0, 20, 700, 701], [0, 21, 700, 701], [0, 39, 1439, 1439]])
    bev = network(torch.randn(4, 5), coordinates, 1)
    assert bev.shape == (1, 256, 180, 180)
    assert bev.is_contiguous(memory_format=torch.channels_last)
    assert bool(bev[0, :, 87].any())
    assert not bev[0, :, 40].any()


def test_names_are_those_of_published_checkpoints() -> None:
    network = SparseResNet(5, (41, 64, 64), SparseResNetSettings(block_bias=True))
    names = list(dict(network.named_parameters()))
    assert names[:3] == ["conv_input.0.weight", "conv_input.1.weight", "conv_input.1.bias"]
    for name in ("conv1.0.conv1.bias", "conv2.0.weight", "conv2.1.bias", "conv2.3.conv1.weight", "conv4.4.bn2.bias"):
        assert name in names
    assert names[-3:] == ["extra_conv.0.weight", "extra_conv.1.weight", "extra_conv.1.bias"]
    assert not any("conv_input.0.bias" in name for name in names)
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm1d)]
    assert {(part.eps, part.momentum) for part in norms} == {(1e-3, 0.01)}
    assert len(norms) == 1 + 3 + 1 + 2 * 8


def rows_of(grid: Tensor, mask: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    at = mask[:, 0].nonzero(as_tuple=True)
    return grid.permute(0, 2, 3, 4, 1)[at], at


def dense_layer(layer: nn.Module, grid: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """A layer's effect on a dense grid that is 0 outside of ``mask``."""
    if isinstance(layer, SubMConv3d):
        return functional.conv3d(grid, layer.weight.permute(0, 4, 1, 2, 3), layer.bias, 1, 1) * mask, mask
    if isinstance(layer, SparseConv3d):
        g = layer.geometry
        ones = torch.ones(1, 1, *g.kernel_size, dtype=grid.dtype)
        mask = (functional.conv3d(mask, ones, None, g.stride, g.padding) > 0.5).to(grid.dtype)
        return functional.conv3d(grid, layer.weight.permute(0, 4, 1, 2, 3), None, g.stride, g.padding), mask
    if isinstance(layer, ResidualBlock):
        inner = grid
        for part in (layer.conv1, layer.bn1, nn.ReLU(), layer.conv2, layer.bn2):
            inner, _ = dense_layer(part, inner, mask)
        return torch.relu(inner + grid), mask
    if isinstance(layer, nn.Sequential):
        for part in layer:
            grid, mask = dense_layer(part, grid, mask)
        return grid, mask
    rows, at = rows_of(grid, mask)
    filled = torch.zeros_like(grid).permute(0, 2, 3, 4, 1).index_put(at, layer(rows.clone()))
    return filled.permute(0, 4, 1, 2, 3), mask


def dense_run(network: SparseResNet, features: Tensor, coordinates: Tensor) -> Tensor:
    at = tuple(coordinates.unbind(1))
    grid = features.new_zeros((BATCH, *SHAPE, features.shape[1])).index_put(at, features).permute(0, 4, 1, 2, 3)
    mask = features.new_zeros((BATCH, *SHAPE, 1)).index_put(at, features.new_ones(len(features), 1))
    mask = mask.permute(0, 4, 1, 2, 3)
    for layer in network.children():
        grid, mask = dense_layer(layer, grid, mask)
    return grid.flatten(1, 2)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("training", [True, False])
def test_it_is_the_network_of_dense_convolutions(training: bool, bias: bool, backend: Backend) -> None:
    """In float64, with every gradient and the running statistics. (spconv alone loses biases in eval on a CPU.)"""
    settings = SparseResNetSettings(**{**vars(TINY), "block_bias": bias})
    network = shaken(SparseResNet(5, SHAPE, settings, backend=backend)).double().train(training)
    twin = copy.deepcopy(network)
    features, coordinates = voxels()
    one, other = (features.double().requires_grad_() for _ in range(2))
    actual, expected = network(one, coordinates, BATCH), dense_run(twin, other, coordinates)
    assert actual.shape == (BATCH, network.out_channels, *network.out_shape) == (BATCH, 10, 7, 5)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    cotangent = torch.randn(actual.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    ours = torch.autograd.grad(actual, [one, *network.parameters()], cotangent)
    theirs = torch.autograd.grad(expected, [other, *twin.parameters()], cotangent)
    for grad, truth in zip(ours, theirs, strict=True):
        torch.testing.assert_close(grad, truth, rtol=1e-9, atol=1e-9)
    for value, truth in zip(network.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(value, truth, rtol=1e-11, atol=1e-11)


def test_the_backend_is_chosen_anew_at_any_time(spconv: Any) -> None:
    torch.manual_seed(0)
    network = SparseResNet(5, SHAPE, TINY).eval()
    assert network.backend == "auto"
    features, coordinates = voxels()
    outs = []
    for choice in ("bev3d", "spconv", "auto"):
        network.backend = choice
        outs.append(network(features, coordinates, BATCH))
    assert torch.equal(outs[0], outs[2])
    torch.testing.assert_close(outs[0], outs[1], rtol=1e-5, atol=1e-6)
    other = SparseResNet(5, SHAPE, TINY, backend="spconv")
    assert list(other.state_dict()) == list(network.state_dict())
    other.load_state_dict(network.state_dict(), strict=True)


@pytest.mark.parametrize("training", [True, False])
def test_an_empty_batch_and_an_empty_sample(training: bool, backend: Backend) -> None:
    network = SparseResNet(5, SHAPE, TINY, backend=backend).train(training)
    bev = network(torch.zeros(0, 5), torch.zeros(0, 4).int(), 3)
    assert bev.shape == (3, 10, 7, 5)
    assert not bev.any()
    bev.sum().backward()
    assert all(value.grad is not None for value in network.parameters())
    features, coordinates = voxels()
    keep = coordinates[:, 0] == 1
    bev = network(features[keep], coordinates[keep], BATCH)
    assert not bev[0].any()
    assert bev[1].any()
    assert all(value.isfinite().all() for value in network.state_dict().values())


def test_samples_do_not_see_each_other(backend: Backend) -> None:
    network = SparseResNet(5, SHAPE, TINY, backend=backend).eval()
    features, coordinates = voxels()
    both = network(features, coordinates, BATCH)
    for sample in range(BATCH):
        keep = coordinates[:, 0] == sample
        alone = network(features[keep], coordinates[keep] - torch.tensor([sample, 0, 0, 0]), 1)
        torch.testing.assert_close(both[sample], alone[0], rtol=1e-5, atol=1e-6)


def test_autocast_around_it_leaves_it_as_it_is(backend: Backend) -> None:
    network = SparseResNet(5, SHAPE, TINY, backend=backend).eval()
    features, coordinates = voxels()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = network(features, coordinates, BATCH)
    assert torch.equal(inside, network(features, coordinates, BATCH))


def test_a_small_network_for_a_cpu() -> None:
    """Voxels of 0.4 m, cells of 0.8 m."""
    settings = SparseResNetSettings((16, 32, 64), (1, 1, 1), ((2, 2, 2), (2, 1, 1)), ((1, 1, 1), (1, 1, 1)), 64)
    network = SparseResNet(5, (21, 256, 256), settings)
    assert settings.output_stride() == (2, 2)
    assert network.out_shape == (128, 128)
    assert network.out_channels == 64 * 2
    count = sum(value.numel() for value in network.parameters())
    assert count == published_count((16, 32, 64), (1, 1, 1), 64, bias=False)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (r"channels: expected one number >= 1 or more, got \(\)", {"channels": ()}),
        ("channels: .* >= 1", {"channels": (16, 0, 64, 128)}),
        ("blocks: expected 4 numbers >= 0", {"blocks": (2, 2)}),
        (r"strides: expected 3 times \(z, y, x\)", {"strides": ((2, 2, 2),)}),
        (r"paddings: expected 3 times \(z, y, x\)", {"paddings": ((1, 1),) * 3}),
    ],
)
def test_settings_that_do_not_fit_together(text: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=text):
        SparseResNetSettings(**values)


def test_a_grid_that_is_too_low_for_the_strides_is_an_error() -> None:
    with pytest.raises(ValueError, match="shape of the output"):
        SparseResNet(5, (4, 64, 64))
