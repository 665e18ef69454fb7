"""Means of voxels against plain loops, and the two halves of the voxel encoder."""

from __future__ import annotations

import copy
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from bev3d.models._sparse_resnet import SparseResNetSettings
from bev3d.models._voxel_clouds import VoxelCaps
from bev3d.models._voxel_encoder import VoxelEncoder

RANGE_M, VOXEL_M = (-4.0, -2.0, -3.0, 4.0, 2.0, 1.0), (0.5, 0.25, 0.5)
TINY = SparseResNetSettings((4, 8), (1, 1), ((2, 2, 2),), ((1, 1, 1),), 6)


def cloud(seed: int, count: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    points = random.uniform((-5, -3, -4, 0, 0), (5, 3, 2, 1, 0.25), (count, 5)).astype(np.float32)
    points[:3, 0] = [np.nan, np.inf, 4.0][:count]  # outside, the last one just so
    return points


def encoder(caps: VoxelCaps | None = None, **more: Any) -> VoxelEncoder:
    torch.manual_seed(0)
    return VoxelEncoder(RANGE_M, VOXEL_M, caps=caps, settings=TINY, **more)


def means(clouds: list[np.ndarray], max_points: int, max_voxels: int) -> dict[tuple[int, ...], np.ndarray]:
    """Mean of the first points of the first voxels of each sample, by sample, z, y, x."""
    found: dict[tuple[int, ...], list[np.ndarray]] = defaultdict(list)
    for sample, points in enumerate(clouds):
        seen = 0
        for point in points:
            place = point[:3].astype(np.float64)
            if not np.isfinite(place).all() or (place < RANGE_M[:3]).any() or (place >= RANGE_M[3:]).any():
                continue
            x, y, z = np.floor((place - RANGE_M[:3]) / VOXEL_M).astype(int).tolist()
            key = (sample, z, y, x)
            if key not in found:
                seen += 1
                if seen > max_voxels:
                    continue
            if len(found[key]) < max_points:
                found[key].append(point.astype(np.float64))
    return {key: np.mean(points, axis=0) for key, points in sorted(found.items())}


CLOUDS = [cloud(0, 900), cloud(1, 0), cloud(2, 1500)]


@pytest.mark.parametrize(
    ("caps", "max_points", "max_voxels"),
    [
        (None, 10**9, 10**9),
        (VoxelCaps(100, 5000, 9000), 10**9, 10**9),
        (VoxelCaps(2, 5000, 9000), 2, 10**9),
        (VoxelCaps(1, 60, 300), 1, 300),
    ],
)
def test_features_are_the_means_of_what_is_kept(caps: VoxelCaps | None, max_points: int, max_voxels: int) -> None:
    inputs = encoder(caps).prepare(CLOUDS)
    expected = means(CLOUDS, max_points, max_voxels)
    assert list(map(tuple, inputs["voxel_coordinates"].tolist())) == list(expected)
    np.testing.assert_allclose(
        inputs["voxel_features"].numpy(), np.stack(list(expected.values())), rtol=1e-5, atol=1e-6
    )
    assert {name: value.dtype for name, value in inputs.items()} == {
        "voxel_features": torch.float32,
        "voxel_coordinates": torch.int32,
    }


def test_training_and_evaluation_have_caps_of_their_own() -> None:
    made = encoder(VoxelCaps(1, 60, 200))
    counts = [len(made.prepare(CLOUDS[:1], training=training)["voxel_features"]) for training in (True, False)]
    assert counts == [60, 200]


@pytest.mark.parametrize("caps", [None, VoxelCaps(5, 1000, 1000)])
def test_from_clouds_to_a_map_and_back(caps: VoxelCaps | None) -> None:
    made = encoder(caps)
    # 8 + 1 cells in height, then 5, then (5 - 3) // 2 + 1
    assert made.backbone.spatial_shape == (9, 16, 16)
    assert (made.out_channels, made.out_shape) == (6 * 2, (8, 8))
    bev = made(made.prepare(CLOUDS), 3)
    assert bev.shape == (3, 12, 8, 8)
    assert not bev[1].any()
    assert bev[0].any()
    bev.square().sum().backward()
    assert all(value.grad.abs().sum() > 0 for value in made.parameters())  # type: ignore[union-attr]


def test_all_points_in_any_order_give_one_map() -> None:
    made = encoder().eval()
    shuffled = [points[np.random.default_rng(3).permutation(len(points))] for points in CLOUDS]
    one, other = (made(made.prepare(clouds), 3) for clouds in (CLOUDS, shuffled))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("caps", [None, VoxelCaps(5, 1000, 1000)])
def test_clouds_without_a_point_inside(caps: VoxelCaps | None) -> None:
    made = encoder(caps)
    inputs = made.prepare([cloud(0, 0), cloud(1, 3)])
    assert inputs["voxel_features"].shape == (0, 5)
    bev = made(inputs, 2)
    assert not bev.any()
    bev.sum().backward()
    assert all(value.grad is not None for value in made.parameters())


def test_preparing_reads_no_parameter_and_runs_beside_training() -> None:
    """As a loader's threads do; the same whatever the mode and the device of the network."""
    made = encoder(VoxelCaps(5, 1000, 1000))
    expected = made.prepare(CLOUDS)
    on_nothing = copy.deepcopy(made).to("meta")
    with ThreadPoolExecutor(4) as pool:
        for inputs in pool.map(lambda _: on_nothing.prepare(CLOUDS), range(8)):
            assert all(torch.equal(inputs[name], expected[name]) for name in expected)
    assert not any(value.requires_grad for value in expected.values())


def test_clouds_are_left_as_they_are() -> None:
    before = [points.copy() for points in CLOUDS]
    encoder(VoxelCaps(5, 1000, 1000)).prepare(CLOUDS)
    for points, kept in zip(CLOUDS, before, strict=True):
        np.testing.assert_array_equal(points, kept)


@pytest.mark.parametrize(
    ("error", "text", "clouds"),
    [
        (ValueError, "clouds: expected at least one, got none", []),
        (ValueError, r"clouds\[1\]: expected shape \(P, 5\), got \(3, 4\)", [cloud(0, 3), cloud(0, 3)[:, :4]]),
        (TypeError, r"clouds\[0\]: expected a NumPy array of floats, got int64", [np.zeros((3, 5), np.int64)]),
        (TypeError, r"clouds\[0\]: expected a NumPy array of floats, got Tensor", [torch.zeros(3, 5)]),
    ],
)
def test_clouds_of_another_form(error: type[Exception], text: str, clouds: list[Any]) -> None:
    with pytest.raises(error, match=text):
        encoder().prepare(clouds)


@pytest.mark.parametrize("name", ["max_points", "max_voxels_train", "max_voxels_eval"])
def test_caps_below_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected >= 1, got 0"):
        VoxelCaps(**{"max_points": 1, "max_voxels_train": 1, "max_voxels_eval": 1, name: 0})


def test_a_grid_that_does_not_divide() -> None:
    with pytest.raises(ValueError, match="range_m"):
        VoxelEncoder(RANGE_M, (0.3, 0.25, 0.5), settings=TINY)
