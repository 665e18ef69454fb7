"""Sparse modules on a GPU: either backend against float64 on the CPU."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from bev3d.sparse import SparseConv3d, SparseInverseConv3d, SparseSequential, SparseTensor, SubMConv3d, ToBEV

pytestmark = pytest.mark.cuda

SHAPE = (9, 20, 20)


def network() -> SparseSequential:
    torch.manual_seed(0)
    return SparseSequential(
        SubMConv3d(5, 16, 3, indice_key="a"),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        SubMConv3d(16, 16, 3, indice_key="a"),
        SparseConv3d(16, 32, 3, 2, 1, indice_key="down"),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        SparseInverseConv3d(32, 16, 3, indice_key="down"),
        SparseConv3d(16, 16, (3, 1, 1), (2, 1, 1)),
        ToBEV(),
    )


def batch(count: int | None = None) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    coordinates = (torch.rand(2, *SHAPE, generator=rng) < 0.1).nonzero().int()[:count]
    return torch.randn(len(coordinates), 5, generator=rng), coordinates


def run(net: nn.Module, features: Tensor, coordinates: Tensor, backend: str) -> list[Tensor]:
    start = features.clone().requires_grad_()
    out = net(SparseTensor(start, coordinates, SHAPE, 2, backend))  # type: ignore[arg-type]
    # scaled as a GradScaler would: float16 has no numbers below 6e-8
    grads = torch.autograd.grad(2**16 * out.double().square().mean(), [start, *net.parameters()])
    return [value.detach().double().cpu() for value in (out, *grads)]


def relative(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("autocast", "tolerance"),
    [(None, 5e-3), (torch.float16, 3e-2), (torch.bfloat16, 2e-1)],  # spconv multiplies float32 in TF32
    ids=str,
)
def test_outputs_and_gradients(training: bool, autocast: torch.dtype | None, tolerance: float, backend: str) -> None:
    net, (features, coordinates) = network().train(training), batch()
    expected = run(copy.deepcopy(net).double(), features.double(), coordinates, "bev3d")
    with torch.autocast("cuda", dtype=autocast or torch.float16, enabled=autocast is not None):
        actual = run(net.cuda(), features.cuda(), coordinates.cuda(), backend)
    for one, truth in zip(actual, expected, strict=True):
        assert one.isfinite().all()
        assert relative(one, truth) < tolerance


@pytest.mark.parametrize("count", [0, 1])
def test_nearly_nothing(count: int, backend: str) -> None:
    features, coordinates = batch(count)
    for value in run(network().cuda(), features.cuda(), coordinates.cuda(), backend):
        assert value.isfinite().all()


def test_all_sites_may_vanish(backend: str) -> None:
    layer = SparseConv3d(5, 6, 3, 2).cuda()
    site = torch.tensor([[0, 5, 5, 5]], dtype=torch.int32).cuda()
    out = layer(SparseTensor(torch.ones(1, 5).cuda(), site, 6, 1, backend))  # type: ignore[arg-type]
    assert out.features.shape == (0, 6)
    out.features.sum().backward()
    assert layer.weight.grad is not None


def test_sites_outside_or_twice_are_errors(backend: str) -> None:
    for rows, text in (([[0, 0, 0, 0], [0, 9, 0, 0]], "1 of 2 rows outside"), ([[0, 1, 2, 3]] * 2, "1 repeated")):
        with pytest.raises(ValueError, match=text):
            SparseTensor(torch.ones(2, 5).cuda(), torch.tensor(rows).cuda(), SHAPE, 2, backend)  # type: ignore[arg-type]


def test_a_state_moves_to_the_cpu_and_back(backend: str) -> None:
    net, (features, coordinates) = network().cuda().eval(), batch()
    on_gpu = net(SparseTensor(features.cuda(), coordinates.cuda(), SHAPE, 2, backend))  # type: ignore[arg-type]
    on_cpu = net.cpu()(SparseTensor(features, coordinates, SHAPE, 2, backend))  # type: ignore[arg-type]
    assert relative(on_gpu.detach().cpu(), on_cpu.detach()) < 5e-3
