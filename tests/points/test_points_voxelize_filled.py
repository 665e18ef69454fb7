"""Voxels filled in one walk equal slots that are found by sorting and then filled, whatever the grid and the caps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bev3d.points import voxelize
from bev3d_ops.cpu import _hard_voxels as cpu
from bev3d_ops.cpu._voxel_bits import MOST_WORDS, words_of

RANGE_M = (-8.0, -4.0, -2.0, 8.0, 6.0, 1.0)
SIZES = {"coarse": (4.0, 5.0, 3.0), "usual": (0.5, 0.4, 0.25), "fine": (1e-2, 1e-2, 1e-2), "finest": (1e-3, 1e-3, 1e-3)}


def _points(count: int, channels: int, dtype: type) -> np.ndarray:
    """Some outside, some in one place."""
    points = np.random.default_rng(0).normal(0, 3, (count, channels))
    points[count // 2 :] = points[: count - count // 2]
    points[::7, :3] *= 0.01
    points[5, 0], points[6, 2] = np.nan, np.inf
    return points.astype(dtype)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("samples", [None, 1, 3])
@pytest.mark.parametrize(("channels", "dtype"), [(3, np.float32), (4, np.float32), (5, np.float64), (7, np.float32)])
@pytest.mark.parametrize("caps", [(1, 5), (4, 60), (1000, 10_000)])
def test_one_walk_gives_what_sorting_gives(
    size: str, samples: int | None, channels: int, dtype: type, caps: tuple[int, int]
) -> None:
    points = _points(3000, channels, dtype)
    batch = None if samples is None else np.random.default_rng(1).integers(-1, samples, len(points))
    given = (points, batch, RANGE_M, SIZES[size], *caps)
    slots, cells, numbers, point_to_voxel, dropped = cpu.hard_voxels(*given)
    voxels, *found = cpu.hard_voxels_filled(*given)
    places = found.pop(2)
    for value, expected in zip(found, (cells, numbers, point_to_voxel, dropped), strict=True):
        assert value.dtype == expected.dtype
        assert np.array_equal(value, expected)
    assert voxels.dtype == points.dtype
    assert np.array_equal(voxels, cpu.group_points(points, slots), equal_nan=True)
    assert np.array_equal(np.flatnonzero(slots >= 0), np.sort(places[places >= 0]))
    assert np.array_equal(slots.reshape(-1)[places[places >= 0]], np.flatnonzero(places >= 0))


def test_the_sizes_above_take_both_ways() -> None:
    words = {size: words_of(None, RANGE_M, SIZES[size]) for size in SIZES}
    assert words["coarse"] == 1
    assert words["usual"] < 4 * 3000 < words["fine"] < MOST_WORDS < words["finest"]


def test_a_batch_counts_its_samples_cells() -> None:
    assert words_of(np.array([-1, 2, 0]), RANGE_M, SIZES["coarse"]) == 1
    assert words_of(np.array([-1, 2, 0]), RANGE_M, SIZES["usual"]) == (3 * 32 * 25 * 12 + 63) // 64
    assert words_of(np.array([2**61]), RANGE_M, SIZES["usual"]) > MOST_WORDS
    assert words_of(np.empty(0, np.int64), RANGE_M, SIZES["coarse"]) == 1


def test_a_gradient_reaches_points_in_slots_alone() -> None:
    points = torch.from_numpy(_points(500, 4, np.float64)).requires_grad_()
    made = voxelize(
        points, range_m=RANGE_M, voxel_size_m=SIZES["usual"], max_points_per_voxel=2, max_voxels=50
    )  # fmt: skip
    weight = torch.arange(made.voxels.numel(), dtype=torch.float64).reshape(made.voxels.shape) + 1
    (made.voxels * weight).sum().backward()
    expected = torch.zeros_like(points)
    taken = torch.zeros(len(made.voxels), dtype=torch.int64)
    for i, row in enumerate(made.point_to_voxel.tolist()):
        if row >= 0:
            expected[i] = weight[row, taken[row]]
            taken[row] += 1
    assert torch.equal(points.grad, expected)
    assert (points.grad == 0).all(dim=1).sum() == (made.point_to_voxel < 0).sum() > 0
