"""The audit of targets against a plain loop, flaw by flaw, and on boxes that no generator takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.targets import FLAWS, AuditRules, BoxAudit, HeatmapTargets, audit_targets, size_outliers

RANGE = (-8.0, -8.0, -2.0, 8.0, 8.0, 2.0)


def make_generator(**changes: Any) -> HeatmapTargets:
    given: dict[str, Any] = {
        "tasks": [["car", "truck"], ["pedestrian"]],
        "range_m": RANGE,
        "voxel_size_m": (0.25, 0.5, 4.0),
        "stride": 2,
        "max_objects": 6,
    }
    return HeatmapTargets(**{**given, **changes})


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    boxes = rng.uniform(0.5, 4, (count, 9))
    boxes[:, :3] = rng.uniform((-9, -9, -2.4), (9, 9, 2.4), (count, 3))
    crowd = rng.random(count) < 0.5
    boxes[crowd, :2] = rng.uniform(0, 1.5, (crowd.sum(), 2))
    boxes[:, 6] = rng.uniform(-7, 7, count)
    boxes[:, 7:] = rng.uniform(-4, 4, (count, 2))
    boxes[rng.random(count) < 0.3, 7:] = np.nan
    boxes[rng.random(count) < 0.1, rng.integers(0, 7)] = np.nan
    boxes[rng.random(count) < 0.1, 4] = -1.0
    return boxes


def loop_audit(boxes: np.ndarray, labels: np.ndarray, points: np.ndarray, max_objects: int) -> list[set[str]]:
    """The flaws of each box of one sample, and ``kept``, by a loop that says the rules once more."""
    low, high = RANGE[:3], RANGE[3:]
    cell_m = (0.5, 1.0)
    taken: dict[int, set[tuple[int, int]]] = {0: set(), 1: set()}
    used = {0: 0, 1: 0}
    result: list[set[str]] = []
    for i, box in enumerate(boxes):
        found: set[str] = set()
        result.append(found)
        if labels[i] < 0:
            continue
        if points[i] == 0:
            found.add("without_points")
        vx, vy = box[7:]
        if math.hypot(vx, vy) >= 1 and math.isfinite(box[6]):
            cosine = (math.cos(box[6]) * vx + math.sin(box[6]) * vy) / math.hypot(vx, vy)
            if math.acos(max(-1.0, min(1.0, cosine))) > math.pi / 4:
                found.add("yaw_against_velocity")
        if not all(math.isfinite(v) for v in box[:7]) or min(box[3:6]) <= 0:
            found.add("non_finite")
            continue
        flat = all(low[k] <= box[k] < high[k] for k in (0, 1))
        if not (flat and low[2] <= box[2] < high[2]):
            found.add("out_of_range")
            if flat:
                found.add("out_of_range_z")
            continue
        if 0 <= points[i] < 2:
            found.add("too_few_points")
            continue
        task = 1 if labels[i] == 2 else 0
        if used[task] == max_objects:
            found.add("over_max_objects")
            continue
        used[task] += 1
        found.add("kept")
        cell = tuple(math.floor((box[k] - low[k]) / cell_m[k]) for k in (0, 1))
        if cell in taken[task]:
            found.add("collided")
        taken[task].add(cell)
        if math.floor(smallest_root(box[3] / cell_m[0], box[4] / cell_m[1])) < 2:
            found.add("min_radius")
    return result


def smallest_root(length: float, width: float, overlap: float = 0.1) -> float:
    """Radius by CornerNet's three cases, from the coefficients of their quadratics."""
    total, area = length + width, length * width
    shifted = np.roots([1, -total, area * (1 - overlap) / (1 + overlap)]).real.min()
    inside = np.roots([4, -2 * total, (1 - overlap) * area]).real.min()
    around = np.roots([4 * overlap, 2 * overlap * total, -(1 - overlap) * area]).real.max()
    return float(min(shifted, inside, around))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 25))
