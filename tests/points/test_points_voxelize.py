"""Voxelisation against NumPy and against plain loops."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bev3d.points import dynamic_voxelize, grid_shape, voxelize

RANGE_M = (-8.0, -4.0, -2.0, 8.0, 6.0, 1.0)
VOXEL_SIZE_M = (0.5, 0.4, 0.25)
GRID = {"range_m": RANGE_M, "voxel_size_m": VOXEL_SIZE_M}
CAPS = {"max_points_per_voxel": 3, "max_voxels": 40}


def cloud(seed: int, count: int = 3000, dtype: Any = np.float32) -> np.ndarray:
    """(P, 5), crowded in the middle, an eighth outside."""
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 3, (count, 5))
    points[:, 2] /= 3
    return points.astype(dtype)


def cells_of(points: np.ndarray) -> list[tuple[int, int, int] | None]:
    """z, y, x of every point by the definition, or None."""
    result: list[tuple[int, int, int] | None] = []
    shape = grid_shape(RANGE_M, VOXEL_SIZE_M)[::-1]
    for point in points[:, :3].astype(np.float64).tolist():
        inside = all(low <= p < high for p, low, high in zip(point, RANGE_M[:3], RANGE_M[3:], strict=True))
        places = [
            min(int(np.floor((p - low) / size)), n - 1) if inside else 0
            for p, low, size, n in zip(point, RANGE_M[:3], VOXEL_SIZE_M, shape, strict=True)
        ]
        result.append((places[2], places[1], places[0]) if inside else None)
    return result


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("samples", [None, 3])
def test_dynamic_voxels_are_those_of_a_dictionary(dtype: type, samples: int | None) -> None:
    points = cloud(1, dtype=dtype)
    batch = None if samples is None else np.random.default_rng(2).integers(-1, samples, len(points))
    members: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, cell in enumerate(cells_of(points)):
        if cell is not None and (batch is None or batch[i] >= 0):
            members[cell if batch is None else (int(batch[i]), *cell)].append(i)
    voxels = dynamic_voxelize(points, **GRID, batch_index=batch)
    assert voxels.coordinates.tolist() == [list(cell) for cell in sorted(members)]
    for v, cell in enumerate(sorted(members)):
        assert voxels.order[voxels.offsets[v] : voxels.offsets[v + 1]].tolist() == members[cell]
        assert (voxels.point_to_voxel[members[cell]] == v).all()
    assert voxels.offsets[-1] == len(voxels.order) == (voxels.point_to_voxel >= 0).sum()
    assert voxels.num_voxels == len(members)
    assert 0 < (voxels.point_to_voxel == -1).sum() < len(points) / 2


def test_dynamic_voxels_agree_with_unique() -> None:
    points = torch.from_numpy(cloud(3, 20_000))
    low, size = torch.tensor(RANGE_M[:3]).double(), torch.tensor(VOXEL_SIZE_M, dtype=torch.float64)
    inside = ((points[:, :3] >= low) & (points[:, :3] < torch.tensor(RANGE_M[3:]))).all(dim=1)
    cells = ((points[inside, :3].double() - low) / size).floor().long().flip(1)
    found, voxel, count = torch.unique(cells, dim=0, return_inverse=True, return_counts=True)
    voxels = dynamic_voxelize(points, **GRID)
    assert torch.equal(voxels.coordinates, found)
    assert torch.equal(voxels.point_to_voxel[inside], voxel)
    assert torch.equal(voxels.offsets.diff(), count)


@pytest.mark.parametrize("samples", [None, 3])
def test_hard_voxels_are_those_of_a_loop_over_the_points(samples: int | None) -> None:
    points = cloud(4, 2000)
    batch = None if samples is None else np.random.default_rng(5).integers(-1, samples, len(points))
    members: dict[tuple[int, ...], list[int]] = {}
    opened: dict[int, int] = defaultdict(int)
    refused, inside = set(), 0
    for i, place in enumerate(cells_of(points)):
        if place is None or (batch is not None and batch[i] < 0):
            continue
        sample = 0 if batch is None else int(batch[i])
        cell = place if batch is None else (sample, *place)
        inside += 1
        if cell not in members:
            if opened[sample] == CAPS["max_voxels"]:
                refused.add(cell)
                continue
            opened[sample] += 1
            members[cell] = []
        if len(members[cell]) < CAPS["max_points_per_voxel"]:
            members[cell].append(i)
    assert refused, "the cap must bind"
    for fixed in (False, True):
        sizes = {"fixed_size": fixed, "batch_size": samples} if fixed else {}
        voxels = voxelize(points, **GRID, **CAPS, batch_index=batch, **sizes)
        assert voxels.num_voxels == len(members)
        assert len(voxels.voxels) == (CAPS["max_voxels"] * (samples or 1) if fixed else len(members))
        for row, cell in enumerate(sorted(members)):
            assert tuple(voxels.coordinates[row].tolist()) == cell
            assert voxels.num_points[row] == len(members[cell])
            assert np.array_equal(voxels.voxels[row, : len(members[cell])], points[members[cell]])
            assert not voxels.voxels[row, len(members[cell]) :].any()
            assert (voxels.point_to_voxel[members[cell]] == row).all()
        assert (voxels.coordinates[len(members) :] == -1).all()
        assert not voxels.num_points[len(members) :].any()
        assert not voxels.voxels[len(members) :].any()
        assert voxels.dropped_points == inside - sum(map(len, members.values()))
        assert voxels.dropped_voxels == len(refused)
        assert (voxels.point_to_voxel >= 0).sum() == sum(map(len, members.values()))


def test_without_binding_caps_hard_voxels_are_the_dynamic_ones() -> None:
    points = cloud(6)
    hard = voxelize(points, **GRID, max_points_per_voxel=len(points), max_voxels=len(points))
    dynamic = dynamic_voxelize(points, **GRID)
    assert np.array_equal(hard.coordinates, dynamic.coordinates)
    assert np.array_equal(hard.point_to_voxel, dynamic.point_to_voxel)
    assert np.array_equal(hard.num_points, np.diff(dynamic.offsets))
    assert hard.dropped_points == hard.dropped_voxels == 0


def test_fixed_size_is_the_same_and_padding() -> None:
    points = cloud(7, 500)
    plain, fixed = dynamic_voxelize(points, **GRID), dynamic_voxelize(points, **GRID, fixed_size=True)
    v, n = len(plain.coordinates), len(plain.order)
    assert v < n < len(points)
    assert fixed.num_voxels == v
    assert np.array_equal(fixed.coordinates[:v], plain.coordinates)
    assert (fixed.coordinates[v:] == -1).all()
    assert np.array_equal(fixed.order[:n], plain.order)
    assert (fixed.order[n:] == -1).all()
    assert np.array_equal(fixed.offsets[: v + 1], plain.offsets)
    assert (fixed.offsets[v:] == n).all()
    assert np.array_equal(fixed.point_to_voxel, plain.point_to_voxel)


def test_a_grid_too_fine_to_pack_sorts_the_same() -> None:
    """Cells of a micrometre: key and index no longer fit into one word."""
    points = np.random.default_rng(8).uniform(-8, 8, (2000, 3))
    points[1000:] = points[:1000]
    voxels = dynamic_voxelize(points, range_m=[-10] * 3 + [10] * 3, voxel_size_m=[2e-5] * 3)
    cells = np.floor((points + 10) / 2e-5).astype(np.int64)[:, ::-1]
    found, inverse = np.unique(cells, axis=0, return_inverse=True)
    assert np.array_equal(voxels.coordinates, found)
    assert np.array_equal(voxels.point_to_voxel, inverse.reshape(-1))
    assert (np.diff(voxels.order.reshape(-1, 2), axis=1) == 1000).all()


def test_samples_far_apart_keep_apart() -> None:
    points = np.zeros((4, 3), np.float32)
    batch = np.array([2**30, 0, 2**30, 7])
    voxels = dynamic_voxelize(points, **GRID, batch_index=batch)
    assert voxels.coordinates[:, 0].tolist() == [0, 7, 2**30]
    assert voxels.point_to_voxel.tolist() == [2, 0, 2, 1]
    assert voxelize(points, **GRID, **CAPS, batch_index=batch).num_points.tolist() == [1, 1, 2]


def test_a_sample_beyond_what_a_key_holds_is_outside() -> None:
    points = np.zeros((3, 3), np.float32)
    batch = np.array([2**62, np.iinfo(np.int64).max, 0])
    assert dynamic_voxelize(points, **GRID, batch_index=batch).point_to_voxel.tolist() == [-1, -1, 0]


def test_samples_beyond_the_batch_size_are_outside() -> None:
    points, batch = np.zeros((4, 3), np.float32), np.array([0, 1, 2, -1])
    voxels = voxelize(points, **GRID, **CAPS, batch_index=batch, batch_size=2, fixed_size=True)
    assert voxels.num_voxels == 2
    assert voxels.point_to_voxel.tolist() == [0, 1, -1, -1]
    assert len(voxels.voxels) == 2 * CAPS["max_voxels"]


def test_the_gradient_of_a_point_is_that_of_its_slot() -> None:
    points = torch.from_numpy(cloud(9, 300, np.float64)).requires_grad_()
    voxels = voxelize(points, **GRID, max_points_per_voxel=2, max_voxels=25)
    assert voxels.dropped_points > 0
    weights = torch.randn(voxels.voxels.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (voxels.voxels * weights).sum().backward()
    expected = torch.zeros_like(points)
    seen: dict[int, int] = defaultdict(int)
    for i, voxel in enumerate(voxels.point_to_voxel.tolist()):
        if voxel >= 0:
            expected[i] = weights[voxel, seen[voxel]]
            seen[voxel] += 1
    assert torch.equal(points.grad, expected)
    assert not voxels.coordinates.requires_grad


def test_order_of_the_input_changes_nothing_but_the_order_within_a_voxel() -> None:
    points = cloud(10)
    shuffle = np.random.default_rng(0).permutation(len(points))
    plain, other = dynamic_voxelize(points, **GRID), dynamic_voxelize(points[shuffle], **GRID)
    assert np.array_equal(plain.coordinates, other.coordinates)
    assert np.array_equal(plain.offsets, other.offsets)
    assert np.array_equal(plain.point_to_voxel[shuffle], other.point_to_voxel)


def test_a_real_scan_agrees_with_unique(kitti_root: Path) -> None:
    path = min((kitti_root / "training" / "velodyne").glob("*.bin"))
    points = torch.from_numpy(np.fromfile(path, np.float32).reshape(-1, 4))
    range_m, size_m = (0.0, -40.0, -3.0, 70.4, 40.0, 1.0), (0.05, 0.05, 0.1)
    low, high, size = (torch.tensor(v, dtype=torch.float64) for v in (range_m[:3], range_m[3:], size_m))
    place = points[:, :3].double()
    inside = ((place >= low) & (place < high)).all(dim=1)
    cells, voxel = torch.unique(((place[inside] - low) / size).floor().long().flip(1), dim=0, return_inverse=True)
    voxels = dynamic_voxelize(points, range_m=range_m, voxel_size_m=size_m)
    assert torch.equal(voxels.coordinates, cells)
    assert torch.equal(voxels.point_to_voxel[inside], voxel)
    assert (voxels.point_to_voxel[~inside] == -1).all()
