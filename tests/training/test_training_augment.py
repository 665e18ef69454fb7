"""Points and boxes move together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bev3d.boxes import Box
from bev3d.config import Config
from bev3d.training._augment import augment, flip_scene, rotate_scene, scale_scene


def in_box_frame(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Points in units of the half sizes, along the box's axes: what no rigid motion changes."""
    cosine, sine = np.cos(box[Box.YAW]), np.sin(box[Box.YAW])
    away = points[:, :3] - box[Box.CENTRE]
    along = away[:, 0] * cosine + away[:, 1] * sine
    across = -away[:, 0] * sine + away[:, 1] * cosine
    return np.stack([along, across, away[:, 2]], axis=1) / box[Box.SIZE] * 2


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    box = np.array([[5.0, -3.0, 0.5, 4.0, 2.0, 1.5, 0.7, 3.0, -1.0]])
    points = np.concatenate([random.normal((5, -3, 0.5), 1, (50, 3)), random.random((50, 2))], axis=1)
    return points.astype(np.float32), box


@pytest.mark.parametrize("axis", ["x", "y"])
def test_flip_mirrors_the_side_and_keeps_the_front(scene: tuple, axis: str) -> None:
    points, boxes = scene
    new_points, new_boxes = flip_scene(points, boxes, axis)
    before, after = in_box_frame(points, boxes[0]), in_box_frame(new_points, new_boxes[0])
    np.testing.assert_allclose(after, before * [1, -1, 1], atol=1e-5)


def test_rotation_and_scale_keep_every_point_in_its_place_of_the_box(scene: tuple) -> None:
    points, boxes = scene
    before = in_box_frame(points, boxes[0])
    turned_points, turned = rotate_scene(points, boxes, 1.1)
    np.testing.assert_allclose(in_box_frame(turned_points, turned[0]), before, atol=1e-5)
    assert turned[0, Box.YAW] == pytest.approx(1.8)
    scaled_points, scaled = scale_scene(points, boxes, 1.3)
    np.testing.assert_allclose(in_box_frame(scaled_points, scaled[0]), before, atol=1e-5)
    np.testing.assert_array_equal(scaled_points[:, 3:], points[:, 3:])
    np.testing.assert_allclose(scaled[0, Box.VELOCITY], boxes[0, Box.VELOCITY] * 1.3)


def test_inputs_stay_and_the_generator_decides(scene: tuple, small_config: Config) -> None:
    points, boxes = scene
    kept = points.copy(), boxes.copy()
    one = augment(points, boxes, small_config, np.random.default_rng(4))
    two = augment(points, boxes, small_config, np.random.default_rng(4))
    other = augment(points, boxes, small_config, np.random.default_rng(5))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert np.abs(one[0] - other[0]).max() > 1e-3
    np.testing.assert_array_equal(points, kept[0])
    np.testing.assert_array_equal(boxes, kept[1])


def test_kitti_is_never_mirrored_along_its_view(scene: tuple, small_config: Config) -> None:
    config = replace(small_config, dataset="kitti", rotate_rad=0.0, scale_range=0.0)
    signs = {tuple(np.sign(augment(*scene, config, np.random.default_rng(i))[1][0, :2])) for i in range(20)}
    assert signs == {(1.0, -1.0), (1.0, 1.0)}


def test_off_means_off(scene: tuple, small_config: Config) -> None:
    config = replace(small_config, flip=False, rotate_rad=0.0, scale_range=0.0)
    points, boxes = augment(*scene, config, np.random.default_rng(0))
    assert points is scene[0]
    assert boxes is scene[1]


def test_no_boxes(scene: tuple, small_config: Config) -> None:
    points, boxes = augment(scene[0], np.zeros((0, 9)), small_config, np.random.default_rng(0))
    assert boxes.shape == (0, 9)
    assert points.shape == scene[0].shape
