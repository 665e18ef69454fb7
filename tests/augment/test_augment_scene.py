"""Points and boxes move together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from augment_worlds import points_around, random_boxes
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.augment import flip_scene, rotate_scene, scale_scene, translate_scene
from bev3d.boxes import Box, corners_3d
from bev3d.points import points_in_boxes, points_in_boxes_mask

seeds = st.integers(0, 2**32 - 1)
MOTIONS: dict[str, Callable[..., Any]] = {
    "flip x": lambda points, boxes, amount: flip_scene(points, boxes, "x"),
    "flip y": lambda points, boxes, amount: flip_scene(points, boxes, "y"),
    "rotate": lambda points, boxes, amount: rotate_scene(points, boxes, 7 * amount),
    "scale": lambda points, boxes, amount: scale_scene(points, boxes, 2**amount),
    "translate": lambda points, boxes, amount: translate_scene(points, boxes, (9 * amount, -30 * amount, amount)),
}


def _scene(seed: int, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    boxes, _ = random_boxes(count, rng)
    return points_around(boxes, rng), boxes


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(MOTIONS)), seeds, st.floats(-1, 1))
def test_the_points_in_the_boxes_are_the_same_before_and_after(name: str, seed: int, amount: float) -> None:
    points, boxes = _scene(seed)
    before = points.copy(), boxes.copy()
    moved, new_boxes = MOTIONS[name](points, boxes, amount)
    held = points_in_boxes_mask(points, boxes)
    assert held.any()
    np.testing.assert_array_equal(points_in_boxes_mask(moved, new_boxes), held)
    np.testing.assert_array_equal(moved[:, 3:], points[:, 3:])  # intensity and time lag
    assert moved.dtype == np.float32
    assert new_boxes.dtype == np.float64
    np.testing.assert_array_equal(points, before[0])
    np.testing.assert_array_equal(boxes, before[1])


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(MOTIONS)), seeds, st.floats(-1, 1))
def test_a_velocity_is_where_a_box_goes(name: str, seed: int, amount: float) -> None:
    """A box a second later, moved, is the moved box a second later; and its corners are the moved corners."""
    points, boxes = _scene(seed)
    later = boxes.copy()
    later[:, :2] += np.nan_to_num(boxes[:, Box.VELOCITY])
    moved, moved_later = MOTIONS[name](points, boxes, amount)[1], MOTIONS[name](points, later, amount)[1]
    known = ~np.isnan(boxes[:, Box.VX])
    expected = moved[known, :2] + moved[known, Box.VELOCITY]
    np.testing.assert_allclose(moved_later[known, :2], expected, atol=1e-9)
    assert np.isnan(moved[~known, Box.VELOCITY]).all()
    corners = corners_3d(boxes).reshape(-1, 3)
    by_points = MOTIONS[name](corners, boxes, amount)[0].reshape(-1, 8, 3)
    assert _apart(by_points, corners_3d(moved)) < 1e-9
    assert ((moved[:, Box.YAW] >= -math.pi) & (moved[:, Box.YAW] < math.pi)).all()


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest distance from a corner to the nearest one of the other's box: a mirror image has another order."""
    distance = np.linalg.norm(a[:, :, None] - b[:, None], axis=-1)
    return float(max(distance.min(axis=1).max(), distance.min(axis=2).max()))


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_flip_keeps_the_front_and_exchanges_the_sides(axis: Any) -> None:
    heading = np.array([[3.0, -2.0, 0.5, 4.0, 2.0, 1.5, 0.7, 1.0, 2.0]])
    nose = heading[:, :3] + [[2 * np.cos(0.7), 2 * np.sin(0.7), 0.0]]
    moved, boxes = flip_scene(nose, heading, axis)
    yaw = boxes[0, Box.YAW]
    np.testing.assert_allclose(moved[0, :2] - boxes[0, :2], [2 * np.cos(yaw), 2 * np.sin(yaw)], atol=1e-12)
    sign = [-1, 1] if axis == "x" else [1, -1]
    np.testing.assert_array_equal(boxes[0, Box.VELOCITY], heading[0, Box.VELOCITY] * sign)
    np.testing.assert_array_equal(boxes[0, :2], heading[0, :2] * sign)


@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(-1, 1))
def test_there_and_back(seed: int, amount: float) -> None:
    points, boxes = _scene(seed)
    backs = {
        "flip x": lambda scene: flip_scene(*scene, "x"),
        "flip y": lambda scene: flip_scene(*scene, "y"),
        "rotate": lambda scene: rotate_scene(*scene, -7 * amount),
        "scale": lambda scene: scale_scene(*scene, 2**-amount),
        "translate": lambda scene: translate_scene(*scene, (-9 * amount, 30 * amount, -amount)),
    }
    for name, back in backs.items():
        again, boxes_again = back(MOTIONS[name](points.astype(np.float64), boxes, amount))
        np.testing.assert_allclose(again, points, atol=1e-12)
        off = boxes_again - boxes
        off[:, Box.YAW] = (off[:, Box.YAW] + np.pi) % (2 * np.pi) - np.pi
        assert np.nanmax(np.abs(off)) < 1e-12
        np.testing.assert_array_equal(np.isnan(boxes_again), np.isnan(boxes))


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_nothing_there(name: str) -> None:
    points, boxes = MOTIONS[name](np.zeros((0, 5), np.float32), np.zeros((0, 7)), 0.3)
    assert points.shape == (0, 5)
    assert boxes.shape == (0, 7)


def test_points_that_are_not_contiguous_and_more_than_a_thread_takes() -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(300_000, 8)).astype(np.float32)
    moved, _ = rotate_scene(wide[:, 1:6], np.zeros((0, 9)), 0.3)
    expected = wide[:, 1:6].astype(np.float64)
    turn = np.array([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]])
    expected[:, :2] = expected[:, :2] @ turn.T
    np.testing.assert_allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda p, b: flip_scene(p, b, "z"), ValueError, "axis: expected one of x, y, got 'z'"),
        (lambda p, b: scale_scene(p, b, 0.0), ValueError, "factor: expected a finite number > 0, got 0.0"),
        (lambda p, b: flip_scene(p[:, :2], b, "x"), ValueError, r"points: expected shape \(P, >= 3\), got \(3, 2\)"),
        (lambda p, b: flip_scene(p.astype(int), b, "x"), TypeError, "points: expected float32 or float64, got int64"),
        (lambda p, b: flip_scene(p.tolist(), b, "x"), TypeError, "points: expected a NumPy array, got list"),
        (lambda p, b: flip_scene(p, b[:, :8], "x"), ValueError, r"boxes: expected shape"),
        (lambda p, b: flip_scene(p, b[0], "x"), ValueError, r"boxes: expected shape \(N, 7 or 9\), got \(9,\)"),
    ],
)
def test_bad_input(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(np.zeros((3, 5), np.float32), np.ones((2, 9)))


def test_on_real_frames_every_point_stays_with_its_box(kitti_root: Any) -> None:
    from bev3d.data import KittiDataset

    dataset = KittiDataset(kitti_root, split="val")
    for index in range(5):
        sample = dataset[index]
        owner = points_in_boxes(sample.points, sample.boxes)
        scene = sample.points, sample.boxes
        for name, amount in zip(sorted(MOTIONS), (0.0, 0.0, 0.11, -0.07, 0.05), strict=True):
            scene = MOTIONS[name](*scene, amount)
        # points on a face may fall to either side of it, when they are rounded to float32
        assert (points_in_boxes(*scene) != owner).sum() <= 2
        assert (owner >= 0).sum() > 50
