"""What is no box, boxes all in one place or all apart, far away, tiny, huge and many."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
import torch
from nms_worlds import clusters, greedy, matrix, near
from oracles import adversarial

from bev3d.nms import nms_bev, nms_circle, nms_diou, nms_mask
from bev3d.overlap import pairwise_iou_bev

GOOD = [0.0, 0, 0, 4, 2, 1.5, 0]


def test_what_is_no_box_stays_and_removes_nothing() -> None:
    boxes = np.array([[np.nan, *GOOD[1:]], [*GOOD[:3], 0, *GOOD[4:]], GOOD, [*GOOD[:6], np.inf], GOOD])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert nms_bev(boxes, scores, 0.3).tolist() == [0, 1, 2, 3]
    assert nms_diou(boxes, scores, 0.3).tolist() == [0, 1, 2, 3]
    assert nms_circle(boxes, scores, 0.3).tolist() == [0, 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e41, -1e300])
@pytest.mark.parametrize("column", range(7))
def test_every_column_that_is_no_number(value: float, column: int) -> None:
    boxes = np.tile(GOOD, (4, 1))
    boxes[[0, 2], column] = value
    expected = [0, 1, 2]
    scores = np.array([0.4, 0.3, 0.2, 0.1])
    assert nms_bev(boxes, scores, 0.3).tolist() == expected
    assert nms_circle(boxes, scores, 1.0).tolist() == (expected if column < 2 else [0])


def test_infinite_scores_are_the_best_and_the_worst() -> None:
    boxes = np.tile(GOOD, (3, 1))
    assert nms_bev(boxes, np.array([0.0, np.inf, -np.inf]), 0.5).tolist() == [1]
    boxes[:, 0] = [0, 100, 200]
    assert nms_bev(boxes, np.array([0.0, np.inf, -np.inf]), 0.5).tolist() == [1, 0, 2]


def test_a_score_that_is_nan_takes_no_part_in_the_mask() -> None:
    boxes = torch.tensor(GOOD).repeat(3, 1)
    scores = torch.tensor([torch.nan, 0.5, 0.6])
    assert nms_mask(boxes, scores, 0.5).tolist() == [False, False, True]


def test_all_in_one_place_and_all_apart() -> None:
    n = 20_000
    scores = np.random.default_rng(0).random(n)
    one = np.tile(GOOD, (n, 1))
    assert nms_bev(one, scores, 0.5).tolist() == [int(scores.argmax())]
    assert nms_bev(one, scores, 1.0).tolist() == np.argsort(-scores, kind="stable").tolist()
    apart = one.copy()
    apart[:, 0] = 4.0 * np.arange(n)  # touching
    assert nms_bev(apart, scores, 0.0).tolist() == np.argsort(-scores, kind="stable").tolist()
    assert len(nms_circle(one, scores, 0.0)) == 1


@pytest.mark.parametrize("offset", [1e5, -1e5, 1e9])
def test_far_from_the_origin(offset: float) -> None:
    boxes, scores, _ = clusters(7)
    boxes[:, :2] += offset
    assert nms_bev(boxes, scores, 0.2).tolist() == greedy(matrix(boxes) > 0.2, scores)
    assert nms_circle(boxes, scores, 0.7).tolist() == greedy(near(boxes, 0.7), scores)


@pytest.mark.parametrize(("low", "high"), [(1e-9, 1e-6), (1e-3, 50), (1e-30, 1e30), (1e8, 1e12)])
def test_sizes_of_every_magnitude(low: float, high: float) -> None:
    rng = np.random.default_rng(2)
    boxes = adversarial.boxes(rng, 400, low=low, high=high)
    boxes[200:] = boxes[:200]
    boxes[200:, :2] += rng.normal(0, 0.2, (200, 2)) * boxes[:200, 3:5].min(axis=1, keepdims=True)
    scores = rng.random(400)
    for threshold in (0.0, 0.01, 0.5):
        assert nms_bev(boxes, scores, threshold).tolist() == greedy(matrix(boxes) > threshold, scores)


@pytest.mark.parametrize("radius", [1e-12, 1e4, 1e35, 1e200])
def test_radii_of_every_magnitude(radius: float) -> None:
    boxes, scores, _ = clusters(9, n=300)
    boxes[:100, :2] *= 1e8
    assert nms_circle(boxes, scores, radius).tolist() == greedy(near(boxes, radius), scores)


def test_memory_follows_the_number_of_boxes_not_the_extent() -> None:
    rng = np.random.default_rng(3)
    boxes = adversarial.boxes(rng, 2_000, spread=1e30)
    boxes[::2, :2] = rng.uniform(-1, 1, (1_000, 2))
    scores = rng.random(2_000)
    nms_bev(boxes, scores, 0.2)
    tracemalloc.start()
    kept = nms_bev(boxes, scores, 0.2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6
    assert kept.tolist() == greedy(matrix(boxes) > 0.2, scores)


def test_a_crowded_cell() -> None:
    rng = np.random.default_rng(4)
    boxes = np.tile(GOOD, (1_500, 1))
    boxes[:, 3:5] = np.exp(rng.uniform(-3, 3, (1_500, 2)))
    boxes[:, 6] = rng.uniform(-4, 4, 1_500)
    scores = rng.random(1_500)
    for threshold in (0.1, 0.5, 0.9):
        assert nms_bev(boxes, scores, threshold).tolist() == greedy(matrix(boxes) > threshold, scores)


def test_a_hundred_thousand_boxes() -> None:
    boxes, scores, _ = clusters(10, n=100_000, centres=5_000)
    boxes[:, :2] *= 4
    nms_bev(boxes[:10], scores[:10], 0.2)
    start = time.thread_time()
    kept = nms_bev(boxes, scores, 0.2)
    elapsed = time.thread_time() - start
    assert elapsed < 2.0, "a grid that does not work takes minutes"
    # what is kept survives alone, so that no pair of it overlaps; and each that went overlaps one of a better score
    assert nms_bev(boxes[kept], scores[kept], 0.2).tolist() == list(range(len(kept)))
    gone = np.setdiff1d(np.arange(len(boxes)), kept)[::500]
    better = (scores[kept][None] > scores[gone][:, None]) | (
        (scores[kept][None] == scores[gone][:, None]) & (kept[None] < gone[:, None])
    )
    overlaps = pairwise_iou_bev(boxes[gone], boxes[kept]) > 0.2
    assert (overlaps & better).any(axis=1).all()
