"""Points in boxes, bit for bit the float64 statement: mask, pairs, samples, and boxes that a grid finds hard."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from oracles import adversarial
from oracles.host_kernels import host_launch

from bev3d.points import count_points_in_boxes, points_in_boxes, points_in_boxes_mask, points_in_boxes_pairs
from bev3d_ops.cuda import _points as cuda

ALL = (points_in_boxes, points_in_boxes_mask, points_in_boxes_pairs, count_points_in_boxes)


def inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(P, N) booleans: the documented statement in float64, the cosine and sine by the C library."""
    points, boxes = points.astype(np.float64), boxes.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        shift = points[:, None, :3] - boxes[None, :, :3]
        c = np.array([math.cos(yaw) if math.isfinite(yaw) else math.nan for yaw in boxes[:, 6]])
        s = np.array([math.sin(yaw) if math.isfinite(yaw) else math.nan for yaw in boxes[:, 6]])
        along = shift[..., 0] * c + shift[..., 1] * s
        across = shift[..., 1] * c - shift[..., 0] * s
        local = np.stack([along, across, shift[..., 2]], axis=-1)
        closed = (np.abs(local) <= boxes[None, :, 3:6] / 2).all(axis=-1)
    return closed & np.isfinite(boxes[:, :7]).all(axis=1) & np.isfinite(points[:, :3]).all(axis=1)[:, None]


def on_faces(rng: np.random.Generator, boxes: np.ndarray, each: int) -> np.ndarray:
    """(N * each, 3) points on faces and edges, to rounding: half of them come to lie outside."""
    signs = rng.choice([-1.0, 1.0], (len(boxes), each, 3)) * rng.choice([1.0, 1.0, 0.3], (len(boxes), each, 3))
    local = signs * boxes[:, None, 3:6] / 2
    c, s = np.cos(boxes[:, None, 6]), np.sin(boxes[:, None, 6])
    x, y = local[..., 0] * c - local[..., 1] * s, local[..., 0] * s + local[..., 1] * c
    return (np.stack([x, y, local[..., 2]], axis=-1) + boxes[:, None, :3]).reshape(-1, 3)


def assert_all_as(points: np.ndarray, boxes: np.ndarray, expected: np.ndarray, **samples: np.ndarray) -> None:
    assert np.array_equal(points_in_boxes_mask(points, boxes, **samples), expected)
    assert np.array_equal(points_in_boxes_pairs(points, boxes, **samples), np.argwhere(expected))
    assert np.array_equal(count_points_in_boxes(points, boxes, **samples), expected.sum(axis=0))
    first = np.where(expected.any(axis=1), expected.argmax(axis=1), -1)
    assert np.array_equal(points_in_boxes(points, boxes, **samples), first)


