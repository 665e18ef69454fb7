"""One network, two backends: equal outputs and gradients, and one checkpoint."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from sparse_networks import SHAPE, batch, given, network, plain, relative
from torch import Tensor, nn

from bev3d.sparse import SparseModule, SparseSequential, SparseTensor, SubMConv3d, sparse_to_bev


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
