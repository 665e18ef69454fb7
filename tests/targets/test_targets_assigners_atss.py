"""ATSS against a plain loop."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from oracles.assigner_frames import Frame, covered, frames, overlaps

from bev3d.targets import assign_atss
from bev3d.targets.assigners import IGNORED, NEGATIVE


def slow_atss(
    frame: Frame, *, by_class: bool, k: int, overlap: str, force: bool, ignore: float
) -> tuple[list[int], list[float]]:
    """Object by object, candidate by candidate."""
    iou = overlaps(overlap, frame.anchors, frame.boxes)
    count, objects = iou.shape
    wanted: list[tuple[float, int, int]] = []
    candidates: dict[int, list[int]] = {}
    for g in range(objects):
        if frame.labels[g] < 0:
            continue
        own = [a for a in range(count) if not by_class or frame.anchor_labels[a] == frame.labels[g]]
        box = frame.boxes[g]
        own.sort(key=lambda a: (((frame.anchors[a, :3] - box[:3]) ** 2).sum(), a))
        candidates[g] = own[:k]
        values = [iou[a, g] for a in candidates[g]]
        if not values:
            continue
        threshold = statistics.mean(values) + (statistics.stdev(values) if len(values) > 1 else 0)
        for a, value in zip(candidates[g], values, strict=True):
            x, y = frame.anchors[a, :2] - box[:2]
            along = x * math.cos(box[6]) + y * math.sin(box[6])
            across = -x * math.sin(box[6]) + y * math.cos(box[6])
            inside = abs(along) <= box[3] / 2 and abs(across) <= box[4] / 2
            if value > 0 and value >= threshold - 1e-9 and inside:
                wanted.append((-value, g, a))
    index, quality = [NEGATIVE] * count, [0.0] * count
    for value, g, a in sorted(wanted):
        if index[a] == NEGATIVE:
            index[a], quality[a] = g, -value
    if force:
        best = [(-max((iou[a, g] for a in own), default=0), g) for g, own in candidates.items() if g not in index]
        for _, g in sorted(best):
            ranked = sorted((-iou[a, g], a) for a in candidates[g] if iou[a, g] > 0 and index[a] == NEGATIVE)
            if ranked:
                index[ranked[0][1]], quality[ranked[0][1]] = g, -ranked[0][0]
    for a in range(count):
        over = [covered(frame.anchors[a], frame.boxes[g]) for g in range(objects) if frame.labels[g] < 0]
        if index[a] == NEGATIVE and over and max(over) >= ignore:
            index[a] = IGNORED
    return index, quality


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("overlap", "by_class", "k"), [("bev", True, 5), ("3d", False, 9), ("nearest_bev", True, 200)])
def test_equals_the_loop(overlap: Any, by_class: bool, k: int, force: bool) -> None:
    positive = 0
    for frame in frames(20, seed=4):
        found = assign_atss(
            frame.anchors,
            frame.boxes,
            frame.labels,
            anchor_labels=frame.anchor_labels if by_class else None,
            top_k=k,
            overlap=overlap,
            force_match=force,
        )
        index, quality = slow_atss(frame, by_class=by_class, k=k, overlap=overlap, force=force, ignore=0.5)
        assert found.gt_index.tolist() == index
        np.testing.assert_allclose(found.quality, quality, atol=1e-9)
        positive += int(found.positive.sum())
    assert positive > 40


def test_the_inside_test_knows_its_axes() -> None:
    """A long object: the anchor 1.5 m ahead of its middle is inside, the one 1.5 m beside it is not."""
    box = np.array([[0.0, 0, 0, 5, 2, 1.5, math.pi / 2]])
    ahead, beside = [0, 1.5, 0, 5, 2, 1.5, math.pi / 2], [1.5, 0, 0, 5, 2, 1.5, math.pi / 2]
    for near, expected in ((ahead, [0]), (beside, [NEGATIVE])):
        assert assign_atss(np.array([near]), box, np.zeros(1, np.int64)).gt_index.tolist() == expected


def test_equally_far_anchors_enter_by_index() -> None:
    """Two of four anchors at the same place are candidates, and they are the first two."""
    anchors = np.repeat([[0.2, 0.0, 0, 4, 2, 1.5, 0]], 4, axis=0)
    found = assign_atss(anchors, np.array([[0.0, 0, 0, 4, 2, 1.5, 0]]), np.zeros(1, np.int64), top_k=2)
    assert found.gt_index.tolist() == [0, 0, NEGATIVE, NEGATIVE]


def test_anchors_that_are_none_are_no_candidates() -> None:
    anchors = np.array([[np.nan, 0, 0, 4, 2, 1.5, 0], [0.1, 0, 0, 4, 2, 1.5, 0], [np.inf, 0, 0, 4, 2, 1.5, 0]])
    found = assign_atss(anchors, np.array([[0.0, 0, 0, 4, 2, 1.5, 0]]), np.zeros(1, np.int64))
    assert found.gt_index.tolist() == [NEGATIVE, 0, NEGATIVE]
