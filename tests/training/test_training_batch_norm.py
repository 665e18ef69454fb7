"""Batch norm over all ranks: with one rank it is torch's own, to rounding, and it takes what torch's does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, distributed, nn

from bev3d.training import SynchronisedBatchNorm, synchronise_batch_norm


@pytest.fixture
def one_rank() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def twins(layer: nn.Module) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    twin = type(layer)(layer.num_features, momentum=layer.momentum, affine=layer.affine).double()  # type: ignore
    layer = layer.double()
    twin.load_state_dict(layer.state_dict())
    return layer, synchronise_batch_norm(twin)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("shape", [(7, 3), (2, 3, 5, 4)])
@pytest.mark.parametrize("affine", [True, False])
def test_equals_torchs(one_rank: None, momentum: float | None, shape: tuple[int, ...], affine: bool) -> None:
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    usual, ours = twins(kind(3, momentum=momentum, affine=affine))
    assert isinstance(ours, SynchronisedBatchNorm)
    assert ours.state_dict().keys() == usual.state_dict().keys()
    for _ in range(3):
        values = torch.randn(shape, dtype=torch.float64) * 3 + 1
        inputs = [values.clone().requires_grad_() for _ in range(2)]
        outputs = [layer(one) for layer, one in zip((usual, ours), inputs, strict=True)]
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-10, atol=1e-12)
        cotangent = torch.randn(shape, dtype=torch.float64)
        for output in outputs:
            output.backward(cotangent)
        torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=1e-10, atol=1e-12)
        for one, two in zip(usual.parameters(), ours.parameters(), strict=True):
            torch.testing.assert_close(two.grad, one.grad, rtol=1e-10, atol=1e-12)
    for name, value in usual.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-10, atol=1e-12)
    usual.eval()
    ours.eval()
    torch.testing.assert_close(ours(values), usual(values), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3)])
def test_a_rank_with_hardly_anything(one_rank: None, shape: tuple[int, int]) -> None:
    layer = synchronise_batch_norm(nn.BatchNorm1d(3))
    values = torch.randn(shape, requires_grad=True)
    output = layer(values)
    output.sum().backward()
    assert output.shape == shape
    assert values.grad is not None
    assert bool(values.grad.isfinite().all())
    assert all(bool(value.isfinite().all()) for value in layer.state_dict().values())
    if not len(values):
        assert torch.equal(layer.running_var, torch.ones(3))


def test_half_precision_keeps_the_type_and_float32_statistics(one_rank: None) -> None:
    layer = synchronise_batch_norm(nn.BatchNorm2d(2))
    with torch.autocast("cpu", torch.bfloat16):
        output: Tensor = layer(torch.randn(2, 2, 3, 3).bfloat16())
    assert output.dtype == torch.bfloat16
    assert layer.running_mean.dtype == torch.float32


def test_every_layer_is_replaced_and_shares_its_parameters() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()))
    weight, names = network[1][0].weight, list(network.state_dict())
    assert synchronise_batch_norm(network) is network
    assert isinstance(network[1][0], SynchronisedBatchNorm)
    assert network[1][0].weight is weight
    assert list(network.state_dict()) == names


def test_wrong_shape() -> None:
    with pytest.raises(ValueError, match=r"input: expected \(N, C, ...\), got \(3,\)"):
        SynchronisedBatchNorm(nn.BatchNorm1d(3), None)(torch.zeros(3))
