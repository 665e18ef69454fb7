"""Hungarian, task-aligned and SimOTA against plain loops."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from oracles.assigner_frames import Frame, covered, frames, overlaps

from bev3d._errors import MissingPackageError
from bev3d.targets import assign_hungarian, assign_simota, assign_task_aligned, focal_class_cost
from bev3d.targets.assigners import IGNORED, NEGATIVE

RANGE = (-10.0, -8.0, -3.0, 10.0, 8.0, 3.0)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def mark(frame: Frame, index: list[int]) -> list[int]:
    """Negatives half covered by an object to ignore."""
    some = [box for box, label in zip(frame.boxes, frame.labels, strict=True) if label < 0]
    return [
        IGNORED if own == NEGATIVE and any(covered(anchor, box) >= 0.5 for box in some) else own
        for anchor, own in zip(frame.anchors, index, strict=True)
    ]


def is_inside(point: Any, box: Any) -> bool:
    x, y = point[0] - box[0], point[1] - box[1]
    c, s = math.cos(box[6]), math.sin(box[6])
    return abs(c * x + s * y) <= box[3] / 2 and abs(c * y - s * x) <= box[4] / 2


def slow_cost(frame: Frame, iou: np.ndarray, a: int, g: int) -> float:
    """DETR's cost with TransFusion's weights."""
    p = sigmoid(frame.logits[a, frame.labels[g]])
    kind = -0.25 * (1 - p) ** 2 * math.log(p) + 0.75 * p**2 * math.log(1 - p)
    shift = abs(frame.anchors[a, :2] - frame.boxes[g, :2])
    return 0.15 * kind + 0.25 * (shift[0] / 20 + shift[1] / 16) - 0.25 * iou[a, g]


@pytest.mark.parametrize("overlap", ["3d", "bev"])
def test_hungarian_is_the_cheapest_of_all_matchings(overlap: Any) -> None:
    """By trying every one of them."""
    matched = 0
    for frame in frames(24, anchors=5, seed=1):
        found = assign_hungarian(frame.anchors, frame.logits, frame.boxes, frame.labels, range_m=RANGE, overlap=overlap)
        iou = overlaps(overlap, frame.anchors, frame.boxes)
        wanted = [g for g in range(len(frame.boxes)) if frame.labels[g] >= 0]
        count = len(frame.anchors)
        pairs = min(count, len(wanted))
        cost = {(a, g): slow_cost(frame, iou, a, g) for a in range(count) for g in wanted}
        best = min(
            sum(cost[a, g] for a, g in zip(rows, columns, strict=True))
            for rows in itertools.permutations(range(count), pairs)
            for columns in itertools.combinations(wanted, pairs)
        )
        chosen = [(a, int(g)) for a, g in enumerate(found.gt_index) if g >= 0]
        assert len(chosen) == pairs == len({g for _, g in chosen})
        assert sum(cost[pair] for pair in chosen) == pytest.approx(best, abs=1e-12)
        plain = [int(g) if g >= 0 else NEGATIVE for g in found.gt_index]
        assert found.gt_index.tolist() == mark(frame, plain)
        expected = [iou[a, g] if g >= 0 else 0 for a, g in enumerate(found.gt_index)]
        np.testing.assert_allclose(found.quality, expected, atol=1e-9)
        matched += pairs
    assert matched > 40


def test_hungarian_never_takes_a_prediction_that_is_none() -> None:
    frame = frames(5, anchors=4, seed=1)[4]
    boxes, labels = frame.boxes[:1], np.zeros(1, np.int64)
    for broken in range(3):
        anchors, logits = frame.anchors.copy(), frame.logits.copy()
        anchors[broken, 4] = np.nan
        logits[3] = np.inf
        found = assign_hungarian(anchors, logits, boxes, labels, range_m=RANGE)
        assert found.positive.sum() == 1
        assert not found.positive[[broken, 3]].any()
    anchors[:] = np.nan
    assert assign_hungarian(anchors, frame.logits, boxes, labels, range_m=RANGE).gt_index.tolist() == [-1] * 4


def test_hungarian_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    frame = frames(3, seed=1)[2]
    with pytest.raises(MissingPackageError, match=r"Hungarian assignment needs the package 'scipy.optimize'"):
        assign_hungarian(frame.anchors, frame.logits, frame.boxes, frame.labels, range_m=RANGE)


def test_focal_cost_stays_finite_where_the_sigmoid_is_0_or_1() -> None:
    import torch

    cost = focal_class_cost(torch.tensor([[-800.0, 800.0]], dtype=torch.float64), torch.tensor([0, 1]))
    torch.testing.assert_close(cost, torch.tensor([[200.0, -600.0]], dtype=torch.float64))


def slow_task_aligned(frame: Frame, k: int, radius: float, overlap: str) -> tuple[list[int], list[float]]:
    iou = overlaps(overlap, frame.anchors, frame.boxes)
    count, objects = iou.shape
    t: dict[tuple[int, int], float] = {}
    taken: list[tuple[float, int, int]] = []
    for g in range(objects):
        if frame.labels[g] < 0:
            continue
        ranked = []
        for a in range(count):
            near = math.dist(frame.centres[a, :2], frame.boxes[g, :2]) <= radius
            value = sigmoid(frame.logits[a, frame.labels[g]]) ** 1.5 * iou[a, g] ** 2
            if (near or is_inside(frame.centres[a], frame.boxes[g])) and value > 0:
                ranked.append((-value, a))
                t[a, g] = value
        taken += [(-iou[a, g], g, a) for _, a in sorted(ranked)[:k]]
    index, quality = [NEGATIVE] * count, [0.0] * count
    for _, g, a in sorted(taken):
        if index[a] == NEGATIVE:
            index[a] = g
    for g in range(objects):
        own = [a for a in range(count) if index[a] == g]
        for a in own:
            quality[a] = t[a, g] / max(t[b, g] for b in own) * max(iou[b, g] for b in own)
    return mark(frame, index), quality


@pytest.mark.parametrize(("overlap", "k", "radius"), [("3d", 4, 0.0), ("bev", 13, 1.0), ("nearest_bev", 1, 0.5)])
def test_task_aligned_equals_the_loop(overlap: Any, k: int, radius: float) -> None:
    positive = 0
    for frame in frames(16, seed=2):
        found = assign_task_aligned(
            frame.centres,
            frame.anchors,
            frame.logits,
            frame.boxes,
            frame.labels,
            top_k=k,
            alpha=1.5,
            beta=2.0,
            radius_m=radius,
            overlap=overlap,
        )
        index, quality = slow_task_aligned(frame, k, radius, overlap)
        assert found.gt_index.tolist() == index
        np.testing.assert_allclose(found.quality, quality, atol=1e-9)
        positive += int(found.positive.sum())
    assert positive > 40


def test_the_best_point_of_an_object_has_its_best_overlap_for_quality() -> None:
    for frame in frames(8, seed=5)[2:]:
        found = assign_task_aligned(frame.centres, frame.anchors, frame.logits, frame.boxes, frame.labels)
        iou = overlaps("3d", frame.anchors, frame.boxes)
        for g in set(found.gt_index[found.positive].tolist()):
            own = found.gt_index == g
            assert found.quality[own].max() == pytest.approx(iou[own, g].max(), abs=1e-9)


def slow_simota(frame: Frame, q: int, radius: float, overlap: str) -> tuple[list[int], list[float]]:
    iou = overlaps(overlap, frame.anchors, frame.boxes)
    count, objects = iou.shape
    taken: list[tuple[float, int, int]] = []
    for g in range(objects):
        if frame.labels[g] < 0:
            continue
        ranked, values = [], []
        for a in range(count):
            near = math.dist(frame.centres[a, :2], frame.boxes[g, :2]) <= radius
            inside = is_inside(frame.centres[a], frame.boxes[g])
            if not (near or inside):
                continue
            entropy = 0.0
            for kind, z in enumerate(frame.logits[a]):
                entropy -= math.log(sigmoid(z)) if kind == frame.labels[g] else math.log(1 - sigmoid(z))
            cost = entropy - 3 * math.log(iou[a, g] + 1e-8) + (0 if near and inside else 1e5)
            ranked.append((cost, a))
            values.append(iou[a, g])
        k = max(1, math.floor(sum(sorted(values, reverse=True)[:q]) + 1e-9))
        taken += [(cost, g, a) for cost, a in sorted(ranked)[:k]]
    index, quality = [NEGATIVE] * count, [0.0] * count
    for _, g, a in sorted(taken):
        if index[a] == NEGATIVE:
            index[a], quality[a] = g, iou[a, g]
    return mark(frame, index), quality


@pytest.mark.parametrize(("overlap", "q", "radius"), [("3d", 10, 1.0), ("bev", 3, 2.5), ("nearest_bev", 10, 0.0)])
def test_simota_equals_the_loop(overlap: Any, q: int, radius: float) -> None:
    positive, most = 0, 0
    for frame in frames(16, seed=6):
        # copies of an anchor tie in cost only if their logits and points agree, too
        found = assign_simota(
            frame.centres,
            frame.anchors,
            frame.logits,
            frame.boxes,
            frame.labels,
            top_k=q,
            radius_m=radius,
            overlap=overlap,
        )
        index, quality = slow_simota(frame, q, radius, overlap)
        assert found.gt_index.tolist() == index
        np.testing.assert_allclose(found.quality, quality, atol=1e-9)
        positive += int(found.positive.sum())
        most = max([most, *np.bincount(found.gt_index[found.positive]).tolist()])
    assert positive > 40
    assert most > 1


def test_ties_go_to_the_lower_index() -> None:
    box = np.array([[0.0, 0, 0, 4, 2, 1.5, 0]])
    pred, centres, logits = np.repeat(box, 3, axis=0), np.zeros((3, 2)), np.zeros((3, 1))
    labels = np.zeros(1, np.int64)
    found = assign_task_aligned(centres, pred, logits, box, labels, top_k=2)
    assert found.gt_index.tolist() == [0, 0, NEGATIVE]
    assert found.quality.tolist() == pytest.approx([1, 1, 0])
    found = assign_simota(centres, pred, logits, box, labels, radius_m=1.0, top_k=2)
    assert found.gt_index.tolist() == [0, 0, NEGATIVE]  # two IoUs of 1: k = 2
    two = np.repeat(box, 2, axis=0)
    found = assign_simota(centres, pred, logits, two, np.zeros(2, np.int64), radius_m=1.0, top_k=2)
    assert found.gt_index.tolist() == [0, 0, NEGATIVE]


def test_predictions_that_are_none_take_no_part() -> None:
    box, labels = np.array([[0.0, 0, 0, 4, 2, 1.5, 0]]), np.zeros(1, np.int64)
    pred, centres, logits = np.repeat(box, 4, axis=0), np.zeros((4, 2)), np.zeros((4, 1))
    pred[0], logits[1], centres[2] = np.nan, np.nan, np.nan
    found = assign_task_aligned(centres, pred, logits, box, labels)
    assert found.gt_index.tolist() == [NEGATIVE] * 3 + [0]
    found = assign_simota(centres, pred, logits, box, labels, radius_m=1.0)
    assert found.gt_index.tolist() == [NEGATIVE] * 3 + [0]
