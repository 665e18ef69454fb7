"""Moving sweeps: against one point after the other, against what data loading makes, gradients, wrong arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d.data import NuScenesDataset
from bev3d.data.nuscenes import invert_rigid, read_lidar
from bev3d.points import transform_sweeps
from bev3d_ops.cpu._sweeps import append_sweep


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    turns = []
    for axis, angle in ((2, yaw), (1, pitch), (0, roll)):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.insert(np.insert([[c, -s], [s, c]], axis, 0, axis=0), axis, 0, axis=1)
        turn[axis, axis] = 1
        turns.append(turn)
    return turns[0] @ turns[1] @ turns[2]


def load(
    dtype: Any = np.float32, sizes: tuple[int, ...] = (30, 0, 50), away_m: float = 1e5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(sum(sizes), 5)) * [3, 3, 1, 100, 10]
    transforms = np.tile(np.eye(4), (len(sizes), 1, 1))
    for transform in transforms:
        transform[:3, :3] = rotation(*rng.uniform(-3, 3, 3))
        transform[:3, 3] = away_m * rng.normal(size=3)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return points.astype(dtype), offsets, transforms, 0.05 * np.arange(len(sizes))


def test_every_point_moves_as_the_formula_says() -> None:
    points, offsets, transforms, lags_s = load()
    moved, keep = transform_sweeps(
        points, offsets, transforms, lags_s, columns=4, half_width_m=1.0, intensity_scale=1 / 255
    )
    assert moved.dtype == np.float32
    assert moved.shape == (80, 5)
    for sweep in range(3):
        for i in range(offsets[sweep], offsets[sweep + 1]):
            exact = transforms[sweep, :3, :3] @ points[i, :3].astype(np.float64) + transforms[sweep, :3, 3]
            # half a unit in the last place of float32, and the order of a float64 sum
            assert (np.abs(moved[i, :3] - exact) <= np.spacing(np.abs(exact).astype(np.float32)) * 0.51).all()
            assert moved[i, 3] == points[i, 3] * np.float32(1 / 255)
            assert moved[i, 4] == np.float32(lags_s[sweep])
            assert keep[i] == (max(abs(points[i, 0]), abs(points[i, 1])) >= 1)
    assert 0 < keep.sum() < 80


def test_there_and_back_at_a_hundred_kilometres() -> None:
    """Poses composed in float64 lose nothing that float32 coordinates near the sensor can show."""
    points, offsets, transforms, lags_s = load()
    back = np.linalg.inv(transforms) @ transforms
    moved, _ = transform_sweeps(points, offsets, back, lags_s)
    np.testing.assert_allclose(moved[:, :3], points[:, :3], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(moved[:, 3:5], points[:, 3:])


def test_the_kept_points_are_what_data_loading_makes(tmp_path: Path) -> None:
    dataset = NuScenesDataset(
        tiny_nuscenes(tmp_path / "nuscenes", samples=3, sweeps=3), version=VERSION, split="mini_val", sweeps=3
    )
    index = len(dataset) - 1
    rows = list(dataset.tables.sweeps(dataset.tables.key_frame(dataset.tokens[index]), 3))
    scans = [read_lidar(dataset.tables.dataroot / row["filename"]) for row in rows]
    to_sample = invert_rigid(dataset.global_from_sample(index))
    transforms = np.stack([to_sample @ dataset.tables.global_from_sensor(row) for row in rows])
    lags_s = np.array([1e-6 * rows[0]["timestamp"] - 1e-6 * row["timestamp"] for row in rows])
    offsets = np.cumsum([0, *map(len, scans)])
    moved, keep = transform_sweeps(
        np.concatenate(scans), offsets, transforms, lags_s, columns=4, half_width_m=1.0, intensity_scale=1 / 255
    )
    assert len(rows) > 1
    np.testing.assert_array_equal(moved[keep], dataset[index].points)


def test_appending_one_sweep_after_the_other_is_the_same() -> None:
    points, offsets, transforms, lags_s = load()
    out, stop = np.empty((80, 5), np.float32), 0
    for s in range(3):
        scan = points[offsets[s] : offsets[s + 1]]
        stop = append_sweep(scan, transforms[s], 1.0, 1 / 255, lags_s[s], out, stop)
    moved, keep = transform_sweeps(
        points, offsets, transforms, lags_s, columns=4, half_width_m=1.0, intensity_scale=1 / 255
    )
    np.testing.assert_array_equal(out[:stop], moved[keep])


def test_threads_change_nothing() -> None:
    arguments = load(sizes=(100_000, 0, 70_001))
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results.append(transform_sweeps(*arguments, half_width_m=1.0))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_points_beyond_the_last_sweep_are_nothing() -> None:
    points, offsets, transforms, lags_s = load()
    moved, keep = transform_sweeps(points, offsets[:3], transforms[:2], lags_s[:2])
    assert (moved[30:] == 0).all()
    assert keep.tolist() == [True] * 30 + [False] * 50


def test_gradcheck_and_the_rotation_transposed() -> None:
    points, offsets, transforms, lags_s = (torch.from_numpy(v) for v in load(np.float64, (4, 0, 3), away_m=10))
    points.requires_grad_()

    def move(p: torch.Tensor) -> torch.Tensor:
        return transform_sweeps(p, offsets, transforms, lags_s, columns=4, intensity_scale=0.5)[0]

    assert torch.autograd.gradcheck(move, (points,))
    (grad,) = torch.autograd.grad(move(points)[0, :3], points, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    expected = transforms[0, :3, :3].T @ torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(grad[0, :3], expected)
    assert (grad[1:] == 0).all()


def test_no_points_and_no_sweeps() -> None:
    points, offsets, transforms, lags_s = load(sizes=(0, 0))
    moved, keep = transform_sweeps(points, offsets, transforms, lags_s)
    assert moved.shape == (0, 6)
    assert keep.shape == (0,)
    points = np.ones((3, 4), np.float32)
    moved, keep = transform_sweeps(points, np.zeros(1, np.int64), np.zeros((0, 4, 4)), np.zeros(0))
    assert not moved.any()
    assert not keep.any()


def test_arrays_that_are_not_contiguous_or_not_writable() -> None:
    points, offsets, transforms, lags_s = load()
    expected = transform_sweeps(points, offsets, transforms, lags_s)
    wide = np.asfortranarray(points)
    wide.flags.writeable = False
    moved, _ = transform_sweeps(wide, offsets, np.asfortranarray(transforms), lags_s)
    np.testing.assert_array_equal(moved, expected[0])
    strided = torch.from_numpy(points.T.copy()).T
    moved, _ = transform_sweeps(strided, *(torch.from_numpy(v) for v in (offsets, transforms, lags_s)))
    np.testing.assert_array_equal(moved.numpy(), expected[0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"points": np.zeros((80, 2), np.float32)},
            ValueError,
            r"points: expected shape .* got \(80, 2\)",
        ),
        ({"points": np.zeros((80, 5), np.int64)}, TypeError, "points: expected float32 or float64, got torch.int64"),
        ({"points": torch.zeros(80, 5)}, TypeError, "offsets: expected Tensor, as points, got ndarray"),
        ({"offsets": np.array([0, 3, 2, 80])}, ValueError, "offsets: expected to rise from 0 to at most 80"),
        ({"offsets": np.array([0, 3, 9, 81])}, ValueError, "offsets: expected to rise from 0 to at most 80"),
        ({"offsets": np.array([1, 3, 9, 80])}, ValueError, "offsets: expected to rise from 0 to at most 80"),
        ({"offsets": np.array([0, 80])}, ValueError, r"offsets: expected shape \(4,\), got \(2,\)"),
        ({"offsets": np.array([0, 3, 9, 80], np.int32)}, TypeError, "offsets: expected torch.int64, got torch.int32"),
        ({"transforms": np.zeros((3, 3, 4))}, ValueError, r"transforms: expected shape \(S, 4, 4\)"),
        ({"transforms": np.zeros((3, 4, 4), np.float32)}, TypeError, "transforms: expected torch.float64, got"),
        ({"lags_s": np.zeros(2)}, ValueError, r"lags_s: expected shape \(3,\), got \(2,\)"),
        ({"columns": 6}, ValueError, "columns: expected 3 to 5, got 6"),
        ({"columns": 2}, ValueError, "columns: expected 3 to 5, got 2"),
        ({"half_width_m": -1.0}, ValueError, "half_width_m: expected a number >= 0, got -1.0"),
        ({"half_width_m": float("nan")}, ValueError, "half_width_m: expected a number >= 0, got nan"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], error: type[Exception], message: str) -> None:
    names = ("points", "offsets", "transforms", "lags_s")
    with pytest.raises(error, match=message):
        transform_sweeps(**{**dict(zip(names, load(), strict=True)), **change})


@pytest.mark.parametrize("position", [2, 3])
def test_a_gradient_of_the_poses_is_refused(position: int) -> None:
    values = [torch.from_numpy(value) for value in load()]
    values[position].requires_grad_()
    with pytest.raises(ValueError, match="expected no requires_grad"):
        transform_sweeps(*values)
