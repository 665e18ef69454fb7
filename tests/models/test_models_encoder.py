"""Height-slice statistics: the kernel against the plain definition, and hand-made clouds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.config import Config
from bev3d.models import encode_points, encoder_channels
from bev3d_ops.cpu._pillars import height_slice_image as kernel
from bev3d_ops.reference._pillars import height_slice_image as reference

RANGE_M = (-4.0, -2.0, -3.0, 4.0, 2.0, 1.0)
VOXEL_M = (0.5, 0.25, 4.0)


def cloud(seed: int, count: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    points = random.uniform((-5, -3, -4, 0, 0), (5, 3, 2, 1, 0.25), (count, 5)).astype(np.float32)
    points[random.random(count) < 0.3, 4] = 0.0
    return points


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 600), slices=st.integers(1, 9))
def test_kernel_equals_reference(seed: int, count: int, slices: int) -> None:
    points = cloud(seed, count)
    image = kernel(points, RANGE_M, VOXEL_M, slices)
    expected = reference(torch.from_numpy(points), RANGE_M, VOXEL_M, slices).numpy()
    assert image.dtype == np.float32
    assert image.shape == expected.shape == (16, 16, 2 * slices + 10)
    np.testing.assert_allclose(image, expected, rtol=1e-5, atol=2e-6)


def test_order_of_points_does_not_matter_beyond_rounding() -> None:
    points = cloud(3, 5000)
    shuffled = points[np.random.default_rng(0).permutation(len(points))]
    np.testing.assert_allclose(
        kernel(points, RANGE_M, VOXEL_M, 8), kernel(shuffled, RANGE_M, VOXEL_M, 8), rtol=1e-4, atol=1e-5
    )


def test_features_of_two_points_by_hand() -> None:
    points = np.array([[0.1, 0.1, -2.5, 0.2, 0.0], [0.3, 0.2, 0.25, 0.6, 0.05]], np.float32)
    image = kernel(points, RANGE_M, VOXEL_M, 4)
    cell = image[8, 8]  # y 0..0.25 and x 0..0.5
    assert np.count_nonzero(np.delete(image.reshape(-1, 18), 8 * 16 + 8, axis=0)) == 0
    one, two = math.log(2), math.log(3)
    heights = (0.5 / 4, 3.25 / 4)
    expected = [one, 0.5, 0, 0, 0, 0, one, 0.25, two, one]
    expected += [heights[1], sum(heights) / 2, heights[0], 0.4, 0.6, 0.1, 0.2 / 0.5 - 0.5, 0.15 / 0.25 - 0.5]
    np.testing.assert_allclose(cell, expected, atol=1e-6)


@pytest.mark.parametrize(
    "place", [(4.0, 0, 0), (0, 2.0, 0), (0, 0, 1.0), (-4.01, 0, 0), (0, -2.01, 0), (math.nan, 0, 0), (0, 0, math.nan)]
)
def test_points_outside_or_nan_are_left_out(place: tuple[float, float, float]) -> None:
    assert not kernel(np.array([[*place, 0.5, 0.0]], np.float32), RANGE_M, VOXEL_M, 8).any()


def test_lower_bounds_belong_to_the_grid() -> None:
    image = kernel(np.array([[-4.0, -2.0, -3.0, 1.0, 0.0]], np.float32), RANGE_M, VOXEL_M, 8)
    assert image[0, 0].any()


def test_preset_has_26_features(tiny_config: Config) -> None:
    assert encoder_channels(tiny_config) == 26


def test_batch_has_rows_along_y_and_lies_channels_last(tiny_config: Config) -> None:
    high_y = np.array([[0.1, 3.9, 0, 0.5, 0]], np.float32)
    images = encode_points([np.zeros((0, 5), np.float32), high_y], tiny_config)
    columns, rows = tiny_config.grid_size
    assert images.shape == (2, 26, rows, columns)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert not images[0].any()
    assert images[1].sum(0).nonzero().tolist() == [[rows - 1, columns // 2]]


def test_wrong_number_of_columns_is_named(tiny_config: Config) -> None:
    with pytest.raises(ValueError, match=r"clouds\[1\]: expected shape \(P, 5\), got \(7, 4\)"):
        encode_points([np.zeros((0, 5), np.float32), np.zeros((7, 4), np.float32)], tiny_config)
