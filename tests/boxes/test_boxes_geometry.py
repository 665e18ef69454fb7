"""Corners, angles and motions of boxes against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bev3d.boxes import Box, corners_3d, corners_bev, flip_boxes, scale_boxes, transform_boxes, wrap_angle

BOX = np.array([[1.0, 2.0, 3.0, 4.0, 2.0, 1.5, 0.0, 5.0, -1.0]])


def random_boxes(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    boxes = rng.normal(size=(count, 9)) * [20, 20, 2, 1, 1, 1, 2, 5, 5]
    boxes[:, Box.SIZE] = np.abs(boxes[:, Box.SIZE]) + 0.1
    boxes[:, Box.YAW] = wrap_angle(boxes[:, Box.YAW])
    return boxes


def rotation_about_z(angle: float, translation: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    matrix = np.eye(4)
    matrix[:2, :2] = [[c, -s], [s, c]]
    matrix[:3, 3] = translation
    return matrix


def test_columns_and_slices() -> None:
    assert list(Box) == list(range(9))
    assert BOX[0, Box.SIZE].tolist() == [4.0, 2.0, 1.5]
    assert BOX[0, Box.VELOCITY].tolist() == [5.0, -1.0]
    assert isinstance(Box.CENTRE, slice)


def test_corners_of_an_unturned_box_are_front_left_first_and_counter_clockwise() -> None:
    expected = [[3, 3], [-1, 3], [-1, 1], [3, 1]]
    np.testing.assert_allclose(corners_bev(BOX)[0], expected)
    x, y = corners_bev(random_boxes(50)).transpose(2, 0, 1)
    area = 0.5 * (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(1)
    boxes = random_boxes(50)
    np.testing.assert_allclose(area, boxes[:, Box.LENGTH] * boxes[:, Box.WIDTH])


def test_corners_of_a_box_turned_by_a_quarter() -> None:
    box = BOX.copy()
    box[0, Box.YAW] = math.pi / 2
    np.testing.assert_allclose(corners_bev(box)[0], [[0, 4], [0, 0], [2, 0], [2, 4]], atol=1e-12)


def test_corners_3d_stand_on_the_bottom_face() -> None:
    corners = corners_3d(random_boxes(10))
    boxes = random_boxes(10)
    np.testing.assert_allclose(corners[:, :4, :2], corners_bev(boxes))
    np.testing.assert_allclose(corners[:, 4:, :2], corners_bev(boxes))
    np.testing.assert_allclose(corners[:, :4, 2], np.repeat((boxes[:, 2] - boxes[:, 5] / 2)[:, None], 4, 1))
    np.testing.assert_allclose(corners[:, 4:, 2], np.repeat((boxes[:, 2] + boxes[:, 5] / 2)[:, None], 4, 1))


def test_tensors_and_arrays_agree_and_gradients_pass() -> None:
    boxes = random_boxes(6)
    tensor = torch.tensor(boxes, requires_grad=True)
    np.testing.assert_allclose(corners_3d(tensor).detach().numpy(), corners_3d(boxes), atol=1e-14)
    assert torch.autograd.gradcheck(corners_3d, (tensor,))


@given(st.floats(-1e6, 1e6))
def test_wrap_angle_stays_in_its_interval_and_keeps_the_direction(angle: float) -> None:
    for value in (np.array(angle), torch.tensor(angle, dtype=torch.float64)):
        wrapped = float(wrap_angle(value))
        assert -math.pi <= wrapped < math.pi
        assert math.isclose(math.cos(wrapped), math.cos(angle), abs_tol=1e-9)
        assert math.isclose(math.sin(wrapped), math.sin(angle), abs_tol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wrap_angle_at_the_seam(dtype: type) -> None:
    seam = np.array([np.pi, -np.pi, np.nextafter(np.pi, 4), 3 * np.pi, -3 * np.pi, 0.5, np.nan], dtype=dtype)
    wrapped = wrap_angle(seam)
    finite = wrapped[:-1]
    assert wrapped.dtype == dtype
    assert ((finite >= dtype(-np.pi)) & (finite < dtype(np.pi))).all()
    assert finite[5] == dtype(0.5)
    assert np.isnan(wrapped[-1])
    np.testing.assert_array_equal(wrap_angle(torch.from_numpy(seam)).numpy(), wrapped)


def test_wrap_angle_passes_the_gradient() -> None:
    angle = torch.tensor([4.0, -9.0, 0.1], dtype=torch.float64, requires_grad=True)
    wrap_angle(angle).sum().backward()
    assert angle.grad is not None
    assert angle.grad.tolist() == [1.0, 1.0, 1.0]


def test_transform_moves_corners_as_points() -> None:
    boxes = random_boxes(20)
    matrix = rotation_about_z(2.0, (10.0, -4.0, 1.0))
    moved = transform_boxes(boxes, matrix)
    expected = corners_3d(boxes) @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(corners_3d(moved), expected, atol=1e-12)
    np.testing.assert_allclose(moved[:, Box.VELOCITY], boxes[:, Box.VELOCITY] @ matrix[:2, :2].T)
    back = transform_boxes(moved, np.linalg.inv(matrix))
    np.testing.assert_allclose(back, boxes, atol=1e-12)


def test_transform_keeps_unknown_velocities_and_projects_tilted_headings() -> None:
    box = BOX.copy()
    box[0, Box.VELOCITY] = np.nan
    tilt = np.eye(4)
    c, s = math.cos(0.3), math.sin(0.3)
    tilt[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    moved = transform_boxes(box, tilt)
    assert np.isnan(moved[0, Box.VELOCITY]).all()
    assert abs(moved[0, Box.YAW]) < 1e-12  # the heading tilts in its own vertical plane
    np.testing.assert_allclose(moved[0, Box.CENTRE], tilt[:3, :3] @ box[0, Box.CENTRE])


@pytest.mark.parametrize("axis", ["x", "y"])
def test_flip_mirrors_corners_and_velocity(axis: str) -> None:
    boxes = random_boxes(20)
    flipped = flip_boxes(boxes, axis)  # type: ignore[type-var]
    sign = np.array([-1, 1]) if axis == "x" else np.array([1, -1])
    mirrored = corners_bev(boxes) * sign
    # the heading's left side becomes its right side: corners 0..3 come as 3..0
    np.testing.assert_allclose(corners_bev(flipped), mirrored[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(flipped[:, Box.VELOCITY], boxes[:, Box.VELOCITY] * sign)
    np.testing.assert_allclose(flip_boxes(flipped, axis), boxes, atol=1e-12)
    np.testing.assert_allclose(flip_boxes(torch.from_numpy(boxes), axis).numpy(), flipped)


def test_scale_grows_corners_and_velocity() -> None:
    boxes = random_boxes(20)
    scaled = scale_boxes(boxes, 1.5)
    np.testing.assert_allclose(corners_3d(scaled), corners_3d(boxes) * 1.5)
    np.testing.assert_allclose(scaled[:, Box.VELOCITY], boxes[:, Box.VELOCITY] * 1.5)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"boxes: expected shape \(..., 7\) or \(..., 9\), got \(2, 8\)"):
        corners_bev(np.zeros((2, 8)))
    with pytest.raises(TypeError, match="boxes: expected a floating-point dtype, got int64"):
        corners_3d(np.zeros((2, 7), dtype=np.int64))
    with pytest.raises(TypeError, match="boxes: expected a NumPy array or a torch tensor, got list"):
        corners_3d([[0.0] * 7])  # type: ignore[type-var]
    with pytest.raises(ValueError, match=r"axis: expected one of x, y, got 'z'"):
        flip_boxes(BOX, "z")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"matrix: expected shape \(4, 4\), got \(3, 3\)"):
        transform_boxes(BOX, np.eye(3))
    with pytest.raises(ValueError, match="matrix: expected a rotation"):
        transform_boxes(BOX, np.diag([2.0, 1, 1, 1]))
    with pytest.raises(ValueError, match="factor: expected a finite number > 0, got 0"):
        scale_boxes(BOX, 0)
