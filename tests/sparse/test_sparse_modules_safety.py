"""What breaks a sparse network elsewhere: nothing to do, autocast, eval mode, odd memory. Either backend."""

from __future__ import annotations

import copy

import pytest
import torch
from sparse_networks import batch, given, network
from torch import nn

from bev3d.sparse import SparseConv3d, SparseInverseConv3d, SparseSequential, SparseTensor, SubMConv3d


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("training", [True, False])
def test_nearly_nothing_gives_finite_outputs_and_every_parameter_a_gradient(
    count: int, training: bool, backend: str
) -> None:
    net = network().train(training)
    before = {name: value.clone() for name, value in net.state_dict().items() if "running" in name}
    coordinates = torch.tensor([[1, 4, 5, 6]], dtype=torch.int32)[:count]
    out = net(given(backend, torch.ones(count, 4, requires_grad=True), coordinates))
    assert out.shape == (2, 8 * 4, 20, 20)
    out.square().sum().backward()
    for name, value in net.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
    for name, value in before.items():
        after = net.state_dict()[name]
        assert after.isfinite().all(), name
        if count == 0 or not training:
            assert torch.equal(after, value), name


def test_a_single_row_in_training_is_normalised_by_running_statistics(backend: str) -> None:
    """torch's batch norm raises for it."""
    net = SparseSequential(SubMConv3d(4, 6, 3), nn.BatchNorm1d(6))
    net[1].running_mean.fill_(2.0)
    features, coordinates = torch.randn(1, 4), torch.tensor([[0, 1, 2, 3]], dtype=torch.int32)
    trained = net(given(backend, features, coordinates)).features
    assert torch.equal(trained, net.eval()(given(backend, features, coordinates)).features)
    assert net[1].num_batches_tracked == 0


def test_all_sites_may_vanish_and_be_gone_back_to(backend: str) -> None:
    """The last cell of an even axis is read by no kernel of 3 with stride 2 and no padding; spconv raises for it."""
    net = SparseSequential(
        SparseConv3d(4, 6, 3, 2, indice_key="down"),
        SubMConv3d(6, 6, 3),
        SparseInverseConv3d(6, 5, 3, indice_key="down"),
    )
    features = torch.randn(1, 4, requires_grad=True)
    tensor = SparseTensor(features, torch.tensor([[0, 5, 5, 5]], dtype=torch.int32), 6, 1, backend)  # type: ignore[arg-type]
    assert net[0](tensor).features.shape == (0, 6)
    out = net(tensor)
    assert out.features.tolist() == [[0.0] * 5]
    grads = torch.autograd.grad(out.features.sum(), [features, *net.parameters()])
    assert all(grad.abs().sum() == 0 for grad in grads)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_the_cpu_computes_in_float32(dtype: torch.dtype, backend: str) -> None:
    net, (features, coordinates) = network(), batch()
    before = nn.Linear(4, 4)
    net.append(nn.Conv2d(8 * 4, 3, 1))
    with torch.autocast("cpu", dtype=dtype):
        start = before(features)
        assert start.dtype == dtype
        bev = net[:-1](given(backend, start, coordinates))
        out = net[-1](bev)
    assert (bev.dtype, out.dtype) == (torch.float32, dtype)
    assert torch.equal(bev, network()(given(backend, start.float(), coordinates)))
    out.float().square().sum().backward()
    for name, value in [*net.named_parameters(), *before.named_parameters()]:
        assert value.grad is not None, name
        assert value.grad.dtype == torch.float32
        assert value.grad.isfinite().all(), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_loss_may_be_sent_back_inside_of_autocast(dtype: torch.dtype, backend: str) -> None:
    features, coordinates = batch()
    grads = []
    for enabled in (True, False):
        net, start = network(), features.clone().requires_grad_()
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            net(given(backend, start, coordinates)).square().mean().backward()
        grads.append([start.grad, *(value.grad for value in net.parameters())])
    for inside, outside in zip(*grads, strict=True):
        assert torch.equal(inside, outside)


def test_a_graph_that_is_kept_can_be_gone_through_twice(backend: str) -> None:
    net, (features, coordinates) = network(), batch()
    loss = net(given(backend, features, coordinates)).square().mean()
    once, twice = (torch.autograd.grad(loss, list(net.parameters()), retain_graph=True) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(once, twice, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_networks_run_on_the_cpu(dtype: torch.dtype, backend: str) -> None:
    layer, (features, coordinates) = SubMConv3d(4, 6, 3).to(dtype), batch()
    out = layer(given(backend, features.to(dtype), coordinates)).features
    assert out.dtype == dtype
    out.sum().backward()
    assert layer.weight.grad.dtype == dtype  # type: ignore[union-attr]
    exact = layer.double()(given(backend, features.to(dtype).double(), coordinates)).features
    torch.testing.assert_close(out.double(), exact, rtol=1e-2, atol=1e-2)


def test_eval_mode_has_gradients_and_is_not_changed_by_no_grad(backend: str) -> None:
    net, (features, coordinates) = network().eval(), batch()
    start = features.requires_grad_()
    out = net(given(backend, start, coordinates))
    out.sum().backward()
    assert start.grad is not None
    assert start.grad.abs().sum() > 0
    with torch.no_grad():
        again = net(given(backend, start, coordinates))
    assert not again.requires_grad
    assert torch.equal(again, out)
    with torch.inference_mode():
        assert torch.equal(net(given(backend, features.detach(), coordinates)), out)


def test_frozen_features_or_weights_take_no_gradient(backend: str) -> None:
    net, (features, coordinates) = network(), batch()
    net(given(backend, features, coordinates)).sum().backward()
    assert features.grad is None
    assert net[0].weight.grad is not None
    frozen = network().requires_grad_(False)
    start = features.clone().requires_grad_()
    frozen(given(backend, start, coordinates)).square().sum().backward()
    assert start.grad is not None
    assert frozen[0].weight.grad is None


def test_memory_of_any_stride_is_read_as_it_stands(backend: str) -> None:
    net, (features, coordinates) = network(), batch()
    expected = net(given(backend, features, coordinates))
    odd = torch.zeros(len(features), 8)
    odd[:, ::2] = features
    strided = coordinates.long().T.contiguous().T
    assert torch.equal(network()(given(backend, odd[:, ::2], strided)), expected)
    layer = SubMConv3d(4, 6, 3)
    copied = copy.deepcopy(layer)
    copied.weight = nn.Parameter(layer.weight.detach().permute(4, 3, 2, 1, 0).contiguous().permute(4, 3, 2, 1, 0))
    outs = [one(given(backend, features, coordinates)).features for one in (layer, copied)]
    torch.testing.assert_close(outs[0], outs[1], rtol=1e-6, atol=1e-6)
    outs[1].sum().backward()  # a cotangent of stride 0
    outs[0].backward(torch.ones_like(outs[0]))
    torch.testing.assert_close(copied.weight.grad, layer.weight.grad, rtol=1e-6, atol=1e-5)
