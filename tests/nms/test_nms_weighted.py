"""Merging: two boxes in closed form, headings, and heaps against the plain loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from nms_worlds import clusters, matrix

from bev3d.boxes import wrap_angle
from bev3d.nms import MergedBoxes, batched_nms, nms_weighted

A = [0.0, 0, 0, 4, 2, 1.5, 0.5]


def two(other: list[float], scores: tuple[float, float] = (0.9, 0.6), threshold: float = 0.1) -> MergedBoxes:
    merged = nms_weighted(np.array([A[: len(other)], other]), np.array(scores), threshold)
    assert merged.indices.tolist() == [0]
    assert merged.scores.tolist() == [scores[0]]
    assert merged.counts.tolist() == [2]
    return merged


def test_two_boxes_in_closed_form() -> None:
    # half of each is shared, along the heading: IoU 1/3
    other = [2 * math.cos(0.5), 2 * math.sin(0.5), 1.0, 4, 2, 3.0, 0.5]
    weights = 0.9, 0.6 / 3
    share = weights[1] / sum(weights)
    expected = [other[0] * share, other[1] * share, share, 4, 2, 1.5 + 1.5 * share, 0.5]
    np.testing.assert_allclose(two(other).boxes, [expected], rtol=0, atol=1e-12)


def test_sizes_and_headings_in_closed_form() -> None:
    # concentric, turned by 0.2: the heading moves by atan2 of the weighted sine and cosine
    other = [0.0, 0, 0, 4, 2, 1.5, 0.7]
    iou = matrix(np.array([A, other]))[0, 1]
    weights = 0.9, 0.6 * iou
    turn = math.atan2(weights[1] * math.sin(0.2), weights[0] + weights[1] * math.cos(0.2))
    merged = two(other).boxes[0]
    assert merged[6] == pytest.approx(0.5 + turn, abs=1e-12)
    np.testing.assert_allclose(merged[:6], A[:6], atol=1e-12)
    contained = [0.0, 0, 0, 2, 1, 1.5, 0.5]  # a quarter of the area
    merged = two(contained).boxes[0]
    share = 0.6 / 4 / (0.9 + 0.6 / 4)
    np.testing.assert_allclose(merged[3:5], [4 - 2 * share, 2 - share], atol=1e-12)


@pytest.mark.parametrize("turns", [-3, -2, -1, 1, 2, 3, 1001])
@pytest.mark.parametrize("yaw", [0.0, 0.5, math.pi - 0.01, -math.pi + 0.01, math.pi / 2, -math.pi])
def test_headings_that_face_the_other_way_agree(turns: int, yaw: float) -> None:
    boxes = np.array([A, A])
    boxes[:, 6] = yaw, yaw + 0.02
    expected = nms_weighted(boxes, np.array([0.9, 0.8]), 0.3).boxes
    boxes[1, 6] += turns * math.pi
    merged = nms_weighted(boxes, np.array([0.9, 0.8]), 0.3).boxes
    assert np.abs(wrap_angle(merged[:, 6] - expected[:, 6])).max() < 1e-11
    assert 0 < wrap_angle(merged[:, 6] - yaw)[0] < 0.02
    assert -math.pi <= merged[0, 6] < math.pi


def test_what_lies_across_says_nothing_of_length_width_and_heading() -> None:
    boxes = np.array([[0.0, 0, 0, 2, 2, 1, 0.3], [0.2, 0, 1, 2.4, 1.8, 2, 0.3 + math.pi / 2]])
    merged = nms_weighted(boxes, np.array([0.9, 0.9]), 0.3).boxes[0]
    assert merged[[3, 4, 6]].tolist() == pytest.approx([2, 2, 0.3], abs=1e-15)
    assert 0 < merged[0] < 0.1
    assert 0 < merged[2] < 0.5
    assert 1 < merged[5] < 1.5


@pytest.mark.parametrize(
    ("velocities", "expected"),
    [
        (([1, 2], [3, 4]), [2, 3]),
        (([np.nan, np.nan], [3, 4]), [3, 4]),
        (([1, 2], [3, np.nan]), [1, 2]),
        (([np.nan, np.nan], [np.nan, np.nan]), [np.nan, np.nan]),
        (([np.inf, 1], [np.nan, np.nan]), [np.inf, 1]),
    ],
)
def test_velocities_that_are_not_known_are_left_out(velocities: Any, expected: list[float]) -> None:
    boxes = np.array([A + list(velocity) for velocity in velocities], dtype=np.float64)
    merged = nms_weighted(boxes, np.array([0.5, 0.5]), 0.3)
    np.testing.assert_allclose(merged.boxes[0, 7:], expected, atol=1e-12)


def test_a_box_alone_stays_as_it_is_but_for_whole_turns() -> None:
    boxes = np.array([[*A[:6], 7.0], [50, 0, 0, np.nan, 1, 1, 0], [np.inf, 0, 0, 1, 1, 1, 0], [90, 0, 0, 0, 1, 1, 0]])
    scores = np.array([0.4, 0.3, 0.2, 0.0])
    merged = nms_weighted(boxes, scores, 0.3)
    expected = boxes.copy()
    expected[0, 6] = 7.0 - 2 * math.pi
    np.testing.assert_allclose(merged.boxes, expected, rtol=0, atol=1e-15)
    assert merged.counts.tolist() == [1, 1, 1, 1]
    zeros = nms_weighted(np.array([A, A]), np.zeros(2), 0.3)
    np.testing.assert_allclose(zeros.boxes, [A], atol=1e-15)
    assert zeros.counts.tolist() == [2]


def test_far_from_the_origin_nothing_is_lost() -> None:
    boxes = np.array([A, A])
    boxes[:, 0] += 1e5
    boxes[1, 0] += 0.25
    near = boxes - [1e5, 0, 0, 0, 0, 0, 0]
    far = nms_weighted(boxes, np.array([0.9, 0.6]), 0.3).boxes
    np.testing.assert_allclose(far[0, 0] - 1e5, nms_weighted(near, np.array([0.9, 0.6]), 0.3).boxes[0, 0], atol=2e-11)


def by_loop(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
    """The definition, box by box."""
    overlaps = matrix(boxes)
    left = sorted(range(len(boxes)), key=lambda k: (-scores[k], k))
    merged = []
    while left:
        k = left[0]
        members = [j for j in left if j == k or (labels[j] == labels[k] and overlaps[k, j] > threshold)]
        left = [j for j in left if j not in members]
        weights = np.array([scores[j] * (1 if j == k else overlaps[k, j]) for j in members])
        turns = np.array([math.remainder(boxes[j, 6] - boxes[k, 6], math.pi) for j in members])
        along = weights * (np.abs(turns) <= math.pi / 4)
        row = np.average(boxes[members], axis=0, weights=weights)
        row[3:5] = np.average(boxes[members][:, 3:5], axis=0, weights=along)
        row[6] = wrap_angle(boxes[k, 6] + math.atan2(along @ np.sin(turns), along @ np.cos(turns)))
        merged.append(row)
    return np.array(merged)


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.7])
def test_heaps_equal_the_loop(threshold: float) -> None:
    boxes, scores, labels = clusters(20, n=400, centres=30)
    scores += 0.01
    merged = nms_weighted(boxes, scores, threshold, labels=labels)
    assert merged.indices.tolist() == batched_nms(boxes, scores, labels, threshold).tolist()
    assert merged.counts.sum() == len(boxes)
    expected = by_loop(boxes, scores, labels, threshold)
    np.testing.assert_allclose(merged.boxes[:, :6], expected[:, :6], atol=1e-11)
    assert np.abs(wrap_angle(merged.boxes[:, 6] - expected[:, 6])).max() < 1e-11


def test_velocities_of_many_heaps_equal_the_loop() -> None:
    boxes, scores, labels = clusters(23, n=200, centres=20)
    velocity = np.random.default_rng(1).normal(0, 5, (len(boxes), 2))
    moving = np.concatenate([boxes, velocity], axis=1)
    merged = nms_weighted(moving, scores + 0.01, 0.3, labels=labels)
    assert 1 < len(merged.boxes) < len(boxes)
    expected = by_loop(moving, scores + 0.01, labels, 0.3)
    np.testing.assert_allclose(merged.boxes[:, 7:], expected[:, 7:], atol=1e-11)
    moving[merged.indices[0], 7:] = np.nan  # where the kept one's is unknown, that of the others counts
    assert np.isfinite(nms_weighted(moving, scores + 0.01, 0.3, labels=labels).boxes[merged.counts > 1]).all()


def test_labels_samples_and_limits_are_those_of_batched_nms() -> None:
    boxes, scores, labels = clusters(21)
    batch = np.random.default_rng(0).integers(0, 3, len(boxes))
    limits: dict[str, Any] = {"batch": batch, "score_threshold": 0.2, "pre_max": 40}
    everything = nms_weighted(boxes, scores, 0.2, labels=labels, **limits)
    few = nms_weighted(boxes, scores, 0.2, labels=labels, max_keep=6, **limits)
    kept = batched_nms(boxes, scores, labels, 0.2, max_keep=6, **limits)
    assert few.indices.tolist() == kept.tolist()
    chosen = np.isin(everything.indices, kept)
    assert np.array_equal(few.boxes, everything.boxes[chosen])
    assert np.array_equal(few.counts, everything.counts[chosen])
    top = nms_weighted(boxes, scores, 0.2, max_keep=4)
    assert np.array_equal(top.boxes, nms_weighted(boxes, scores, 0.2).boxes[:4])


def test_kinds_of_arrays() -> None:
    boxes, scores, _ = clusters(22)
    expected = nms_weighted(boxes, scores, 0.2)
    tensors = nms_weighted(torch.from_numpy(boxes).requires_grad_(), torch.from_numpy(scores), 0.2)
    for ours, theirs in zip(tensors, expected, strict=True):
        assert isinstance(ours, torch.Tensor)
        assert not ours.requires_grad
        assert np.array_equal(ours.numpy(), theirs)
    narrow = nms_weighted(boxes.astype(np.float32), scores.astype(np.float32), 0.2)
    assert narrow.boxes.dtype == narrow.scores.dtype == np.float32
    empty = nms_weighted(boxes[:0], scores[:0], 0.2, max_keep=1)
    assert [value.shape for value in empty] == [(0,), (0, 7), (0,), (0,)]
    halves = nms_weighted(torch.from_numpy(boxes).bfloat16(), torch.from_numpy(scores).half(), 0.2)
    assert halves.boxes.dtype is torch.bfloat16


@pytest.mark.parametrize(("bad", "shown"), [(-0.5, "-0.5"), (np.inf, "inf"), (np.nan, "one")])
def test_scores_that_are_no_weights_are_refused(bad: float, shown: str) -> None:
    with pytest.raises(ValueError, match=f"scores: expected finite numbers >= 0, got {shown} at index 1"):
        nms_weighted(np.array([A, A]), np.array([0.5, bad]), 0.3)
    with pytest.raises(ValueError, match=r"threshold: expected an IoU in \[0, 1\], got 2"):
        nms_weighted(np.array([A, A]), np.array([0.5, 0.5]), 2)