def test_flaws_equal_those_of_a_loop(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, labels, points = random_boxes(rng, count), rng.integers(-1, 3, count), rng.integers(-1, 6, count)
    audit = audit_targets(make_generator(), [boxes], [labels], num_points=[points], min_points=2)
    expected = loop_audit(boxes, labels, points, max_objects=6)
    told_elsewhere = {"size_outlier", "duplicate"}
    for i in range(count):
        got = {name for name in FLAWS if audit.flaws[name][i]} - told_elsewhere
        got |= {"kept"} if audit.kept[i] else set()
        assert got == expected[i], (i, boxes[i], labels[i], points[i])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_box_has_a_target_or_one_reason(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 12, 3)
    boxes = [random_boxes(rng, n) for n in counts]
    labels = [rng.integers(-1, 3, n) for n in counts]
    points = [rng.integers(-1, 6, n) for n in counts]
    audit = audit_targets(make_generator(), boxes, labels, num_points=points, min_points=2)
    for row in audit.counts().values():
        reasons = ("non_finite", "out_of_range", "too_few_points", "over_max_objects")
        assert row["boxes"] == row["kept"] + sum(row[name] for name in reasons)
    assert audit.index.tolist() == [i for n in counts for i in range(n)]
    assert np.bincount(audit.sample, minlength=3).tolist() == counts.tolist()
    error = audit.decode_error
    assert np.array_equal(np.isfinite(error), audit.kept)
    assert not audit.kept.any() or error[audit.kept].max() < 1e-5


def test_sound_boxes_have_no_flaw_but_small_ones() -> None:
    audit = one_sample([box(0, 0), box(5, 5, v=(2.0, 0.1))], [0, 0], points=[9, 9])
    assert not any(flags.any() for name, flags in audit.flaws.items() if name != "min_radius")
    assert audit.kept.all()


def test_a_duplicate_is_the_later_of_two_of_its_class() -> None:
    near = box(0.02, 0)
    audit = one_sample([box(0, 0), near, box(0.02, 0), box(4, 4)], [0, 0, 1, 0])
    assert audit.flaws["duplicate"].tolist() == [False, True, False, False]
    looser = AuditRules(duplicate_iou=0.999)
    assert not one_sample([box(0, 0), near], [0, 0], rules=looser).flaws["duplicate"].any()


@pytest.mark.parametrize(
    ("yaw", "velocity", "odd"),
    [
        (0.0, (3.0, 0.0), False),
        (0.5, (3.0, 0.0), False),
        (1.2, (3.0, 0.0), True),
        (math.pi, (3.0, 0.0), True),
        (math.pi + 2 * math.pi, (-3.0, 0.0), False),
        (1.5, (0.5, 0.0), False),  # too slow to say
        (1.5, (math.nan, math.nan), False),
    ],
)
def test_yaw_against_velocity(yaw: float, velocity: tuple[float, float], odd: bool) -> None:
    audit = one_sample([box(0, 0, yaw=yaw, v=velocity)], [0])
    assert audit.flaws["yaw_against_velocity"].tolist() == [odd]


def test_an_exchanged_size_is_an_outlier_of_its_class() -> None:
    rng = np.random.default_rng(0)
    boxes = np.tile(box(0, 0), (40, 1))
    boxes[:, 3:6] = np.exp(rng.normal(np.log([4.5, 1.8, 1.6]), 0.06, (40, 3)))
    boxes[7, [3, 4]] = boxes[7, [4, 3]]
    labels = np.zeros(40, np.int64)
    assert np.flatnonzero(size_outliers(boxes, labels, 3)).tolist() == [7]
    assert not size_outliers(boxes[:9], labels[:9], 3).any()  # nine boxes are no statistic
    boxes[3, 4] = np.nan
    assert np.flatnonzero(size_outliers(boxes, labels, 3)).tolist() == [7]


def test_targets_made_elsewhere_are_judged_as_they_are() -> None:
    generator = make_generator()
    boxes, labels = [np.stack([box(0, 0, v=(1.0, 0.0)), box(3, 3, yaw=1.0)])], [np.array([0, 2])]
    targets = generator(boxes, labels)
    assert audit_targets(generator, boxes, labels, targets=targets).counts()["total"]["max_decode_error"] < 1e-6
    targets.tasks[1].regression["heading"][0, 0, 0] *= -1  # a sign that went missing
    audit = audit_targets(generator, boxes, labels, targets=targets)
    assert audit.decode_error[0] < 1e-6
    assert audit.decode_error[1] == pytest.approx(2.0, abs=1e-6)
    targets.tasks[0].regression["velocity"][0, 0] = torch.nan  # a velocity that was known
    assert audit_targets(generator, boxes, labels, targets=targets).decode_error[0] == np.inf


def test_nothing_finite_is_reported_and_nothing_crashes() -> None:
    boxes = np.full((3, 9), np.nan)
    boxes[1, :7], boxes[2, :7] = np.inf, [0, 0, 0, 0, 1, 1, 0]
    audit = one_sample(list(boxes), [0, 1, 2])
    assert audit.flaws["non_finite"].all()
    assert not audit.kept.any()
    assert audit.counts()["total"]["max_decode_error"] is None


def test_seven_columns_tensors_and_empty_samples() -> None:
    boxes = [torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0.3]], dtype=torch.float64), torch.zeros(0, 7)]
    audit = audit_targets(make_generator(), boxes, [torch.tensor([0]), torch.zeros(0, dtype=torch.int64)])
    assert audit.kept.tolist() == [True]
    assert audit.decode_error[0] < 1e-6
    nothing = audit_targets(make_generator(), [], [])
    assert nothing.counts()["total"]["boxes"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": []}, "labels: expected 1 samples, as boxes, got 0"),
        ({"labels": [np.zeros(3, np.int64)]}, r"labels\[0\]: expected shape \(2,\), got \(3,\)"),
        ({"num_points": [np.zeros(1, np.int64)]}, r"num_points\[0\]: expected shape \(2,\), got \(1,\)"),
        ({"boxes": [np.zeros((2, 8))]}, r"boxes\[0\]: expected shape"),
    ],
)
def test_what_does_not_pair_up_is_refused(changes: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"boxes": [np.stack([box(0, 0), box(1, 1)])], "labels": [np.zeros(2, np.int64)]}
    with pytest.raises(ValueError, match=said):
        audit_targets(make_generator(), **{**given, **changes})


def test_targets_of_another_batch_are_refused() -> None:
    generator = make_generator()
    targets = generator([np.zeros((0, 7))] * 2, [np.zeros(0, np.int64)] * 2)
    with pytest.raises(ValueError, match="targets: expected a batch of 1, as boxes, got 2"):
        audit_targets(generator, [np.zeros((0, 7))], [np.zeros(0, np.int64)], targets=targets)


def box(x: float, y: float, *, yaw: float = 0.0, v: tuple[float, float] = (math.nan, math.nan)) -> np.ndarray:
    return np.array([x, y, 0.0, 4.0, 2.0, 1.5, yaw, *v])


def one_sample(boxes: list[np.ndarray], labels: list[int], points: list[int] | None = None, **rest: Any) -> BoxAudit:
    num_points = None if points is None else [np.array(points)]
    return audit_targets(make_generator(), [np.stack(boxes)], [np.array(labels)], num_points=num_points, **rest)