@pytest.mark.parametrize("far", [0.0, 1e5])
def test_points_on_faces_lie_where_the_float64_statement_puts_them(far: float) -> None:
    rng = np.random.default_rng(0)
    boxes = adversarial.boxes(rng, 40, spread=15)
    boxes[:, :2] += far
    points = on_faces(rng, boxes, 200)
    expected = inside(points, boxes)
    own = expected[np.arange(len(points)), np.arange(len(points)) // 200]
    assert 0.2 < own.mean() < 0.8, "the border must be hit from both sides"
    assert_all_as(points, boxes, expected)
    tensors = torch.from_numpy(points), torch.from_numpy(boxes)
    on_host = cuda.points_in_boxes_mask(host_launch, *tensors, None, None)
    assert np.array_equal(on_host.numpy(), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overlapping_boxes_and_samples(dtype: type) -> None:
    rng = np.random.default_rng(1)
    boxes = adversarial.boxes(rng, 60, spread=12).astype(dtype)
    points = rng.uniform(-14, 14, (4000, 4)).astype(dtype)
    points[:, 2] /= 6
    expected = inside(points, boxes)
    assert (expected.sum(axis=1) > 2).any()
    assert_all_as(points, boxes, expected)
    point_batch, box_batch = rng.integers(-1, 4, len(points)), rng.integers(-1, 4, len(boxes))
    expected &= point_batch[:, None] == box_batch
    assert_all_as(points, boxes, expected, point_batch=point_batch, box_batch=box_batch)


def _outliers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    boxes, points = adversarial.boxes(rng, 50, spread=10), rng.uniform(-12, 12, (2000, 3))
    boxes[0, :2], points[0], points[1], points[2, 1] = 1e7, 1e9, np.nan, -np.inf
    return points, boxes


def _huge(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    boxes, points = adversarial.boxes(rng, 8, spread=10), rng.uniform(-12, 12, (500, 3))
    boxes[0, 3:6], boxes[1, 3:6], boxes[2, 0] = 1e308, 1e200, 1e308
    points[0, 0] = -1e308
    return points, boxes


def _one_place(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.tile([1.0, 2, 3, 0, 0, 0, 0.3], (5, 1))
    boxes[3:, 3:6] = 1e-310
    return np.tile([1.0, 2, 3], (100, 1)), boxes


def _a_line(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    boxes, points = adversarial.boxes(rng, 50, spread=10), rng.uniform(-12, 12, (2000, 3))
    points[:, 0] = boxes[7, 0]
    return points, boxes


def _apart(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(50, 60, (300, 3)), adversarial.boxes(rng, 20, spread=10)


def _many_boxes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(-12, 12, (40, 3)), adversarial.boxes(rng, 3000, spread=10)


@pytest.mark.parametrize("scene", [_outliers, _huge, _one_place, _a_line, _apart, _many_boxes])
def test_scenes_that_a_grid_finds_hard(scene: Any) -> None:
    points, boxes = scene(np.random.default_rng(2))
    assert_all_as(points, boxes, inside(points, boxes))


def test_several_threads_give_the_same() -> None:
    rng = np.random.default_rng(3)
    boxes, points = adversarial.boxes(rng, 30, spread=15), rng.uniform(-18, 18, (130_000, 3)).astype(np.float32)
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results.append([function(points, boxes) for function in ALL])
    assert all(np.array_equal(one, other) for one, other in zip(*results, strict=True))


def test_tensors_and_empty_ones() -> None:
    rng = np.random.default_rng(4)
    points, boxes = torch.from_numpy(rng.uniform(-4, 4, (50, 3))), torch.from_numpy(adversarial.boxes(rng, 6, spread=3))
    for function in ALL:
        result = function(points.requires_grad_(), boxes)
        assert isinstance(result, torch.Tensor)
        assert not result.requires_grad
        assert np.array_equal(result.numpy(), function(points.detach().numpy(), boxes.numpy()))
        assert torch.equal(function(points.t().contiguous().t(), boxes.flip(0).flip(0)), result)
    assert points_in_boxes_pairs(points, boxes[:0]).shape == points_in_boxes_pairs(points[:0], boxes).shape == (0, 2)
    assert points_in_boxes_mask(points, boxes[:0]).shape == (50, 0)
    assert points_in_boxes_mask(points[:0], boxes).shape == (0, 6)


P, B = np.zeros((4, 3)), np.zeros((2, 7))


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    ("boxes", "samples", "error", "message"),
    [
        (torch.zeros(2, 7), {}, TypeError, "boxes: expected a NumPy array as points, got Tensor"),
        (B, {"point_batch": np.zeros(4, int)}, ValueError, "box_batch: expected one with point_batch, got None"),
        (B, {"box_batch": np.zeros(2, int)}, ValueError, "point_batch: expected one with box_batch, got None"),
        (
            B,
            {"point_batch": np.zeros(4, int), "box_batch": np.zeros(3, int)},
            ValueError,
            r"box_batch: expected shape \(2,\), got \(3,\)",
        ),
        (
            B,
            {"point_batch": np.zeros(4), "box_batch": np.zeros(2, int)},
            TypeError,
            "point_batch: expected an integer dtype, got float64",
        ),
    ],
)
def test_wrong_arguments_are_named(
    function: Any, boxes: Any, samples: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(P, boxes, **samples)


def test_tensors_of_two_devices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"boxes: expected the device of points \(cpu\), got meta"):
        points_in_boxes(torch.zeros(4, 3), torch.zeros(2, 7, device="meta"))
