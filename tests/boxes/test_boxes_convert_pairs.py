"""Every system to every other and back; and real frames, whose boxes hold the same points afterwards."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.real_nuscenes import keyframe_dataset
from test_boxes_convert import RECT_FROM_VELO
from test_boxes_geometry import random_boxes

from bev3d.boxes import Box, corners_3d, corners_bev, wrap_angle
from bev3d.boxes import convert as c
from bev3d.data import KittiDataset, NuScenesDataset
from bev3d.points import points_in_boxes_mask

TILTED = SimpleNamespace(rect_from_velo=RECT_FROM_VELO)


@dataclass(frozen=True)
class System:
    """A way out and back for boxes (N, 7); angles are the columns that agree up to a full turn."""

    leave: Callable[[Any], Any]
    enter: Callable[[Any], Any]
    angles: tuple[int, ...] = (6,)
    turn: float = 2 * math.pi
    keeps: tuple[int, ...] = tuple(range(7))


def _join(parts: tuple[Any, ...]) -> Any:
    """Parts of a system that keeps several arrays, side by side."""
    flat = [part if part.ndim == 2 else part[:, None] for part in parts if part is not None]
    return torch.cat(flat, dim=1) if isinstance(flat[0], torch.Tensor) else np.concatenate(flat, axis=1)


FLAT = (Box.X, Box.Y, Box.LENGTH, Box.WIDTH, Box.YAW)
SYSTEMS = {
    "openpcdet": System(c.to_openpcdet, c.from_openpcdet),
    "mmdet3d": System(c.to_mmdet3d, c.from_mmdet3d),
    "second": System(c.to_second, c.from_second),
    "centerpoint": System(c.to_centerpoint, c.from_centerpoint),
    "nuscenes": System(
        lambda boxes: _join(c.to_nuscenes(boxes)),
        lambda v: c.from_nuscenes(v[:, :3], v[:, 3:6], v[:, 6:10]),
        angles=(),
    ),
    "kitti": System(
        lambda boxes: _join(c.to_kitti_camera(boxes, TILTED)),
        lambda v: c.from_kitti_camera(v[:, :3], v[:, 3:6], v[:, 6], TILTED),
    ),
    "openpcdet_camera": System(
        lambda boxes: c.to_openpcdet_camera(boxes, TILTED), lambda v: c.from_openpcdet_camera(v, TILTED)
    ),
    "mmdet3d_camera": System(c.to_mmdet3d_camera, c.from_mmdet3d_camera),
    "av2": System(c.to_av2, c.from_av2, angles=()),
    "rotated_iou": System(c.to_rotated_iou, c.from_rotated_iou),
    "cxcywhr": System(c.to_cxcywhr, c.from_cxcywhr, angles=(4,), turn=360.0, keeps=FLAT),
    "mmcv": System(c.to_mmcv_rotated, c.from_mmcv_rotated, angles=(4,), keeps=FLAT),
}
PAIRS = list(itertools.product(SYSTEMS, SYSTEMS))


def assert_same(found: np.ndarray, expected: np.ndarray, system: System, atol: float = 1e-12) -> None:
    """Equal but for whole turns, and for the sign of a quaternion, which stands for the same rotation."""
    found = found.copy()
    for column in system.angles:
        found[:, column] -= system.turn * np.round((found[:, column] - expected[:, column]) / system.turn)
    if not system.angles:
        first = 6 if found.shape[1] == 10 and system is SYSTEMS["nuscenes"] else 3
        same = np.sign((found[:, first : first + 4] * expected[:, first : first + 4]).sum(1, keepdims=True))
        found[:, first : first + 4] *= same
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_all_pairs_round_trip(one: str, other: str) -> None:
    first, second = SYSTEMS[one], SYSTEMS[other]
    boxes = random_boxes(300, seed=5)[:, :7]
    if second.keeps != tuple(range(7)):
        boxes[:, [Box.Z, Box.HEIGHT]] = 0  # what the plane does not know
    start = first.leave(boxes)
    back = first.leave(second.enter(second.leave(first.enter(start))))
    assert_same(back, start, first)
    tensor = first.leave(second.enter(second.leave(first.enter(torch.from_numpy(start)))))
    assert tensor.dtype == torch.float64
    assert_same(tensor.numpy(), start, first)


finite = st.floats(-1e3, 1e3)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(finite, finite, finite), st.tuples(*[st.floats(0.01, 50)] * 3), st.floats(-20, 20), st.sampled_from(PAIRS)
)
def test_any_box_survives_any_two_systems(
    centre: tuple[float, ...], size: tuple[float, ...], yaw: float, names: tuple[str, str]
) -> None:
    """Angles of several turns, boxes on the axes: the result is the box with its yaw wrapped."""
    box = np.array([[*centre, *size, yaw]])
    if any(len(SYSTEMS[name].keeps) < 7 for name in names):
        box[:, [Box.Z, Box.HEIGHT]] = 0
    for name in names:
        box = SYSTEMS[name].enter(SYSTEMS[name].leave(box))
    assert -math.pi <= box[0, Box.YAW] < math.pi
    expected = np.array([[*centre, *size, yaw]])
    expected[:, Box.Z] = np.where(box[:, Box.HEIGHT] == 0, 0, expected[:, Box.Z])
    expected[:, Box.HEIGHT] = np.where(box[:, Box.HEIGHT] == 0, 0, expected[:, Box.HEIGHT])
    assert_same(box, expected, SYSTEMS["openpcdet"], atol=1e-12 * 1000)


def test_velocity_passes_where_there_is_a_column_for_it() -> None:
    boxes = random_boxes(20)
    for name in ("openpcdet", "mmdet3d", "second", "centerpoint"):
        system = SYSTEMS[name]
        np.testing.assert_allclose(system.enter(system.leave(boxes)), boxes, atol=1e-12, rtol=0)
    for name in ("av2", "rotated_iou", "cxcywhr", "mmcv", "openpcdet_camera", "mmdet3d_camera", "kitti"):
        assert SYSTEMS[name].enter(SYSTEMS[name].leave(boxes)).shape == (20, 7), name


@pytest.mark.parametrize(
    ("function", "columns"),
    [
        (c.from_av2, 10),
        (c.from_cxcywhr, 5),
        (c.from_mmcv_rotated, 5),
        (c.from_rotated_iou, 7),
        (c.from_mmdet3d_camera, 7),
    ],
)
def test_wrong_columns_are_named(function: Callable[[Any], Any], columns: int) -> None:
    for wrong in (columns - 1, columns + 1):
        with pytest.raises(ValueError, match=rf"boxes: expected shape \(\.\.\., {columns}\), got \(4, {wrong}\)"):
            function(np.ones((4, wrong)))
    with pytest.raises(TypeError, match="floating-point"):
        function(np.ones((4, columns), dtype=np.int64))
    assert function(np.ones((0, columns))).shape == (0, 7)
    assert function(torch.ones(2, 3, columns)).shape == (2, 3, 7)


def test_cxcywhr_corners_are_those_of_its_rotation() -> None:
    """Corners by R = [[c, s], [-s, c]], degrees, against ours of the converted box."""
    rng = np.random.default_rng(1)
    given_boxes = rng.uniform(-1, 1, (50, 5)) * [30, 30, 4, 2, 180]
    given_boxes[:, 2:4] = np.abs(given_boxes[:, 2:4]) + 0.1
    for box, ours in zip(given_boxes, corners_bev(c.from_cxcywhr(given_boxes)), strict=True):
        angle = math.radians(box[4])
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        np.testing.assert_allclose(ours, box[:2] + (signs * box[2:4] / 2) @ turn.T, atol=1e-12)


def test_a_plane_box_takes_the_height_that_it_is_given() -> None:
    boxes = random_boxes(30)[:, :7]
    for leave, enter in ((c.to_cxcywhr, c.from_cxcywhr), (c.to_mmcv_rotated, c.from_mmcv_rotated)):
        back = enter(leave(boxes), z_m=boxes[:, Box.Z], height_m=boxes[:, Box.HEIGHT])
        np.testing.assert_allclose(back, boxes, atol=1e-12, rtol=0)
        assert enter(leave(boxes))[:, [Box.Z, Box.HEIGHT]].tolist() == [[0, 0]] * 30
        assert enter(leave(boxes), z_m=-1.0, height_m=1.5)[0, [Box.Z, Box.HEIGHT]].tolist() == [-1.0, 1.5]
    assert c.to_cxcywhr(np.array([[0, 0, 0, 4.0, 2, 1, math.pi / 6]]))[0].tolist() == pytest.approx([0, 0, 4, 2, -30])
    assert c.to_mmcv_rotated(np.array([[0, 0, 0, 4.0, 2, 1, 0.5]]))[0].tolist() == [0, 0, 4, 2, 0.5]


def test_camera_vectors_are_kitti_labels_in_another_order() -> None:
    """One label, three spellings."""
    h, w, length, x, y, z, ry = 1.5, 1.6, 3.9, 2.0, 1.7, 20.0, 0.4
    vector = np.array([[x, y, z, length, h, w, ry]])
    label = c.from_kitti_camera(np.array([[h, w, length]]), np.array([[x, y, z]]), np.array([ry]), TILTED)
    np.testing.assert_array_equal(c.from_openpcdet_camera(vector, TILTED), label)
    np.testing.assert_array_equal(c.from_mmdet3d_camera(vector, TILTED), label)
    # axes only: z forward becomes x, x right becomes -y, y down becomes -z, half the height is added
    found = c.from_mmdet3d_camera(vector)
    expected = [[z, -x, -y + h / 2, length, w, h, wrap_angle(np.array(-ry - math.pi / 2))]]
    np.testing.assert_allclose(found, expected, atol=1e-15)


def test_argoverse_columns_are_those_of_its_tables() -> None:
    half = 0.3 / 2
    row = np.array([[4.0, 2.0, 1.5, math.cos(half), 0, 0, math.sin(half), 7, 8, 9]])
    np.testing.assert_allclose(c.from_av2(row), [[7, 8, 9, 4, 2, 1.5, 0.3]], atol=1e-15)
    row[0, 3:7] = 0
    with pytest.raises(ValueError, match="rotation_wxyz: expected quaternions of length > 0"):
        c.from_av2(row)


def test_rotated_iou_alpha_lies_along_its_first_size() -> None:
    box = np.array([[1.0, 2.0, 3.0, 4.0, 2.0, 1.5, 0.7]])
    corners = corners_3d(c.from_rotated_iou(box))[0]
    assert np.ptp(corners[:, 2]) == 1.5
    edge = corners[0] - corners[1]
    assert math.atan2(edge[1], edge[0]) == pytest.approx(0.7)
    assert np.linalg.norm(edge) == pytest.approx(4.0)


def _through(system: System, boxes: np.ndarray, calib: Any) -> np.ndarray:
    if system is SYSTEMS["openpcdet_camera"] and calib is not None:
        return c.from_openpcdet_camera(c.to_openpcdet_camera(boxes, calib), calib)
    if system is SYSTEMS["kitti"] and calib is not None:
        return c.from_kitti_camera(*c.to_kitti_camera(boxes, calib), calib)
    if len(system.keeps) < 7:
        leave, enter = (system.leave, c.from_cxcywhr if system is SYSTEMS["cxcywhr"] else c.from_mmcv_rotated)
        return enter(leave(boxes), z_m=boxes[:, Box.Z], height_m=boxes[:, Box.HEIGHT])
    return system.enter(system.leave(boxes))


def assert_same_points(points: np.ndarray, boxes: np.ndarray, calib: Any = None) -> int:
    """In every system and back, each box holds exactly the points that it held."""
    before = points_in_boxes_mask(points, boxes)
    for name, system in SYSTEMS.items():
        after = points_in_boxes_mask(points, _through(system, boxes, calib))
        assert np.array_equal(before, after), name
    return int(before.sum())


def test_real_kitti_boxes_hold_the_same_points(kitti_root: Path) -> None:
    held = 0
    for split in ("train", "val"):
        dataset = KittiDataset(kitti_root, split=split, fov_only=False)
        for i in range(0, len(dataset), 3):
            sample = dataset[i]
            held += assert_same_points(sample.points, sample.boxes[:, :7], sample.meta["calib"])
    assert held > 20_000


def test_real_nuscenes_boxes_hold_the_recorded_points(real_data: Path, tmp_path: Path) -> None:
    dataset = NuScenesDataset(keyframe_dataset(real_data, tmp_path), version="v1.0-mini", frame="level")
    sample = dataset[0]
    boxes = sample.boxes[:, :7]
    assert_same_points(sample.points, boxes)
    for system in SYSTEMS.values():
        counts = points_in_boxes_mask(sample.points, _through(system, boxes, None)).sum(axis=0)
        assert (counts == sample.num_points).sum() == 69


def test_real_argoverse_cuboids_hold_the_recorded_points(real_data: Path) -> None:
    folder = real_data / "av2"
    if not folder.is_dir():
        pytest.skip(f"no Argoverse 2 sweeps at {folder}")
    for sweep in json.loads((folder / "sweeps.json").read_text())["sweeps"]:
        points = np.load(folder / sweep["file"])
        rows = [[*box["size_lwh"], *box["rotation_wxyz"], *box["center"]] for box in sweep["boxes"]]
        boxes = c.from_av2(np.array(rows))
        assert_same_points(points, boxes)
        expected = [box["num_interior_pts"] for box in sweep["boxes"]]
        assert points_in_boxes_mask(points, boxes).sum(axis=0).tolist() == expected
