"""Sums, means and maxima by segment against NumPy and torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.points import scatter_max, scatter_mean, scatter_sum

ALL = (scatter_sum, scatter_mean, scatter_max)


def case(seed: int, rows: int = 2000, channels: int = 7, count: int = 300) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Features with ties, rows left out, empty segments."""
    rng = torch.Generator().manual_seed(seed)
    features = torch.randint(-9, 10, (rows, channels), generator=rng) / 8
    index = torch.randint(-20, count, (rows,), generator=rng)
    index[index % 7 == 3] = -1
    return features, index, count


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_to_torch(dtype: torch.dtype) -> None:
    features, index, count = case(0)
    features = features.to(dtype)
    used = index >= 0
    chosen = index[used, None].expand(-1, features.shape[1])
    for function, how in zip(ALL, ("sum", "mean", "amax"), strict=True):
        zeros = torch.zeros(count, features.shape[1], dtype=dtype)
        expected = zeros.scatter_reduce(0, chosen, features[used], how, include_self=False)
        torch.testing.assert_close(function(features, index, count), expected)


def test_sums_are_taken_in_the_order_of_the_rows() -> None:
    """Bit for bit the running sum, and so the same on every machine."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(5000, 3)).astype(np.float32)
    index = rng.integers(0, 4, 5000)
    expected = np.zeros((4, 3), np.float32)
    for row, segment in zip(features, index, strict=True):
        expected[segment] += row
    assert np.array_equal(scatter_sum(features, index, 4), expected)


@pytest.mark.parametrize("function", ALL)
def test_several_threads_give_the_same_bits(function: Any) -> None:
    rng = torch.Generator().manual_seed(2)
    features = torch.randn(60_000, 16, generator=rng)
    index = torch.randint(-1, 5000, (60_000,), generator=rng)
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        leaf = features.clone().requires_grad_()
        out = function(leaf, index, 5000)
        out.backward(torch.ones_like(out))
        results.append((out.detach(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("function", [scatter_sum, scatter_mean])
def test_gradients_of_sums_and_means(function: Any) -> None:
    features, index, count = case(3, 60, 3, 12)
    torch.autograd.gradcheck(lambda x: function(x, index, count), features.double().requires_grad_())


def test_gradients_of_maxima_away_from_ties() -> None:
    _, index, count = case(4, 60, 3, 12)
    features = torch.randperm(180, generator=torch.Generator().manual_seed(4)).reshape(60, 3).double()
    torch.autograd.gradcheck(lambda x: scatter_max(x, index, count), features.requires_grad_())


def test_of_equal_rows_the_first_has_the_gradient() -> None:
    features = torch.tensor([[1.0, 5], [3, 5], [3, 2], [9, 9], [3, 5]], requires_grad=True)
    index = torch.tensor([2, 2, 2, -1, 2])
    out = scatter_max(features, index, 4)
    assert out.tolist() == [[0, 0], [0, 0], [3, 5], [0, 0]]
    out.backward(torch.arange(8.0).reshape(4, 2))
    assert features.grad.tolist() == [[0, 5], [4, 0], [0, 0], [0, 0], [0, 0]]


def test_negative_maxima_and_infinities_stay() -> None:
    features = torch.tensor([[-3.0], [-2.0], [-math.inf], [-math.inf], [math.inf]])
    index = torch.tensor([0, 0, 1, 1, 2])
    assert scatter_max(features, index, 4).flatten().tolist() == [-2, -math.inf, math.inf, 0]


@pytest.mark.parametrize("rows", [[0.0, math.nan, 9.0], [math.nan, 0.0, 9.0], [9.0, 1.0, math.nan]])
def test_nan_is_the_greatest(rows: list[float]) -> None:
    features = torch.tensor(rows)[:, None].repeat(1, 40).requires_grad_()
    out = scatter_max(features, torch.zeros(3, dtype=torch.int64), 1)
    assert out.isnan().all()
    out.backward(torch.ones_like(out))
    assert (features.grad == torch.tensor(rows).isnan()[:, None]).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.integers(0, 40), st.integers(1, 12), st.integers(0, 2**20))
def test_any_shape(rows: int, channels: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.integers(-3, 4, (rows, channels)).astype(np.float32)
    index = rng.integers(-2, count, rows)
    groups = [features[index == v] for v in range(count)]
    zero = np.zeros(channels, np.float32)
    assert np.array_equal(scatter_sum(features, index, count), np.stack([group.sum(axis=0) for group in groups]))
    largest = np.stack([group.max(axis=0) if len(group) else zero for group in groups])
    assert np.array_equal(scatter_max(features, index, count), largest)
    mean = np.stack([group.sum(axis=0) / np.float32(max(len(group), 1)) for group in groups])
    assert np.array_equal(scatter_mean(features, index, count), mean)


def test_half_precision_adds_up_in_single() -> None:
    features = torch.full((5000, 2), 0.1, dtype=torch.bfloat16)
    index = torch.zeros(5000, dtype=torch.int64)
    exact = float(features[0, 0])
    assert scatter_sum(features, index, 1)[0, 0].item() == pytest.approx(5000 * exact, rel=0.005)
    assert scatter_mean(features, index, 1)[0, 0].item() == exact
    assert scatter_max(features, index, 1).dtype == torch.bfloat16
    # the sum itself overflows
    many = torch.full((4, 1), 60000.0, dtype=torch.float16, requires_grad=True)
    mean = scatter_mean(many, index[:4], 1)
    assert mean.item() == many[0].item()
    mean.sum().backward()
    assert many.grad.flatten().tolist() == [0.25] * 4


def test_kinds_of_arrays() -> None:
    features, index, count = case(5)
    for function in ALL:
        expected = function(features, index, count)
        assert torch.equal(function(features, index.int(), count), expected)
        assert torch.equal(function(features.t().contiguous().t(), index.flip(0).flip(0), count), expected)
        array = function(features.numpy()[::-1][::-1], index.numpy().astype(np.uint8).astype(np.int16), 300)
        assert isinstance(array, np.ndarray)
    numpy_result = scatter_sum(features.numpy(), index.numpy(), count)
    assert np.array_equal(numpy_result, scatter_sum(features, index, count).numpy())


@pytest.mark.parametrize("function", ALL)
def test_nothing_to_add_up(function: Any) -> None:
    assert function(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), 3).tolist() == [[0] * 4] * 3
    assert function(torch.ones(2, 4), torch.tensor([-1, -7]), 3).tolist() == [[0] * 4] * 3
    assert function(torch.zeros(5, 4), torch.full((5,), -1), 0).shape == (0, 4)
    assert function(torch.zeros(5, 0), torch.zeros(5, dtype=torch.int64), 2).shape == (2, 0)


FEATURES, INDEX = torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64)


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    ("features", "index", "count", "error", "message"),
    [
        (torch.zeros(4), INDEX, 1, ValueError, r"features: expected shape \(P, >= 0\), got \(4,\)"),
        (torch.zeros(4, 3).int(), INDEX, 1, TypeError, "features: expected a floating-point dtype"),
        ([[0.0]], INDEX, 1, TypeError, "features: expected a NumPy array or a torch tensor, got list"),
        (FEATURES, INDEX[:3], 1, ValueError, r"index: expected shape \(4,\), got \(3,\)"),
        (FEATURES, torch.zeros(4, requires_grad=True), 1, TypeError, "index: expected an integer dtype, got torch.flo"),
        (FEATURES, torch.zeros(4, dtype=torch.bool), 1, TypeError, "index: expected an integer dtype, got torch.bool"),
        (FEATURES, INDEX.numpy(), 1, TypeError, "index: expected a torch tensor as features, got ndarray"),
        (FEATURES, INDEX.to("meta"), 1, ValueError, "index: expected the device of features"),
        (FEATURES, None, 1, TypeError, "index: expected a NumPy array or a torch tensor, got NoneType"),
        (FEATURES, INDEX + 2, 2, ValueError, r"index: expected values below count \(2\), got 2"),
        (FEATURES, INDEX, -1, ValueError, "count: expected an integer >= 0, got -1"),
        (FEATURES, INDEX, 1.0, TypeError, "count: expected an integer, got 1.0"),
    ],
)
def test_wrong_arguments_are_named(
    function: Any, features: Any, index: Any, count: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(features, index, count)


def test_too_many_rows_for_maxima_is_said() -> None:
    """Rows without channels take no memory."""
    from bev3d_ops.cpu._scatter import scatter_max as kernel

    index = np.broadcast_to(np.int64(0), 2**31)
    with pytest.raises(ValueError, match=r"features: expected fewer than 2\^31 rows, got 2147483648"):
        kernel(np.broadcast_to(np.float32(0), (2**31, 0)), index[:5], 1)


def _many_rows(dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray, int]:
    """Enough of them that they are read in halves; segments 3 and 4 have rows in one half only, 5 has none."""
    rng = np.random.default_rng(6)
    features = rng.integers(-50, 50, (40_001, 32)).astype(dtype)
    features[rng.random(features.shape) < 1e-4] = np.nan
    index = rng.integers(-1, 5000, len(features))
    index[(index >= 3) & (index <= 5)] = 6
    index[100:103], index[-5:-3] = 3, 4
    return features, index, 5000


def test_rows_read_in_halves_have_the_maxima_of_rows_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from bev3d_ops.cpu import _scatter as kernels

    given, before = _many_rows(), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        halves = kernels.scatter_max(*given)
    finally:
        torch.set_num_threads(before)
    monkeypatch.setattr(kernels, "_VALUES_OF_HALVES", 10**12)
    for one, other in zip(halves, kernels.scatter_max(*given), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isnan(halves[0]).any()
    assert [bool((halves[1][segment] >= 0).any()) for segment in (3, 4, 5)] == [True, True, False]


@pytest.mark.parametrize("function", ["scatter_sum", "scatter_max"])
def test_many_rows_give_the_same_on_any_number_of_threads(function: str) -> None:
    from bev3d_ops.cpu import _scatter as kernels

    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            results.append(getattr(kernels, function)(*_many_rows()))
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        for one, other in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(one, other)
