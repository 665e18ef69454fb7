"""Pasting objects: against a slow plain statement of the rules, the rules one by one, time, the real frames."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from augment_worlds import CLASSES, World, points_around, random_boxes
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.exact_overlap import intersection

from bev3d.augment import (
    OPENPCDET_KITTI,
    OPENPCDET_KITTI_COUNTS,
    Augmentation,
    ObjectPaste,
    PasteDatabase,
    build_database,
    paste,
)
from bev3d.data import KittiDataset, Sample
from bev3d.points import points_in_boxes, points_in_boxes_mask

COUNTS = {"car": 7, "truck": 2, "pedestrian": 12}
Scene = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> PasteDatabase:
    folder = tmp_path_factory.mktemp("objects")
    build_database(World(30), folder)
    return PasteDatabase(folder)


def _scene(seed: int, count: int = 8, reach_m: float = 40.0) -> Scene:
    rng = np.random.default_rng([1, seed])
    boxes, labels = random_boxes(count, rng, reach_m)
    labels[::4] = -1
    return points_around(boxes, rng), boxes, labels


def _plain(scene: Scene, random: np.random.Generator, base: PasteDatabase, fill_up: bool) -> tuple[Scene, list[int]]:
    """The rules in loops over single objects and points."""
    points, boxes, labels = scene
    latest = max([float(p[4]) for p in points], default=0.0) + 0.025
    missing, candidates = {}, []
    for c, name in enumerate(CLASSES):
        missing[c] = COUNTS[name] - fill_up * int((labels == c).sum())
        members = [row for row in range(len(base)) if base.labels[row] == c]
        if missing[c] > 0:
            candidates += random.choice(members, min(2 * missing[c], len(members)), replace=False).tolist()
    solid, kept, crops = list(boxes), [], []
    for row in candidates:
        crop = np.array([p for p in base.crop(row) if p[4] <= latest]).reshape(-1, 5)
        free = all(intersection(base.boxes[row], other) == 0 for other in solid)
        if free and missing[base.labels[row]] > 0 and len(crop) >= 5:
            solid.append(base.boxes[row])
            missing[base.labels[row]] -= 1
            kept.append(row)
            crops.append(crop)
    outside = [i for i, p in enumerate(points) if not points_in_boxes_mask(p[None], base.boxes[kept]).any()]
    merged = np.concatenate([points[outside], *crops]).astype(np.float32)
    return (merged, np.array(solid).reshape(-1, 9), np.concatenate([labels, base.labels[kept]])), kept


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10**6), fill_up=st.booleans(), reach=st.sampled_from([12.0, 40.0]))
def test_it_is_the_plain_statement_of_its_rules(
    database: PasteDatabase, seed: int, fill_up: bool, reach: float
) -> None:
    scene = _scene(seed, reach_m=reach)
    before = [value.copy() for value in scene]
    made = paste(*scene, np.random.default_rng(seed), database=database, counts=COUNTS, fill_up=fill_up)
    (points, boxes, labels), kept = _plain(scene, np.random.default_rng(seed), database, fill_up)
    assert made.entries.tolist() == kept
    np.testing.assert_array_equal(made.points, points)
    np.testing.assert_array_equal(made.boxes, boxes)
    np.testing.assert_array_equal(made.labels, labels)
    for value, old in zip(scene, before, strict=True):
        np.testing.assert_array_equal(value, old)
    again = ObjectPaste(database, COUNTS, fill_up=fill_up)(*scene, np.random.default_rng(seed))
    np.testing.assert_array_equal(again.points, made.points)


def test_a_pasted_box_holds_its_own_points_and_no_others(database: PasteDatabase) -> None:
    pasted = 0
    for seed in range(20):
        scene = _scene(seed)
        made = paste(*scene, np.random.default_rng(seed), database=database, counts=COUNTS)
        first = len(scene[1])
        held = points_in_boxes_mask(made.points, made.boxes)
        for k, row in enumerate(made.entries):
            np.testing.assert_array_equal(made.points[held[:, first + k]], database.crop(row))
        old = points_in_boxes_mask(scene[0], scene[1])
        np.testing.assert_array_equal(held[:, :first].sum(axis=0), old.sum(axis=0))  # the scene's own lose none
        pasted += len(made.entries)
        counts = Counter(made.labels.tolist())
        assert all(counts[c] <= max(COUNTS[name], (scene[2] == c).sum()) for c, name in enumerate(CLASSES))
    assert pasted > 100


class _Row(World):
    """Sample i holds box i of a list, with points that fill it."""

    def __init__(self, boxes: np.ndarray, labels: np.ndarray) -> None:
        super().__init__(len(boxes))
        self.table, self.table_labels = boxes, labels

    def __getitem__(self, index: int) -> Sample:
        boxes, labels = self.table[index : index + 1], self.table_labels[index : index + 1]
        points = points_around(boxes, np.random.default_rng(index), each=200, others=0)
        none = np.full(1, -1)
        return Sample(self.tokens[index], points, boxes, labels, ("x",), none, CLASSES)


def _cars(*places: tuple[float, float]) -> np.ndarray:
    return np.array([[x, y, 0.0, 4.0, 2.0, 1.5, 0.0, np.nan, np.nan] for x, y in places])


def test_what_was_rejected_rejects_nothing(tmp_path: Path) -> None:
    """The first meets the scene and the second; the second meets the first alone: it is kept in any order."""
    build_database(_Row(_cars((3, 0), (6, 0)), np.zeros(2, np.int64)), tmp_path)
    base = PasteDatabase(tmp_path)
    scene = np.zeros((0, 5), np.float32), _cars((0, 0)), np.zeros(1, np.int64)
    for seed in range(8):
        made = paste(*scene, np.random.default_rng(seed), database=base, counts={"car": 9})
        assert made.entries.tolist() == [1]
        np.testing.assert_array_equal(made.boxes[:, 0], [0, 6])


def test_of_two_that_meet_one_is_kept_and_the_order_of_the_draw_decides(tmp_path: Path) -> None:
    build_database(_Row(_cars((0, 0), (3, 0), (6, 0)), np.zeros(3, np.int64)), tmp_path)
    base = PasteDatabase(tmp_path)
    scene = np.zeros((0, 5), np.float32), np.zeros((0, 7)), np.zeros(0, np.int64)
    seen = set()
    for seed in range(30):
        made = paste(*scene, np.random.default_rng(seed), database=base, counts={"car": 3})
        seen.add(tuple(made.entries.tolist()))
        assert made.boxes.shape == (len(made.entries), 7)
    assert seen == {(0, 2), (2, 0), (1,)}


@pytest.mark.parametrize(("x", "yaw", "kept"), [(4.0, 0.0, 1), (4.1, 0.2, 0), (4.2, 0.2, 1), (3.999, 0.0, 0)])
def test_touching_is_allowed_and_a_corner_that_reaches_in_is_not(
    tmp_path: Path, x: float, yaw: float, kept: int
) -> None:
    table = _cars((x, 0))
    table[0, 6] = yaw
    build_database(_Row(table, np.zeros(1, np.int64)), tmp_path)
    scene = np.zeros((0, 5), np.float32), _cars((0, 0)), np.array([-1])
    made = paste(*scene, np.random.default_rng(0), database=PasteDatabase(tmp_path), counts={"car": 2})
    assert len(made.entries) == kept
    assert (intersection(table[0], scene[1][0]) == 0) == bool(kept)


@pytest.mark.parametrize("sweeps", [1, 2, 4])
def test_only_the_sweeps_that_the_scene_has(database: PasteDatabase, sweeps: int) -> None:
    points, boxes, labels = _scene(0)
    latest = 0.05 * (sweeps - 1)
    points = points[points[:, 4] <= latest + 0.01]
    jitter = points.copy()
    jitter[:, 4] *= 0.97  # two sweeps are not exactly 0.05 s apart
    for cloud in (points, jitter):
        made = paste(cloud, boxes, labels, np.random.default_rng(1), database=database, counts=COUNTS)
        held = points_in_boxes_mask(made.points, made.boxes[len(boxes) :])
        assert len(made.entries) > 3
        for k, row in enumerate(made.entries):
            crop = database.crop(row)
            expected = crop[crop[:, 4] <= latest + 0.01]
            assert len(expected) >= 5
            np.testing.assert_array_equal(made.points[held[:, k]], expected)


def test_a_scene_without_points_gets_the_key_frames_of_its_objects(database: PasteDatabase) -> None:
    _, boxes, labels = _scene(0)
    made = paste(
        np.zeros((0, 5), np.float32), boxes, labels, np.random.default_rng(1), database=database, counts=COUNTS
    )
    assert len(made.points) > 0
    assert (made.points[:, 4] == 0).all()


def test_the_scenes_own_objects_count_or_not(database: PasteDatabase) -> None:
    points, boxes, labels = _scene(3, count=8)
    own = int((labels == 0).sum())
    assert own > 0
    options: dict[str, Any] = {"database": database, "counts": {"car": own}, "tries": 20}
    assert len(paste(points, boxes, labels, np.random.default_rng(0), **options).entries) == 0
    added = paste(points, boxes, labels, np.random.default_rng(0), fill_up=False, **options)
    assert added.labels[len(boxes) :].tolist() == [0] * own
    none = paste(points, boxes, labels, np.random.default_rng(0), database=database, counts={})
    assert none.points is points


def test_pasted_objects_are_moved_with_the_scene(database: PasteDatabase) -> None:
    scene = _scene(5)
    augmentation = Augmentation(OPENPCDET_KITTI, ObjectPaste(database, COUNTS))
    made = augmentation(*scene, np.random.default_rng(2))
    plain = paste(*scene, np.random.default_rng(2), database=database, counts=COUNTS)
    np.testing.assert_array_equal(made.entries, plain.entries)
    np.testing.assert_array_equal(
        points_in_boxes_mask(made.points, made.boxes).sum(axis=0),
        points_in_boxes_mask(plain.points, plain.boxes).sum(axis=0),
    )
    assert len(made.labels) == len(made.boxes) == len(scene[1]) + len(made.entries)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"points": np.zeros((4, 4), np.float32)}, ValueError, r"points: expected shape \(P, 5\), as the database"),
        ({"labels": np.zeros(3, np.int64)}, ValueError, r"labels: expected shape \(8,\), as boxes, got \(3,\)"),
        ({"labels": np.zeros(8)}, TypeError, "labels: expected a NumPy array of integers, got float64"),
        ({"labels": np.full(8, 3)}, ValueError, "labels: expected -1 or an index of the 3 classes .* got 3 to 3"),
        ({"counts": {"bus": 1}}, ValueError, "counts: expected classes out of car, truck, pedestrian, got 'bus'"),
        ({"counts": {"car": -1}}, ValueError, r"counts\['car'\]: expected an integer >= 0, got -1"),
        ({"tries": 0}, ValueError, "tries: expected an integer >= 1, got 0"),
    ],
)
def test_bad_input(database: PasteDatabase, change: dict[str, Any], error: type[Exception], text: str) -> None:
    points, boxes, labels = _scene(0)
    options = {"points": points, "boxes": boxes, "labels": labels, "counts": COUNTS, **change}
    with pytest.raises(error, match=text):
        paste(random=np.random.default_rng(0), database=database, **options)


def test_a_box_that_is_none_blocks_nothing(database: PasteDatabase) -> None:
    points, boxes, labels = _scene(0)
    boxes[1, 0], boxes[2, 3] = np.nan, -1
    assert len(paste(points, boxes, labels, np.random.default_rng(0), database=database, counts=COUNTS).entries) > 5


def _best_ms(call: Any, repeats: int = 30) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def test_real_kitti_frames_in_three_milliseconds(kitti_root: Path, tmp_path: Path) -> None:
    dataset = KittiDataset(kitti_root, split="trainval")
    build_database(dataset, tmp_path)
    base = PasteDatabase(tmp_path, difficulties=(0, 1, 2))
    into = ObjectPaste(base, OPENPCDET_KITTI_COUNTS, fill_up=False)
    slowest = 0.0
    for index in range(0, len(dataset), 7):
        sample = dataset[index]
        made = into(sample.points, sample.boxes, sample.labels, np.random.default_rng(index))
        new = made.boxes[len(sample.boxes) :]
        assert len(new) > 15
        assert not any(intersection(a, b) for k, a in enumerate(new) for b in made.boxes[: len(sample.boxes) + k])
        owner = points_in_boxes(made.points, new)
        np.testing.assert_array_equal(np.bincount(owner[owner >= 0], minlength=len(new)), base.num_points[made.entries])
        scene = sample.points, sample.boxes, sample.labels
        slowest = max(slowest, _best_ms(lambda s=scene: into(*s, np.random.default_rng(0))))  # type: ignore[misc]
    assert slowest <= 3.0
