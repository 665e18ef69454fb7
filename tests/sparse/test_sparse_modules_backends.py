"""One network, two backends: equal outputs and gradients, one checkpoint, and no case in which one of them breaks."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bev3d.sparse import (
    SparseConv3d,
    SparseInverseConv3d,
    SparseModule,
    SparseSequential,
    SparseTensor,
    SubMConv3d,
    ToBEV,
    sparse_to_bev,
)

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


@pytest.mark.parametrize(
    ("training", "dtype", "tolerance", "gradient_tolerance"),
    [
        (False, torch.float32, 1e-6, 1e-6),
        # through four batch norms in training float32 itself is 1.2e-6 away from float64
        (True, torch.float32, 1e-6, 2e-6),
        (True, torch.float64, 1e-14, 1e-14),
    ],
)
def test_outputs_and_gradients_are_equal(
    training: bool, dtype: torch.dtype, tolerance: float, gradient_tolerance: float, spconv: Any
) -> None:
    net = network().train(training)
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
                part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    features, coordinates = batch()
    values, grads = [], []
    for backend in ("bev3d", "spconv"):
        one, start = copy.deepcopy(net).to(dtype), features.to(dtype).requires_grad_()
        out = one(given(backend, start, coordinates))
        grads.append(torch.autograd.grad(out.square().mean(), [start, *one.parameters()]))
        values.append([out, *[value for value in one.buffers() if value.is_floating_point()]])
    for ours, theirs in zip(*values, strict=True):
        assert relative(ours, theirs) < tolerance
    for ours, theirs in zip(*grads, strict=True):
        assert relative(ours, theirs) < gradient_tolerance


def test_drawn_weights_names_and_layouts_are_spconvs(spconv: Any) -> None:
    ours, theirs = network(3).state_dict(), plain(spconv, 3).state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_drawing_takes_torchs_generator_alone_and_spconv_draws_nothing(spconv: Any) -> None:
    net, features, coordinates = network(), *batch()
    before = torch.random.get_rng_state()
    net(given("spconv", features, coordinates))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(network(5)[0].weight, network(5)[0].weight)
    assert not torch.equal(network(5)[0].weight, network(6)[0].weight)


@pytest.mark.parametrize("kernel", [3, (3, 1, 1)])
def test_weights_are_drawn_within_the_root_of_what_comes_in(kernel: int | tuple[int, int, int]) -> None:
    layer = SubMConv3d(32, 64, kernel, bias=True)
    bound = (32 * layer.weight[0, ..., 0].numel()) ** -0.5
    assert 0.98 * bound < float(layer.weight.detach().abs().max()) <= bound
    assert 0.9 * bound < float(layer.bias.detach().abs().max()) <= bound  # type: ignore[union-attr]
    assert float(layer.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.05)


def test_a_state_moves_to_plain_spconv_and_back(spconv: Any, tmp_path: Path) -> None:
    ours, theirs = network(1), plain(spconv, 2)
    features, coordinates = batch()

    def run_plain() -> Tensor:
        # it reads memory of other strides as if it were contiguous
        out = theirs(spconv.SparseConvTensor(features, coordinates.contiguous(), list(SHAPE), 2))
        return sparse_to_bev(out.features, out.indices, out.spatial_shape, batch_size=2)

    torch.save(ours.state_dict(), tmp_path / "ours.pt")
    theirs.load_state_dict(torch.load(tmp_path / "ours.pt", weights_only=True), strict=True)
    expected = run_plain()
    for backend in ("bev3d", "spconv"):
        one = network(1)
        assert relative(one(given(backend, features, coordinates)), expected) < 1e-6
    torch.save(plain(spconv, 7).state_dict(), tmp_path / "theirs.pt")
    for net in (ours, theirs):
        net.load_state_dict(torch.load(tmp_path / "theirs.pt", weights_only=True), strict=True)
    ours.eval(), theirs.eval()
    assert relative(ours(given("bev3d", features, coordinates)), run_plain()) < 1e-6


def test_backends_take_turns_in_one_training(spconv: Any) -> None:
    """The optimiser's state, the running statistics and the weights do not know who computed them."""
    curves = []
    for turns in (("bev3d",), ("bev3d", "spconv")):
        net = network()
        optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
        losses = []
        for step in range(4):
            features, coordinates = batch(seed=step)
            loss = net(given(turns[step % len(turns)], features, coordinates)).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        curves.append(losses)
    assert curves[0][3] < curves[0][0]
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)


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


def test_copies_are_their_own(backend: str) -> None:
    """As an exponential moving average keeps one."""
    net, (features, coordinates) = network(), batch()
    before = net(given(backend, features, coordinates))
    kept = torch.optim.swa_utils.AveragedModel(net.eval())
    with torch.no_grad():
        net[0].weight.zero_()
    twin = copy.deepcopy(kept)
    for one in (kept, twin):
        assert torch.equal(one.module.train()(given(backend, features, coordinates)), before)
    assert not torch.equal(net.train()(given(backend, features, coordinates)), before)


def test_a_pickled_network_that_ran_in_spconv_knows_nothing_of_it(spconv: Any) -> None:
    """Processes that are started anew are given their network in that way."""
    net = network()
    net(given("spconv", *batch()))
    assert b"spconv.pytorch" not in pickle.dumps(net)
    assert b"torch" in pickle.dumps(net)


def test_one_input_may_pass_several_networks(backend: str) -> None:
    tensor = given(backend, *batch())
    first, second = network(1)(tensor), network(2)(tensor)
    assert torch.equal(network(1)(tensor), first)
    assert not torch.equal(first, second)
    assert tensor.connections == {}


def test_layers_of_one_key_share_their_pairs(backend: str) -> None:
    tensor = given(backend, *batch())
    one = SubMConv3d(4, 6, 3, indice_key="a")(tensor)
    two = SubMConv3d(6, 6, 3, indice_key="a")(one)
    assert two.connections["a"] is one.connections["a"]
    assert two.coordinates is tensor.coordinates


def test_modules_of_ones_own_are_given_the_sparse_tensor(backend: str) -> None:
    class Count(SparseModule):
        def forward(self, tensor: SparseTensor) -> Tensor:
            return torch.tensor([len(tensor.features), tensor.features.shape[1]])

    features, coordinates = batch()
    assert SparseSequential(nn.Linear(4, 7), Count())(given(backend, features, coordinates)).tolist() == [
        len(features),
        7,
    ]


@pytest.mark.slow
def test_importing_bev3d_does_not_import_spconv_and_spconv_comes_without_a_warning(spconv: Any) -> None:
    script = (
        "import sys, torch, bev3d.sparse as s; assert 'spconv' not in sys.modules; "
        "t = s.SparseTensor(torch.ones(1, 2), torch.zeros(1, 4).int(), 3, 1, backend='spconv'); "
        "assert 'spconv.pytorch' in sys.modules; print(s.SubMConv3d(2, 3, 3)(t).features.shape)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "torch.Size([1, 3])\n"), done.stderr
