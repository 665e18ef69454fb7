"""Sparse convolution and pooling against torch's dense ones in float64, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional

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

BATCH, SHAPE = 2, (5, 7, 9)


@dataclass(frozen=True)
class Steps:
    """Of a convolution."""

    kernel: tuple[int, int, int]
    stride: tuple[int, int, int] = (1, 1, 1)
    padding: tuple[int, int, int] = (0, 0, 0)
    dilation: tuple[int, int, int] = (1, 1, 1)


SETTINGS = [
    Steps((3, 3, 3)),
    Steps((3, 3, 3), (2, 2, 2), (1, 1, 1)),
    Steps((3, 1, 1), (2, 1, 1)),
    Steps((1, 1, 1)),
    Steps((2, 2, 2), (2, 2, 2)),
    Steps((2, 4, 3), (1, 3, 2), (1, 2, 0), (2, 1, 3)),
    Steps((1, 2, 1), (3, 4, 2), (0, 1, 0)),  # strides longer than the kernel: some sites reach nothing
    Steps((3, 3, 3), (1, 1, 1), (4, 3, 5), (2, 3, 2)),  # padding wider than the kernel
]


def sites(density: float = 0.25, seed: int = 0, *, shuffled: bool = False) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    found = (torch.rand(BATCH, *SHAPE, generator=rng) < density).nonzero()
    return found[torch.randperm(len(found), generator=rng)] if shuffled else found


def leaf(*shape: int, seed: int = 1) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


def dense(features: Tensor, coordinates: Tensor, shape: tuple[int, ...] = SHAPE) -> Tensor:
    grid = features.new_zeros((BATCH, *shape, features.shape[1]))
    return grid.index_put(tuple(coordinates.long().unbind(1)), features).permute(0, 4, 1, 2, 3)


def at(grid: Tensor, coordinates: Tensor) -> Tensor:
    batch, z, y, x = coordinates.long().unbind(1)
    return grid[batch, :, z, y, x]


def assert_equal_with_gradients(actual: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    cotangent = torch.randn(actual.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    ours, theirs = (torch.autograd.grad(value, leaves, cotangent) for value in (actual, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def assert_every_site(rulebook: Rulebook, reached: Tensor) -> None:
    """The output's sites are those, and in their order, that a dense convolution of ones with ones reaches."""
    assert tuple(reached.shape[2:]) == rulebook.out_shape
    assert torch.equal(rulebook.out_coordinates, (reached[:, 0] > 0.5).nonzero())


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("steps", SETTINGS, ids=str)
def test_a_strided_convolution_is_the_dense_one_at_the_sites_it_reaches(steps: Steps, shuffled: bool) -> None:
    coordinates = sites(shuffled=shuffled)
    features, weight, bias = leaf(len(coordinates), 3), leaf(4, *steps.kernel, 3, seed=2), leaf(4, seed=3)
    more = (steps.stride, steps.padding, steps.dilation)
    rulebook = strided_rulebook(coordinates, SHAPE, steps.kernel, *more, batch_size=BATCH)
    ones = torch.ones(len(coordinates), 1, dtype=torch.float64)
    reached = functional.conv3d(dense(ones, coordinates), torch.ones(1, 1, *steps.kernel).double(), None, *more)
    assert_every_site(rulebook, reached)
    expected = functional.conv3d(dense(features, coordinates), weight.permute(0, 4, 1, 2, 3), bias, *more)
    assert_equal_with_gradients(
        sparse_conv3d(features, weight, rulebook, bias),
        at(expected, rulebook.out_coordinates),
        [features, weight, bias],
    )


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (5, 1, 3), (2, 4, 2), (1, 1, 1), (7, 9, 11)])
@pytest.mark.parametrize("dilation", [(1, 1, 1), (1, 2, 3)])
def test_a_submanifold_convolution_is_the_dense_one_at_its_own_sites(
    kernel: tuple[int, int, int], dilation: tuple[int, int, int], shuffled: bool
) -> None:
    coordinates = sites(shuffled=shuffled)
    features, weight, bias = leaf(len(coordinates), 3), leaf(4, *kernel, 3, seed=2), leaf(4, seed=3)
    rulebook = submanifold_rulebook(coordinates, SHAPE, kernel, dilation, batch_size=BATCH)
    assert torch.equal(rulebook.out_coordinates, coordinates)
    padding = tuple(k // 2 * d for k, d in zip(kernel, dilation, strict=True))
    grid = dense(features, coordinates)
    expected = functional.conv3d(grid, weight.permute(0, 4, 1, 2, 3), bias, 1, padding, dilation)
    assert_equal_with_gradients(
        sparse_conv3d(features, weight, rulebook, bias), at(expected, coordinates), [features, weight, bias]
    )


@pytest.mark.parametrize("output_padding", [(0, 0, 0), (1, 0, 1)])
@pytest.mark.parametrize(
    "steps", [SETTINGS[0], SETTINGS[1], SETTINGS[4], Steps((2, 3, 4), (2, 1, 3), (1, 0, 2), (2, 2, 1))], ids=str
)
def test_a_transposed_convolution_is_the_dense_one(steps: Steps, output_padding: tuple[int, int, int]) -> None:
    limit = zip(output_padding, steps.stride, steps.dilation, strict=True)
    output_padding = tuple(min(more, max(s, d) - 1) for more, s, d in limit)  # type: ignore[assignment]
    coordinates = sites(0.1, shuffled=True)
    features, weight, bias = leaf(len(coordinates), 3), leaf(4, *steps.kernel, 3, seed=2), leaf(4, seed=3)
    more = (steps.stride, steps.padding, steps.dilation, output_padding)
    rulebook = transposed_rulebook(coordinates, SHAPE, steps.kernel, *more, batch_size=BATCH)

    def transposed(grid: Tensor, kernel: Tensor, shift: Tensor | None) -> Tensor:
        return functional.conv_transpose3d(
            grid, kernel, shift, steps.stride, steps.padding, output_padding, dilation=steps.dilation
        )

    ones = dense(torch.ones(len(coordinates), 1, dtype=torch.float64), coordinates)
    assert_every_site(rulebook, transposed(ones, torch.ones(1, 1, *steps.kernel).double(), None))
    expected = transposed(dense(features, coordinates), weight.permute(4, 0, 1, 2, 3), bias)
    assert_equal_with_gradients(
        sparse_conv3d(features, weight, rulebook, bias),
        at(expected, rulebook.out_coordinates),
        [features, weight, bias],
    )


@pytest.mark.parametrize("steps", [SETTINGS[1], SETTINGS[5], SETTINGS[6]], ids=str)
def test_an_inverse_convolution_leads_back_to_the_sites_it_came_from(steps: Steps) -> None:
    coordinates = sites(shuffled=True)
    more = (steps.stride, steps.padding, steps.dilation)
    down = strided_rulebook(coordinates, SHAPE, steps.kernel, *more, batch_size=BATCH)
    back = down.inverse()
    assert back.inverse() == down
    assert torch.equal(back.out_coordinates, coordinates)
    features, weight = leaf(len(down.out_coordinates), 3), leaf(4, *steps.kernel, 3, seed=2)
    coarse = dense(features, down.out_coordinates, down.out_shape)
    # how far beyond the reached part of the grid the input went on
    rest = [
        n - ((o - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, o, k, s, p, d in zip(SHAPE, down.out_shape, steps.kernel, *more, strict=True)
    ]
    grid = functional.conv_transpose3d(
        coarse, weight.permute(4, 0, 1, 2, 3), None, steps.stride, steps.padding, rest, dilation=steps.dilation
    )
    assert_equal_with_gradients(sparse_conv3d(features, weight, back), at(grid, coordinates), [features, weight])


@pytest.mark.parametrize("steps", [steps for steps in SETTINGS if steps.padding <= (1, 1, 1)], ids=str)
def test_max_pooling_is_the_dense_one_over_sites_alone(steps: Steps) -> None:
    coordinates = sites(shuffled=True)
    features = (leaf(len(coordinates), 3).detach() - 5).requires_grad_()
    more = (steps.stride, steps.padding, steps.dilation)
    if any(2 * p > k for p, k in zip(steps.padding, steps.kernel, strict=True)):
        pytest.skip("torch pads a pool by at most half the kernel")
    rulebook = strided_rulebook(coordinates, SHAPE, steps.kernel, *more, batch_size=BATCH)
    grid = torch.full((BATCH, *SHAPE, 3), -torch.inf, dtype=torch.float64)
    grid = grid.index_put(tuple(coordinates.unbind(1)), features).permute(0, 4, 1, 2, 3)
    expected = at(functional.max_pool3d(grid, steps.kernel, *more), rulebook.out_coordinates)
    assert_equal_with_gradients(sparse_max_pool3d(features, rulebook), expected, [features])


def test_dense_grids_and_maps_hold_the_features_at_their_sites() -> None:
    coordinates = sites(shuffled=True)
    features = leaf(len(coordinates), 4)
    grid = torch.zeros(BATCH, 4, *SHAPE, dtype=torch.float64)
    for row, (batch, z, y, x) in zip(features.detach(), coordinates.tolist(), strict=True):
        grid[batch, :, z, y, x] = row
    expected = dense(features, coordinates)
    assert torch.equal(expected.detach(), grid)
    actual = sparse_to_dense(features, coordinates.int(), SHAPE, batch_size=BATCH)
    assert_equal_with_gradients(actual, expected, [features])
    assert actual.is_contiguous(memory_format=torch.channels_last_3d)
    bev = sparse_to_bev(features, coordinates, SHAPE, batch_size=BATCH)
    expected = dense(features, coordinates)
    assert_equal_with_gradients(bev, expected.reshape(BATCH, 4 * SHAPE[0], *SHAPE[1:]), [features])
    assert bev.is_contiguous(memory_format=torch.channels_last)
