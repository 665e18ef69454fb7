"""Sparse convolution at its border: nothing, one site, huge grids, and arguments that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from bev3d.sparse import (
    Rulebook,
    sparse_conv3d,
    sparse_max_pool3d,
    sparse_to_bev,
    sparse_to_dense,
    strided_rulebook,
    submanifold_rulebook,
    transposed_rulebook,
)
from bev3d_ops.registered import _sparse as ops

RULEBOOKS = [submanifold_rulebook, strided_rulebook, transposed_rulebook]
SHAPE = (4, 5, 6)


def some(rows: list[list[int]] | None = None, dtype: torch.dtype = torch.int32) -> Tensor:
    return torch.tensor(rows or [[0, 0, 0, 0], [0, 1, 2, 3], [1, 3, 4, 5]], dtype=dtype)


@pytest.mark.parametrize("make", RULEBOOKS)
def test_no_site_gives_no_row_and_gradients_of_nothing(make: Callable[..., Rulebook], device: torch.device) -> None:
    rulebook = make(torch.zeros(0, 4, dtype=torch.int32, device=device), SHAPE, 3, batch_size=2)
    assert rulebook.out_coordinates.shape == (0, 4)
    assert rulebook.offsets.tolist() == [0] * 28
    features = torch.zeros(0, 5, device=device, requires_grad=True)
    weight = torch.ones(7, 3, 3, 3, 5, device=device, requires_grad=True)
    out = sparse_conv3d(features, weight, rulebook, torch.ones(7, device=device))
    assert out.shape == (0, 7)
    grads = torch.autograd.grad(out.sum(), [features, weight])
    assert grads[0].shape == (0, 5)
    assert grads[1].abs().sum() == 0
    assert sparse_max_pool3d(features, rulebook).shape == (0, 5)
    assert sparse_to_bev(features, rulebook.in_coordinates, SHAPE, batch_size=2).shape == (2, 20, 5, 6)


@pytest.mark.parametrize("make", RULEBOOKS)
def test_one_site(make: Callable[..., Rulebook], device: torch.device) -> None:
    rulebook = make(some([[0, 2, 3, 4]]).to(device), SHAPE, 1, batch_size=1)
    weight = torch.arange(6.0, device=device).reshape(2, 1, 1, 1, 3)
    out = sparse_conv3d(torch.tensor([[1.0, 10.0, 100.0]], device=device), weight, rulebook)
    assert rulebook.out_coordinates.tolist() == [[0, 2, 3, 4]]
    assert out.tolist() == [[210.0, 543.0]]


def test_a_neighbour_over_the_edge_of_a_row_plane_or_sample_is_none() -> None:
    coordinates = some([[0, 0, 0, 5], [0, 0, 1, 0], [0, 0, 4, 5], [0, 1, 0, 0], [0, 3, 4, 5], [1, 0, 0, 0]])
    rulebook = submanifold_rulebook(coordinates, SHAPE, (5, 3, 7), (1, 2, 1), batch_size=2)
    # each finds itself alone, or a site that is within reach: rows 0 and 1 lie one row and five columns apart
    for i, o in zip(rulebook.pair_in.tolist(), rulebook.pair_out.tolist(), strict=True):
        step = (coordinates[i] - coordinates[o]).tolist()
        assert step[0] == 0
        assert abs(step[1]) <= 2
        assert step[2] in (-2, 0, 2)
        assert abs(step[3]) <= 3


def test_grids_of_more_than_two_to_the_31_cells() -> None:
    shape = (1 << 12, 1 << 20, 1 << 20)
    coordinates = some([[0, 0, 0, 0], [0, 4095, (1 << 20) - 1, (1 << 20) - 2], [0, 4095, (1 << 20) - 1, (1 << 20) - 1]])
    rulebook = submanifold_rulebook(coordinates, shape, 3, batch_size=1)
    assert rulebook.pair_in.tolist() == [1, 0, 1, 2, 2]
    assert rulebook.pair_out.tolist() == [2, 0, 1, 2, 1]
    halved = strided_rulebook(coordinates, shape, 2, 2, batch_size=1)
    assert halved.out_coordinates.tolist() == [[0, 0, 0, 0], [0, 2047, (1 << 19) - 1, (1 << 19) - 1]]
    assert sorted(halved.pair_out.tolist()) == [0, 1, 1]


@pytest.mark.parametrize("make", RULEBOOKS)
def test_more_cells_than_can_be_numbered_is_an_error(make: Callable[..., Rulebook]) -> None:
    with pytest.raises(ValueError, match=r"spatial_shape: expected fewer than 2\*\*62 cells"):
        make(some(), 1 << 21, 3, batch_size=2)


@pytest.mark.parametrize("make", RULEBOOKS)
@pytest.mark.parametrize(
    ("row", "text"),
    [([0, 4, 0, 0], r"\[0, 4, 0, 0\] in row 1"), ([0, 0, 0, -1], "row 1"), ([2, 0, 0, 0], "row 1")],
)
def test_a_site_outside_is_an_error_that_shows_it(make: Callable[..., Rulebook], row: list[int], text: str) -> None:
    with pytest.raises(ValueError, match=r"coordinates: expected 0 <= \(batch, z, y, x\) < \(2, 4, 5, 6\).*" + text):
        make(some([[0, 0, 0, 0], row]), SHAPE, 3, batch_size=2)


@pytest.mark.parametrize("make", RULEBOOKS)
def test_a_repeated_site_is_an_error_that_shows_it(make: Callable[..., Rulebook]) -> None:
    with pytest.raises(ValueError, match=r"each site once, got \[0, 1, 2, 3\] in rows 0 and 2"):
        make(some([[0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 2, 3]]), SHAPE, 3, batch_size=1)


@pytest.mark.parametrize(
    ("error", "text", "arguments"),
    [
        (TypeError, "coordinates: expected a torch tensor", {"coordinates": [[0, 0, 0, 0]]}),
        (TypeError, "coordinates: expected dtype int32 or int64, got torch.float32", {"coordinates": some().float()}),
        (ValueError, r"coordinates: expected shape \(V, 4\)", {"coordinates": some()[:, 1:]}),
        (ValueError, "kernel_size: .* each >= 1, got 0", {"kernel_size": 0}),
        (ValueError, "kernel_size: .* three", {"kernel_size": (3, 3)}),
        (TypeError, "kernel_size: expected an integer", {"kernel_size": (3, 3, 1.5)}),
        (ValueError, "stride: .* >= 1", {"stride": (1, 0, 1)}),
        (ValueError, "padding: .* >= 0, got -1", {"padding": -1}),
        (ValueError, "dilation: .* >= 1", {"dilation": 0}),
        (ValueError, "spatial_shape: .* >= 1", {"spatial_shape": (4, 0, 6)}),
        (ValueError, "batch_size: expected >= 1, got 0", {"batch_size": 0}),
        (TypeError, "batch_size: expected an integer", {"batch_size": 1.0}),
        (ValueError, "shape of the output: ", {"kernel_size": 7}),
    ],
)
def test_wrong_arguments_of_a_rulebook(error: type[Exception], text: str, arguments: dict[str, Any]) -> None:
    right = {"coordinates": some(), "spatial_shape": SHAPE, "kernel_size": 3, "batch_size": 2}
    with pytest.raises(error, match=text):
        strided_rulebook(**(right | arguments))


@pytest.mark.parametrize(
    ("error", "text", "features", "weight", "bias"),
    [
        (ValueError, r"features: expected shape \(3, C\)", torch.ones(2, 5), torch.ones(7, 3, 3, 3, 5), None),
        (TypeError, "features: expected a floating", torch.ones(3, 5).int(), torch.ones(7, 3, 3, 3, 5), None),
        (TypeError, "features: expected a torch tensor", [[1.0]], torch.ones(7, 3, 3, 3, 5), None),
        (ValueError, r"weight: .*3, 3, 3, 5\), got", torch.ones(3, 5), torch.ones(7, 5, 3, 3, 3), None),
        (ValueError, "weight: expected 5 dim", torch.ones(3, 5), torch.ones(7, 27, 5), None),
        (TypeError, "weight: .*float32.*float64", torch.ones(3, 5), torch.ones(7, 3, 3, 3, 5).double(), None),
        (ValueError, r"bias: expected shape \(7,\)", torch.ones(3, 5), torch.ones(7, 3, 3, 3, 5), torch.ones(5)),
        (TypeError, "bias: .*dtype", torch.ones(3, 5), torch.ones(7, 3, 3, 3, 5), torch.ones(7).double()),
    ],
)
def test_wrong_arguments_of_a_convolution(
    error: type[Exception], text: str, features: Any, weight: Any, bias: Any
) -> None:
    rulebook = submanifold_rulebook(some(), SHAPE, 3, batch_size=2)
    with pytest.raises(error, match=text):
        sparse_conv3d(features, weight, rulebook, bias)


@pytest.mark.parametrize("to", [sparse_to_dense, sparse_to_bev])
def test_a_dense_grid_takes_no_site_outside(to: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match=r"coordinates: .* got \[0, 0, 0, -1\] in row 1"):
        to(torch.ones(2, 3), some([[0, 0, 0, 0], [0, 0, 0, -1]]), SHAPE, batch_size=1)


@pytest.mark.parametrize(
    ("pair_in", "pair_out", "offsets", "text"),
    [
        ([0, 3], [0, 1], [0, 2], "point outside|expected offsets"),
        ([0, 1], [0, -1], [0, 2], "expected offsets"),
        ([0, 1], [0, 1], [0, 3], "expected offsets"),
        ([0, 1], [0, 1], [1, 2], "expected offsets"),
        ([0, 1, 2], [1, 0, 1], [0, 3], "each row at most once"),
    ],
)
def test_pairs_that_would_write_elsewhere_or_twice(
    pair_in: list[int], pair_out: list[int], offsets: list[int], text: str
) -> None:
    pairs = (torch.tensor(pair_in).int(), torch.tensor(pair_out).int(), torch.tensor(offsets))
    with pytest.raises(ValueError, match=text):
        ops.sparse_conv(torch.ones(3, 2), torch.ones(2, 1, 1, 1, 2), None, *pairs, 2)


def test_the_operations_themselves_take_no_shapes_that_do_not_fit() -> None:
    """Behind them are loops without bounds."""
    pairs = (torch.tensor([0]).int(), torch.tensor([0]).int(), torch.tensor([0, 1]))
    right = (torch.ones(1, 2), torch.ones(3, 1, 1, 1, 2), None)
    for wrong in (torch.ones(3, 1, 1, 2, 2), torch.ones(3, 1, 1, 1, 3), torch.ones(3, 2)):
        with pytest.raises(ValueError, match="weight: expected shape"):
            ops.sparse_conv(right[0], wrong, None, *pairs, 1)
    with pytest.raises(TypeError, match=r"pair_out: expected dtype .*int32, got .*int64"):
        ops.sparse_conv(*right, pairs[0], pairs[1].long(), pairs[2], 1)
    with pytest.raises(ValueError, match="pair_out: expected the length of pair_in, 1, got 2"):
        ops.sparse_conv(*right, pairs[0], torch.tensor([0, 1]).int(), pairs[2], 1)
    with pytest.raises(ValueError, match="offsets: expected K"):
        ops.sparse_max_pool(right[0], *pairs[:2], pairs[2][:0], 1)
    with pytest.raises(ValueError, match="kernel_size: expected 1 offsets"):
        ops.sparse_conv_weight_grad(right[0], torch.ones(1, 3), *pairs, [3, 1, 1])
    with pytest.raises(ValueError, match=r"winner: expected int32 of shape \(1, 3\)"):
        ops.sparse_max_pool_grad(torch.ones(1, 3), torch.zeros(1, 2).int(), *pairs, 1)


def test_strided_views_of_features_and_weights_are_taken() -> None:
    rulebook = submanifold_rulebook(some(), SHAPE, 3, batch_size=2)
    features, weight = torch.randn(5, 3).t(), torch.randn(3, 3, 3, 5, 14)[..., ::2].permute(4, 0, 1, 2, 3)
    expected = sparse_conv3d(features.contiguous(), weight.contiguous(), rulebook)
    assert torch.equal(sparse_conv3d(features, weight, rulebook), expected)


def test_not_a_number_stays_with_the_sites_that_read_it() -> None:
    coordinates = some([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 5]])
    rulebook = submanifold_rulebook(coordinates, SHAPE, 3, batch_size=1)
    features = torch.tensor([[torch.nan], [1.0], [2.0]])
    out = sparse_conv3d(features, torch.ones(1, 3, 3, 3, 1), rulebook)
    assert out.isnan().flatten().tolist() == [True, True, False]


def test_a_network_of_rulebooks_and_convolutions_compiles_into_one_graph() -> None:
    def network(coordinates: Tensor, features: Tensor, weight: Tensor) -> Tensor:
        rulebook = strided_rulebook(coordinates, SHAPE, 3, 2, 1, batch_size=2)
        return sparse_conv3d(features, weight, rulebook).relu().sum(0)

    torch._dynamo.reset()
    features, weight = torch.randn(3, 5), torch.randn(7, 3, 3, 3, 5)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(some(), features, weight), network(some(), features, weight))
