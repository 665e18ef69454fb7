"""Maximum overlap against a plain loop over anchors and objects."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.assigner_frames import Frame, covered, frames, overlaps

from bev3d.data import KittiDataset
from bev3d.targets import AnchorClass, OutputGrid, assign_max_iou, generate_anchors
from bev3d.targets.assigners import IGNORED, NEGATIVE


def slow_max_iou(
    frame: Frame,
    *,
    by_class: bool,
    high: list[float],
    low: list[float],
    overlap: str,
    force: str,
    ignore: float | None,
) -> tuple[list[int], list[float]]:
    """Anchor by anchor, object by object."""
    iou = overlaps(overlap, frame.anchors, frame.boxes)
    count, objects = iou.shape
    index, quality = [NEGATIVE] * count, [0.0] * count

    def meets(a: int, g: int) -> bool:
        own = not by_class or frame.anchor_labels[a] == frame.labels[g]
        return bool(frame.labels[g] >= 0 and own and iou[a, g] > 0)

    for a in range(count):
        best = -1
        for g in range(objects):
            if meets(a, g) and (best < 0 or iou[a, g] > iou[a, best]):
                best = g
        if best < 0:
            continue
        kind = frame.anchor_labels[a] if by_class else 0
        quality[a] = iou[a, best]
        if iou[a, best] >= high[kind]:
            index[a] = best
        elif iou[a, best] >= low[kind]:
            index[a] = IGNORED
    ranked = sorted(
        ((-iou[a, g], g, a) for g in range(objects) for a in range(count) if meets(a, g)),
        key=lambda pair: (pair[0], pair[1], pair[2]),
    )
    if force == "free":
        lonely = {g for g in range(objects) if g not in index}
        order = []
        for _, g, _ in ranked:
            if g in lonely and g not in order:
                order.append(g)
        for g in order:
            for value, other, a in ranked:
                if other == g and index[a] < 0:
                    index[a], quality[a] = g, -value
                    break
    if force == "override":
        first: dict[int, tuple[float, int]] = {}
        for value, g, a in ranked:
            if g not in first:
                first[g] = (value, a)
        taken: set[int] = set()
        for g, (value, a) in sorted(first.items(), key=lambda item: (item[1][0], item[0])):
            if a not in taken:
                taken.add(a)
                index[a], quality[a] = g, -value
    if ignore is not None:
        for a in range(count):
            over = [covered(frame.anchors[a], frame.boxes[g]) for g in range(objects) if frame.labels[g] < 0]
            if index[a] == NEGATIVE and over and max(over) >= ignore:
                index[a] = IGNORED
    return index, quality


@pytest.mark.parametrize("force", ["free", "override", "none"])
@pytest.mark.parametrize(("overlap", "by_class"), [("bev", True), ("3d", False), ("nearest_bev", True), ("bev", False)])
def test_equals_the_loop(overlap: Any, by_class: bool, force: Any) -> None:
    high, low = [0.6, 0.5, 0.35], [0.45, 0.35, 0.35]
    kinds = {"positive": 0, "ignored": 0, "moved": 0}
    for k, frame in enumerate(frames(14, seed=3)):
        ignore = None if k % 3 == 0 else 0.4
        found = assign_max_iou(
            frame.anchors,
            frame.boxes,
            frame.labels,
            anchor_labels=frame.anchor_labels if by_class else None,
            matched=high if by_class else high[0],
            unmatched=low if by_class else low[0],
            overlap=overlap,
            force_match=force,
            ignore_overlap=ignore,
        )
        settings = {"by_class": by_class, "high": high, "low": low, "overlap": overlap, "ignore": ignore}
        index, quality = slow_max_iou(frame, force=force, **settings)  # type: ignore[arg-type]
        assert found.gt_index.tolist() == index
        np.testing.assert_allclose(found.quality, quality, atol=1e-9)
        assert found.labels.tolist() == [frame.labels[g] if g >= 0 else -1 for g in index]
        kinds["positive"] += sum(g >= 0 for g in index)
        kinds["ignored"] += index.count(IGNORED)
        plain = slow_max_iou(frame, force="none", **settings)[0]  # type: ignore[arg-type]
        kinds["moved"] += sum(a != b for a, b in zip(index, plain, strict=True))
    assert kinds["positive"] > 60
    assert kinds["ignored"] > 15
    assert (kinds["moved"] > 0) == (force != "none")


def test_force_match_by_hand() -> None:
    """One anchor that two objects overlap most: 0 by 0.6, 1 by less."""
    anchors = np.array([[0.0, 0, 0, 4, 2, 1.5, 0], [0.5, 0, 0, 4, 2, 1.5, 0]])
    boxes = np.array([[0.0, 0, 0, 4, 2, 1.5, 0], [-2.5, 0, 0, 4, 2, 1.5, 0]])
    labels = np.zeros(2, np.int64)

    def index(force: Any) -> list[int]:
        return assign_max_iou(anchors, boxes, labels, force_match=force).gt_index.tolist()

    assert index("none") == [0, 0]
    assert index("free") == [0, 0]  # both anchors belong to object 0, which keeps them
    assert index("override") == [0, 0]  # object 0 overlaps anchor 0 more than object 1 does
    anchors[1, 0] = 2.5  # beyond the thresholds of object 0, out of reach of object 1
    assert index("free") == [0, NEGATIVE]
    boxes[1, 0] = 4.0
    assert index("free") == [0, 1]


def test_the_better_pair_comes_first_where_two_objects_want_one_anchor() -> None:
    """Below all thresholds, object 1 overlaps anchor 0 more than object 0 does, which gets its second choice."""
    anchors = np.array([[0.0, 0, 0, 4, 2, 1.5, 0], [-3.0, 1.5, 0, 4, 2, 1.5, 0]])
    boxes = np.array([[-1.9, 0, 0, 4, 2, 1.5, 0], [1.8, 0, 0, 4, 2, 1.5, 0]])
    labels = np.zeros(2, np.int64)
    assert assign_max_iou(anchors, boxes, labels).gt_index.tolist() == [1, 0]
    assert assign_max_iou(anchors, boxes[::-1], labels).gt_index.tolist() == [0, 1]
    assert assign_max_iou(anchors, boxes, labels, force_match="override").gt_index.tolist() == [1, NEGATIVE]


def test_an_object_to_ignore_may_be_anything() -> None:
    anchors = np.array([[0.0, 0, 0, 4, 2, 1.5, 0], [20, 0, 0, 4, 2, 1.5, 0]])
    boxes = np.array([[-1000.0, -1000, -1000, -1, -1, -1, -10], [np.nan] * 7, [0.2, 0, 0, 9, 9, 2, 0.3]])
    found = assign_max_iou(anchors, boxes, np.full(3, -1))
    assert found.gt_index.tolist() == [IGNORED, NEGATIVE]
    assert assign_max_iou(anchors, boxes, np.full(3, -1), ignore_overlap=None).gt_index.tolist() == [-1, -1]
    assert found.ignored.tolist() == [True, False]
    assert found.negative.tolist() == [False, True]
    assert found.positive.tolist() == [False, False]
    assert len(found) == 2


def test_ties_go_to_the_lower_index() -> None:
    anchors = np.repeat([[0.0, 0, 0, 4, 2, 1.5, 0.3]], 3, axis=0)
    boxes = np.repeat([[0.4, 0, 0, 4, 2, 1.5, 0.3]], 2, axis=0)
    found = assign_max_iou(anchors, boxes, np.zeros(2, np.int64), matched=1.0, unmatched=0.9)
    assert found.gt_index.tolist() == [0, 1, NEGATIVE]
    found = assign_max_iou(anchors, boxes, np.zeros(2, np.int64), matched=0.5, unmatched=0.4, force_match="none")
    assert found.gt_index.tolist() == [0, 0, 0]


def test_anchors_that_are_none_are_negative() -> None:
    anchors = np.array([[np.nan, 0, 0, 4, 2, 1.5, 0], [0, 0, 0, 0, 2, 1.5, 0], [0, 0, 0, np.inf, 2, 1.5, 0]])
    found = assign_max_iou(anchors, np.array([[0.0, 0, 0, 4, 2, 1.5, 0]]), np.zeros(1, np.int64))
    assert found.gt_index.tolist() == [NEGATIVE] * 3
    assert found.quality.tolist() == [0.0] * 3


def test_many_anchors_in_parts_are_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from bev3d.targets.assigners import _inputs

    frame = frames(6, seed=8)[5]
    whole = assign_max_iou(frame.anchors, frame.boxes, frame.labels)
    monkeypatch.setattr(_inputs, "_MOST_PAIRS", 50)
    parts = assign_max_iou(frame.anchors, frame.boxes, frame.labels)
    assert np.array_equal(whole.gt_index, parts.gt_index)
    assert np.array_equal(whole.quality, parts.quality)


def test_real_kitti_objects_all_get_an_anchor(kitti_root: Path) -> None:
    """The usual anchors of SECOND on real frames: every object within the range has one, whatever the thresholds."""
    grid = OutputGrid.of((0, -40, -3, 70.4, 40, 1), (0.05, 0.05, 0.1), 8)
    sizes = (((3.9, 1.6, 1.56), -1.0), ((0.8, 0.6, 1.73), -0.6), ((1.76, 0.6, 1.73), -0.6))
    anchors = generate_anchors(grid, [AnchorClass((size,), (z,)) for size, z in sizes])
    assert len(anchors.boxes) == 200 * 176 * 6
    dataset = KittiDataset(kitti_root, split="val")
    objects = 0
    for i in range(6):
        sample = dataset[i]
        boxes, labels = torch.from_numpy(sample.boxes), torch.from_numpy(sample.labels)
        found = assign_max_iou(
            anchors.boxes,
            boxes,
            labels,
            anchor_labels=anchors.labels,
            matched=(0.6, 0.5, 0.5),
            unmatched=(0.45, 0.35, 0.35),
        )
        x, y = boxes[:, 0], boxes[:, 1]
        inside = (labels >= 0) & (x > 1) & (x < 69) & (y.abs() < 39)
        assert set(inside.nonzero()[:, 0].tolist()) <= set(found.gt_index[found.positive].tolist())
        assert torch.equal(found.labels[found.positive], anchors.labels[found.positive])
        assert not (set((labels < 0).nonzero()[:, 0].tolist()) & set(found.gt_index.tolist()))
        objects += int(inside.sum())
    assert objects > 10


def test_memory_is_that_of_the_pairs_that_overlap() -> None:
    """300,000 anchors with 100 objects: the whole matrix would be 240 MB in float64."""
    import tracemalloc

    rng = np.random.default_rng(0)
    anchors = np.zeros((300_000, 7))
    anchors[:, :2] = rng.uniform(-75, 75, (300_000, 2))
    anchors[:, 3:6] = (4, 2, 1.5)
    boxes = anchors[:100].copy()
    tracemalloc.start()
    found = assign_max_iou(anchors, boxes, np.zeros(100, np.int64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.gt_index[:100] >= 0).all()
    assert peak < 150e6  # what NumPy allocates; the matrix would be 240e6
    assert math.isfinite(found.quality.sum())
