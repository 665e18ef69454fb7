"""Round trips through every system, and closed forms for what each convention means."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_boxes_geometry import random_boxes

from bev3d.boxes import Box, corners_3d, wrap_angle
from bev3d.boxes import convert as c

VECTOR_SYSTEMS = ["openpcdet", "mmdet3d", "second", "centerpoint"]
# a real-looking extrinsic: axes exchanged, a little tilt, an offset
TILT = 0.01
RECT_FROM_VELO = np.array(
    [
        [0.0, -1.0, 0.0, 0.03],
        [math.sin(TILT), 0.0, -math.cos(TILT), -0.06],
        [math.cos(TILT), 0.0, math.sin(TILT), -0.33],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def angle_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(wrap_angle(np.asarray(a - b)))


@pytest.mark.parametrize("columns", [7, 9])
@pytest.mark.parametrize("system", VECTOR_SYSTEMS)
def test_vector_systems_round_trip(system: str, columns: int) -> None:
    boxes = random_boxes(200)[:, :columns]
    there = getattr(c, f"to_{system}")(boxes)
    back = getattr(c, f"from_{system}")(there)
    np.testing.assert_allclose(back, boxes, atol=1e-12, rtol=0)
    tensor = getattr(c, f"from_{system}")(torch.from_numpy(there))
    np.testing.assert_allclose(tensor.numpy(), boxes, atol=1e-12, rtol=0)


def test_openpcdet_is_our_convention() -> None:
    boxes = random_boxes(5)
    np.testing.assert_array_equal(c.to_openpcdet(boxes), boxes)


def test_mmdet3d_stands_on_z() -> None:
    box = np.array([[0, 0, 0, 4, 2, 1.5, 0.3]])
    assert c.from_mmdet3d(box)[0, Box.Z] == 0.75


def test_second_and_centerpoint_turn_clockwise_from_minus_y() -> None:
    # r = 0 looks along -y: yaw = -pi/2; width comes before length
    second = np.array([[0, 0, 0, 2.0, 4.0, 1.5, 0.0]])
    ours = c.from_second(second)
    np.testing.assert_allclose(ours, [[0, 0, 0.75, 4, 2, 1.5, -math.pi / 2]])
    centerpoint = np.array([[0, 0, 0, 2.0, 4.0, 1.5, 6.0, 7.0, -math.pi / 2]])
    np.testing.assert_allclose(c.from_centerpoint(centerpoint), [[0, 0, 0, 4, 2, 1.5, 0, 6, 7]], atol=1e-15)


def test_nuscenes_round_trip_and_yaw_of_a_tilted_box() -> None:
    boxes = random_boxes(200)
    translation, size, rotation, velocity = c.to_nuscenes(boxes)
    assert velocity is not None
    back = c.from_nuscenes(translation, size, 3 * rotation, velocity)
    np.testing.assert_allclose(back, boxes, atol=1e-12, rtol=0)
    seven = c.from_nuscenes(translation, size, rotation)
    np.testing.assert_allclose(seven, boxes[:, :7], atol=1e-12, rtol=0)
    assert c.to_nuscenes(seven)[3] is None


def test_nuscenes_against_pyquaternion() -> None:
    pyquaternion = pytest.importorskip("pyquaternion")
    rng = np.random.default_rng(3)
    for _ in range(50):
        quaternion = pyquaternion.Quaternion(rng.normal(size=4))
        axis = quaternion.rotation_matrix @ [1, 0, 0]
        yaw = c.yaw_from_quaternion(quaternion.elements)
        assert angle_difference(yaw, np.arctan2(axis[1], axis[0])) < 1e-9


def test_nuscenes_refuses_a_quaternion_of_length_zero() -> None:
    rotation = np.array([[1.0, 0, 0, 0], [0, 0, 0, 0]])
    with pytest.raises(ValueError, match=r"rotation_wxyz: expected quaternions of length > 0, got length 0 .*\[1\]"):
        c.from_nuscenes(np.zeros((2, 3)), np.ones((2, 3)), rotation)


def test_kitti_round_trip_with_a_tilted_camera() -> None:
    boxes = random_boxes(200)[:, :7]
    calib = SimpleNamespace(rect_from_velo=RECT_FROM_VELO)
    back = c.from_kitti_camera(*c.to_kitti_camera(boxes, calib), calib)
    np.testing.assert_allclose(back, boxes, atol=1e-12, rtol=0)
    tensors = c.from_kitti_camera(*c.to_kitti_camera(torch.from_numpy(boxes), calib), calib)
    np.testing.assert_allclose(tensors.numpy(), boxes, atol=1e-12, rtol=0)


def test_kitti_corners_agree_with_the_devkit_formula() -> None:
    """Without tilt, corners built in the camera frame as KITTI's devkit says are ours."""
    straight = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    h, w, length, ry, location = 1.5, 1.6, 3.9, 0.4, np.array([2.0, 1.7, 20.0])
    x = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
    y = np.array([0, 0, 0, 0, -1, -1, -1, -1]) * h
    z = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * w / 2
    turn = np.array([[math.cos(ry), 0, math.sin(ry)], [0, 1, 0], [-math.sin(ry), 0, math.cos(ry)]])
    camera = (turn @ np.stack([x, y, z])).T + location
    velo = camera @ np.linalg.inv(straight)[:3, :3].T
    calib = SimpleNamespace(rect_from_velo=straight)
    ours = c.from_kitti_camera(np.array([[h, w, length]]), location[None], np.array([ry]), calib)
    found = corners_3d(ours)[0]
    np.testing.assert_allclose(sorted(found.round(9).tolist()), sorted(velo.round(9).tolist()))
