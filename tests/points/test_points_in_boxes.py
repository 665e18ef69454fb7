"""Points in boxes against the plain definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from oracles import adversarial

from bev3d.points import count_points_in_boxes, points_in_boxes


def inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(P, N) booleans in float64."""
    points, boxes = points.astype(np.float64), boxes.astype(np.float64)
    shift = points[:, None, :3] - boxes[None, :, :3]
    c, s = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    along = shift[..., 0] * c + shift[..., 1] * s
    across = shift[..., 1] * c - shift[..., 0] * s
    local = np.stack([along, across, shift[..., 2]], axis=-1)
    return (np.abs(local) <= boxes[None, :, 3:6] / 2).all(axis=-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [3, 5])
def test_equals_the_definition(dtype: type, columns: int) -> None:
    rng = np.random.default_rng(columns)
    boxes = adversarial.boxes(rng, 60, spread=15).astype(dtype)
    points = rng.uniform(-18, 18, (5000, columns)).astype(dtype)
    points[:, 2] /= 6
    expected = inside(points, boxes)
    assert 0.1 < expected.any(axis=1).mean() < 0.95
    assert (expected.sum(axis=1) > 1).any()
    first = np.where(expected.any(axis=1), expected.argmax(axis=1), -1)
    assert np.array_equal(points_in_boxes(points, boxes), first)
    assert np.array_equal(count_points_in_boxes(points, boxes), expected.sum(axis=0))


def test_the_box_is_closed() -> None:
    box = np.array([[1.0, 2, 3, 4, 2, 6, 0]], dtype=np.float32)
    signs = np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1])).reshape(3, -1).T
    border = (box[0, :3] + signs * box[0, 3:6] / 2).astype(np.float32)
    assert (points_in_boxes(border, box) == 0).all()
    assert count_points_in_boxes(border, box).tolist() == [27]
    for axis in range(3):
        beyond = border[signs[:, axis] != 0].copy()
        beyond[:, axis] += signs[signs[:, axis] != 0, axis].astype(np.float32) * 1e-5
        assert (points_in_boxes(beyond, box) == -1).all()


def test_float64_inside_far_from_the_origin() -> None:
    box = np.array([[1e5, 1e5, 0, 4, 2, 2, 0.7]], dtype=np.float32)
    rng = np.random.default_rng(0)
    points = (box[0, :3] + rng.uniform(-2, 2, (2000, 3))).astype(np.float32)
    assert np.array_equal(points_in_boxes(points, box) == 0, inside(points, box)[:, 0])


def test_several_threads_give_the_same() -> None:
    rng = np.random.default_rng(1)
    boxes = adversarial.boxes(rng, 100, spread=15)
    points = rng.uniform(-18, 18, (100_000, 3)).astype(np.float32)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = points_in_boxes(points, boxes), count_points_in_boxes(points, boxes)
        torch.set_num_threads(3)
        three = points_in_boxes(points, boxes), count_points_in_boxes(points, boxes)
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(one[0], three[0])
    assert np.array_equal(one[1], three[1])


@pytest.mark.parametrize("scale_m", [1e-3, 1.0, 1e5])
def test_the_few_points_that_lie_far_from_all_others_are_found(scale_m: float) -> None:
    """The grid's cells lie where a sample of the points is; these are in none of them."""
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.uniform(-1, 1, (40, 3)), rng.uniform(0.2, 1, (40, 3)), rng.uniform(-4, 4, (40, 1))], 1)
    boxes[:, :2] *= np.repeat([[1, 1], [300, 1], [1, 300], [300, 300]], 10, axis=0)
    points = rng.uniform(-1, 1, (30_000, 3))
    lost = rng.choice(len(points), 40, replace=False)
    points[lost] = boxes[:, :3]
    boxes[:, :6] *= scale_m
    points *= scale_m
    expected = inside(points, boxes)
    np.testing.assert_array_equal(points_in_boxes(points, boxes) >= 0, expected.any(1))
    np.testing.assert_array_equal(count_points_in_boxes(points, boxes), expected.sum(0))


def test_what_is_no_box_holds_nothing() -> None:
    good = [0.0, 0, 0, 4, 2, 2, 0.0]
    rows = []
    for column in range(7):
        for value in (np.nan, np.inf):
            row = list(good)
            row[column] = value
            rows.append(row)
    rows += [[*good[:3], -4, *good[4:]], [*good[:5], -2, 0]]
    points = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]])
    assert count_points_in_boxes(points, np.array(rows)).tolist() == [0] * len(rows)
    assert points_in_boxes(points, np.array([*rows, good])).tolist() == [len(rows)] * 2


def test_points_that_are_none_lie_nowhere() -> None:
    box = np.array([[0.0, 0, 0, 4, 2, 2, 0.0]])
    points = np.zeros((400, 3))
    points[::2, 1] = np.nan
    points[1::4, 0] = np.inf
    assert np.array_equal(points_in_boxes(points, box) == 0, np.isfinite(points).all(axis=1))
    assert points_in_boxes(np.full((3, 3), np.nan), box).tolist() == [-1] * 3


def test_kinds_of_arrays() -> None:
    rng = np.random.default_rng(2)
    boxes, points = adversarial.boxes(rng, 9, spread=3), rng.uniform(-4, 4, (500, 4))
    owner, counts = points_in_boxes(points, boxes), count_points_in_boxes(points, boxes)
    assert isinstance(owner, np.ndarray)
    assert owner.dtype == counts.dtype == np.int64
    as_tensor = points_in_boxes(torch.from_numpy(points), torch.from_numpy(boxes))
    assert isinstance(as_tensor, torch.Tensor)
    assert as_tensor.dtype == torch.int64
    assert np.array_equal(as_tensor.numpy(), owner)
    nine = np.concatenate([boxes, np.full((9, 2), np.nan)], axis=1)
    assert np.array_equal(count_points_in_boxes(points[:, ::-1][:, ::-1], nine), counts)
    assert points_in_boxes(points[:0], boxes).shape == (0,)
    assert points_in_boxes(points, boxes[:0]).tolist() == [-1] * 500
    assert count_points_in_boxes(points[:0], boxes).tolist() == [0] * 9
    assert count_points_in_boxes(points, boxes[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("points", "boxes", "error", "message"),
    [
        (np.zeros((4, 2)), np.zeros((1, 7)), ValueError, r"points: expected shape \(P, >= 3\), got \(4, 2\)"),
        (np.zeros(3), np.zeros((1, 7)), ValueError, r"points: expected shape \(P, >= 3\), got \(3,\)"),
        (np.zeros((4, 3), int), np.zeros((1, 7)), TypeError, "points: expected a floating-point dtype.*got int64"),
        ([[0.0, 0, 0]], np.zeros((1, 7)), TypeError, "points: expected a NumPy array or a torch tensor, got list"),
        (np.zeros((4, 3)), np.zeros((1, 8)), ValueError, r"boxes: expected shape .*got \(1, 8\)"),
        (np.zeros((4, 3)), np.zeros(7), ValueError, r"boxes: expected shape \(N, 7 or 9\), got \(7,\)"),
    ],
)
def test_wrong_arguments_are_named(points: Any, boxes: Any, error: type[Exception], message: str) -> None:
    for function in (points_in_boxes, count_points_in_boxes):
        with pytest.raises(error, match=message):
            function(points, boxes)
