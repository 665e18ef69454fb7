"""NMS against the plain definition over the full matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from oracles import adversarial

from bev3d.nms import batched_nms, nms_bev, nms_circle
from bev3d.overlap import pairwise_iou_bev


def greedy(overlaps: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> list[int]:
    """Keep list from a matrix of booleans: does j go when i is kept?"""
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda k: (-scores[k], k)):
        if not any(overlaps[i, j] and labels[i] == labels[j] for j in kept):
            kept.append(i)
    return kept


def clusters(seed: int, n: int = 600, centres: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes in heaps, scores with ties, three labels."""
    rng = np.random.default_rng(seed)
    boxes = adversarial.boxes(rng, centres, low=1, high=6)[rng.integers(0, centres, n)]
    boxes[:, :2] += rng.normal(0, 0.6, (n, 2))
    boxes[:, 6] += rng.normal(0, 0.2, n)
    boxes[::7] = boxes[0]
    return boxes, np.round(rng.random(n), 2), rng.integers(0, 3, n)


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.2, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bev_equals_the_definition(threshold: float, dtype: type) -> None:
    boxes, scores, labels = clusters(int(threshold * 10))
    boxes, scores = boxes.astype(dtype), scores.astype(dtype)
    overlaps = pairwise_iou_bev(boxes.astype(np.float64), boxes.astype(np.float64)) > threshold
    assert nms_bev(boxes, scores, threshold).tolist() == greedy(overlaps, scores, np.zeros(len(scores)))
    assert batched_nms(boxes, scores, labels, threshold).tolist() == greedy(overlaps, scores, labels)


@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 4.0])
def test_circle_equals_the_definition(radius: float) -> None:
    boxes, scores, labels = clusters(1)
    shift = boxes[:, None, :2] - boxes[None, :, :2]
    overlaps = (shift**2).sum(-1) <= radius**2
    assert nms_circle(boxes, scores, radius).tolist() == greedy(overlaps, scores, np.zeros(len(scores)))
    kept = batched_nms(boxes, scores, labels, radius, kind="circle")
    assert kept.tolist() == greedy(overlaps, scores, labels)


def test_ties_go_to_the_lower_index() -> None:
    boxes = np.tile([0.0, 0, 0, 4, 2, 1.5, 0], (5, 1))
    boxes[3, 0] = 100
    assert nms_bev(boxes, np.full(5, 0.5), 0.5).tolist() == [0, 3]
    assert nms_circle(boxes, np.full(5, 0.5), 1.0).tolist() == [0, 3]
    assert batched_nms(boxes, np.full(5, 0.5), np.array([1, 0, 1, 0, 0]), 0.5).tolist() == [0, 1, 3]


def test_at_exactly_the_threshold() -> None:
    boxes = np.array([[0.0, 0, 0, 2, 2, 1, 0], [1.0, 0, 0, 2, 2, 1, 0]])
    scores = np.array([0.9, 0.8])
    third = pairwise_iou_bev(boxes, boxes)[0, 1]
    assert nms_bev(boxes, scores, third).tolist() == [0, 1]
    assert nms_bev(boxes, scores, np.nextafter(third, 0)).tolist() == [0]
    assert nms_circle(boxes, scores, 1.0).tolist() == [0]
    assert nms_circle(boxes, scores, np.nextafter(1.0, 0)).tolist() == [0, 1]


def test_what_is_no_box_stays_and_removes_nothing() -> None:
    good = [0.0, 0, 0, 4, 2, 1.5, 0]
    boxes = np.array([[np.nan, *good[1:]], [*good[:3], 0, *good[4:]], good, [*good[:6], np.inf], good])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert nms_bev(boxes, scores, 0.3).tolist() == [0, 1, 2, 3]
    assert nms_circle(boxes, scores, 0.3).tolist() == [0, 1]


def test_kinds_of_arrays() -> None:
    boxes, scores, labels = clusters(2)
    expected = nms_bev(boxes, scores, 0.2)
    assert isinstance(expected, np.ndarray)
    assert expected.dtype == np.int64
    kept = nms_bev(torch.from_numpy(boxes).requires_grad_(), torch.from_numpy(scores), 0.2)
    assert isinstance(kept, torch.Tensor)
    assert kept.dtype == torch.int64
    assert kept.tolist() == expected.tolist()
    nine = np.concatenate([boxes, np.full((len(boxes), 2), np.nan)], axis=1)
    assert nms_bev(nine, scores, 0.2).tolist() == expected.tolist()
    mixed = batched_nms(torch.from_numpy(boxes), torch.from_numpy(scores).half(), torch.from_numpy(labels), 0.2)
    assert mixed.dtype == torch.int64
    for kind in ("bev", "circle"):
        assert len(batched_nms(boxes[:0], scores[:0], labels[:0], 0.2, kind=kind)) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((3, 5)), np.zeros(3), 0.5), ValueError, r"boxes: expected shape .*got \(3, 5\)"),
        ((np.zeros(7), np.zeros(3), 0.5), ValueError, r"boxes: expected shape \(N, 7 or 9\), got \(7,\)"),
        ((np.zeros((3, 7)), np.zeros(4), 0.5), ValueError, r"scores: expected shape \(3,\) as boxes, got \(4,\)"),
        ((np.zeros((3, 7)), np.zeros(3, int), 0.5), TypeError, "scores: expected a floating-point dtype"),
        ((np.zeros((3, 7)), [0, 0, 0], 0.5), TypeError, "scores: expected a NumPy array or a torch tensor, got list"),
        ((np.zeros((3, 7)), np.array([0, np.nan, 0]), 0.5), ValueError, "scores: expected no NaN, got one at index 1"),
        ((np.zeros((3, 7)), np.zeros(3), 1.5), ValueError, r"threshold: expected an IoU in \[0, 1\], got 1.5"),
        ((np.zeros((3, 7)), np.zeros(3), float("nan")), ValueError, "threshold: expected an IoU .*, got nan"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nms_bev(*arguments)


def test_wrong_radius_labels_and_kind_are_named() -> None:
    boxes, scores = np.zeros((3, 7)), np.zeros(3)
    for radius in (-1.0, float("inf")):
        with pytest.raises(ValueError, match="radius_m: expected a finite number of metres >= 0"):
            nms_circle(boxes, scores, radius)
    with pytest.raises(TypeError, match="labels: expected an integer dtype, got float64"):
        batched_nms(boxes, scores, np.zeros(3), 0.5)
    with pytest.raises(ValueError, match="kind: expected one of bev, circle, diou, got 'weighted'"):
        batched_nms(boxes, scores, np.zeros(3, int), 0.5, kind="weighted")  # type: ignore[arg-type]
