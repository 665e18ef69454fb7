"""Voxelisation at the borders of the range, of the arguments and of its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.points import dynamic_voxelize, grid_shape, voxelize

RANGE_M = (-8.0, -4.0, -2.0, 8.0, 6.0, 1.0)
VOXEL_SIZE_M = (0.5, 0.4, 0.25)
GRID = {"range_m": RANGE_M, "voxel_size_m": VOXEL_SIZE_M}
CAPS = {"max_points_per_voxel": 3, "max_voxels": 40}


def test_the_lower_bound_is_inside_and_the_upper_one_is_not() -> None:
    low, high = np.array(RANGE_M[:3]), np.array(RANGE_M[3:])
    depth, height, width = grid_shape(RANGE_M, VOXEL_SIZE_M)
    for dtype in (np.float32, np.float64):
        below = np.nextafter(high.astype(dtype), dtype(-np.inf))
        corners = np.stack([low.astype(dtype), below])
        voxels = dynamic_voxelize(corners, **GRID)
        assert voxels.coordinates.tolist() == [[0, 0, 0], [depth - 1, height - 1, width - 1]]
        for axis in range(3):
            for outside in (high[axis], np.nextafter(low[axis].astype(dtype), dtype(-np.inf)), np.nan, np.inf, -np.inf):
                point = np.zeros((1, 3), dtype)
                point[0, axis] = outside
                assert dynamic_voxelize(point, **GRID).point_to_voxel.tolist() == [-1]


def test_just_below_the_lower_bound_is_not_rounded_into_the_first_cell() -> None:
    """Truncation instead of floor puts everything within a cell below the bound into the grid."""
    points = np.array([[-8.1, 0, 0], [-8.4999, 0, 0], [-7.9, 0, 0]])
    assert dynamic_voxelize(points, **GRID).point_to_voxel.tolist() == [-1, -1, 0]


@settings(deadline=None, max_examples=200)
@given(
    low=st.floats(-100, 100),
    cells=st.integers(1, 3000),
    size=st.floats(1e-3, 10),
    steps=st.integers(1, 5),
    single=st.booleans(),
)
def test_a_point_below_the_upper_bound_never_leaves_the_grid(
    low: float, cells: int, size: float, steps: int, single: bool
) -> None:
    dtype = np.float32 if single else np.float64
    high = low + cells * size
    x = dtype(high)
    while not float(x) < high:
        x = np.nextafter(x, dtype(-np.inf))
    points = np.zeros((steps, 3), dtype)
    for i in range(steps):
        points[i, 0], x = x, np.nextafter(x, dtype(-np.inf))
    voxels = dynamic_voxelize(points, range_m=(low, -1, -1, high, 1, 1), voxel_size_m=(size, 2, 2))
    assert (voxels.coordinates[:, 2] < cells).all()
    assert (voxels.coordinates[:, 2] >= 0).all()
    assert (voxels.point_to_voxel[points[:, 0].astype(np.float64) >= low] >= 0).all()


def test_the_shape_of_the_grid() -> None:
    assert grid_shape((-51.2, -51.2, -5, 51.2, 51.2, 3), (0.2, 0.2, 8)) == (1, 512, 512)
    assert grid_shape((-54, -54, -5, 54, 54, 3), (0.075, 0.075, 0.2)) == (40, 1440, 1440)
    assert grid_shape((0, -40, -3, 70.4, 40, 1), (0.05, 0.05, 0.1)) == (40, 1600, 1408)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_kinds_of_arrays(dtype: torch.dtype) -> None:
    points = (torch.randn(200, 5, generator=torch.Generator().manual_seed(11)) * 3).to(dtype)
    voxels = voxelize(points, **GRID, **CAPS)
    assert voxels.voxels.dtype == dtype
    assert voxels.coordinates.dtype == voxels.num_points.dtype == voxels.point_to_voxel.dtype == torch.int64
    strided = torch.cat([points, points], dim=1)[:, :5].t().contiguous().t()
    assert all(torch.equal(a, b) for a, b in zip(voxels, voxelize(strided, **GRID, **CAPS), strict=True))
    if dtype == torch.float32:
        array = np.ascontiguousarray(points.numpy()[::-1])[::-1].astype(">f4")
        array.flags.writeable = False
        for a, b in zip(voxels, voxelize(array, **GRID, **CAPS), strict=True):
            assert isinstance(b, np.ndarray)
            assert np.array_equal(a.numpy(), b)


def test_no_points() -> None:
    empty = np.zeros((0, 4), np.float32)
    for points in (empty, np.full((5, 4), 1e6, np.float32)):
        dynamic = dynamic_voxelize(points, **GRID)
        assert dynamic.coordinates.shape == (0, 3)
        assert dynamic.offsets.tolist() == [0]
        assert dynamic.point_to_voxel.tolist() == [-1] * len(points)
        hard = voxelize(points, **GRID, **CAPS)
        assert hard.voxels.shape == (0, 3, 4)
        assert hard.dropped_points == hard.num_voxels == 0
    assert dynamic_voxelize(empty, **GRID, batch_index=np.zeros(0, int)).coordinates.shape == (0, 4)


POINTS = np.zeros((4, 3), np.float32)
BAD = [
    (np.zeros((4, 2)), {}, ValueError, r"points: expected shape \(P, >= 3\), got \(4, 2\)"),
    (np.zeros((4, 3), int), {}, TypeError, "points: expected a floating-point dtype.*got int64"),
    ([[0.0] * 3], {}, TypeError, "points: expected a NumPy array or a torch tensor, got list"),
    (POINTS.astype(np.longdouble), {}, TypeError, "points: expected a floating-point dtype of at most 64 bits"),
    (POINTS, {"range_m": RANGE_M[:5]}, ValueError, "range_m: expected 6 numbers .* got 5"),
    (POINTS, {"range_m": "wrong!"}, TypeError, "range_m: expected numbers, got 'wrong!'"),
    (POINTS, {"range_m": (8, -4, -2, -8, 6, 1)}, ValueError, "range_m: expected finite x0 < x1, got 8.0 and -8.0"),
    (POINTS, {"range_m": (-8, -4, -2, 8, np.nan, 1)}, ValueError, "range_m: expected finite y0 < y1"),
    (
        POINTS,
        {"range_m": (-8, -4, -2, 8, 6, 1.1)},
        ValueError,
        "range_m: expected a whole number of cells of 0.25 m al",
    ),
    (POINTS, {"voxel_size_m": (0.5, 0.4)}, ValueError, "voxel_size_m: expected 3 finite sizes > 0"),
    (POINTS, {"voxel_size_m": (0.5, 0, 0.25)}, ValueError, "voxel_size_m: expected 3 finite sizes > 0"),
    (POINTS, {"voxel_size_m": (2.0**-20,) * 3}, ValueError, "voxel_size_m: expected cells that 62 bits number"),
    (POINTS, {"batch_index": np.zeros(3, int)}, ValueError, r"batch_index: expected shape \(4,\), got \(3,\)"),
    (POINTS, {"batch_index": np.zeros(4)}, TypeError, "batch_index: expected an integer dtype, got float64"),
    (POINTS, {"batch_index": [0] * 4}, TypeError, "batch_index: expected a NumPy array or a torch tensor, got list"),
    (POINTS, {"batch_index": torch.zeros(4).long()}, TypeError, "batch_index: expected a NumPy array as points"),
    (torch.zeros(4, 3), {"batch_index": torch.zeros(4)}, TypeError, "batch_index: expected an integer dtype"),
    (torch.zeros(4, 3), {"batch_index": torch.zeros(4).bool()}, TypeError, "batch_index: expected an integer dtype"),
    (torch.zeros(4, 3), {"batch_index": torch.zeros(4, device="meta").long()}, ValueError, "batch_index: .*device"),
]


@pytest.mark.parametrize(("points", "changes", "error", "message"), BAD)
def test_wrong_arguments_are_named(points: Any, changes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        dynamic_voxelize(points, **{**GRID, **changes})
    with pytest.raises(error, match=message):
        voxelize(points, **{**GRID, **CAPS, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"max_points_per_voxel": 0}, ValueError, "max_points_per_voxel: expected an integer >= 1, got 0"),
        ({"max_voxels": -1}, ValueError, "max_voxels: expected an integer >= 1, got -1"),
        ({"max_voxels": 2.0}, TypeError, "max_voxels: expected an integer, got 2.0"),
        ({"max_voxels": True}, TypeError, "max_voxels: expected an integer, got True"),
        ({"fixed_size": True, "batch_index": np.zeros(4, int)}, ValueError, "batch_size: expected the number of samp"),
    ],
)
def test_wrong_caps_are_named(changes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        voxelize(POINTS, **{**GRID, **CAPS, **changes})
