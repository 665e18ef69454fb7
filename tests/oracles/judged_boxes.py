"""nuScenes boxes in columns, made by hand or at random, without any file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from oracles.plain_errors import Thing

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation._judged import Judged
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._judge import judge, near_pairs
from bev3d.evaluation.nuscenes._protocol import DISTANCES_M
from bev3d.evaluation.nuscenes._score import match_boxes

__all__ = ["REACH_M", "columns", "distance", "judged_at", "random_boxes", "things"]

SIZE = (1.9, 4.5, 1.6)
REACH_M = 4.0


def columns(rows: list[tuple[int, str, float, float, float]], *, yaws: list[float] | None = None) -> BoxColumns:
    """Boxes of (sample, class, x, y, score)."""
    count = len(rows)
    half = np.array([0.0] * count if yaws is None else yaws) / 2
    zero = np.zeros(count)
    return replace(
        BoxColumns.empty(count),
        sample=np.array([row[0] for row in rows], dtype=np.int64),
        label=np.array([DETECTION_CLASSES.index(row[1]) for row in rows], dtype=np.int64),
        translation=np.array([(row[2], row[3], 0.0) for row in rows]).reshape(-1, 3),
        score=np.array([row[4] for row in rows], dtype=np.float64),
        size=np.tile(np.array(SIZE), (count, 1)),
        rotation=np.stack([np.cos(half), zero, zero, np.sin(half)], axis=1).reshape(-1, 4),
    )


def random_boxes(
    rng: np.random.Generator, samples: int, objects: int, *, skill: float = 0.75, ties: bool = False
) -> tuple[BoxColumns, BoxColumns]:
    """Ground truth and detections around it: missed, shifted, turned, of another class, double and invented ones."""
    labels = rng.choice([0, 1, 5, 8], size=samples * objects, p=[0.5, 0.15, 0.25, 0.1])
    truth = replace(
        BoxColumns.empty(samples * objects),
        sample=np.repeat(np.arange(samples), objects),
        label=labels.astype(np.int64),
        translation=np.concatenate(
            [rng.uniform(-15, 15, (samples * objects, 2)), np.zeros((samples * objects, 1))], axis=1
        ),
        size=rng.uniform(0.5, 4, (samples * objects, 3)),
        rotation=_turns(rng.uniform(-3, 3, samples * objects)),
        velocity=np.where(rng.random((samples * objects, 1)) < 0.1, np.nan, rng.normal(size=(samples * objects, 2))),
        attribute=rng.integers(-1, 3, samples * objects),
        num_points=np.full(samples * objects, 5, dtype=np.int64),
    )
    kept = np.flatnonzero(rng.random(len(truth)) < skill)
    rows = np.concatenate([kept, kept[rng.random(len(kept)) < 0.2], rng.integers(0, len(truth), len(truth) // 5)])
    found = truth.take(rows)
    count = len(found)
    shift = rng.normal(size=(count, 3)) * rng.choice([0.1, 0.8, 2.5], size=(count, 1), p=[0.6, 0.25, 0.15])
    wrong = rng.random(count) < 0.1
    score = rng.random(count)
    yaw = 2 * np.arctan2(found.rotation[:, 3], found.rotation[:, 0])
    yaw = yaw + np.where(rng.random(count) < 0.15, np.pi, rng.normal(scale=0.2, size=count))
    found = replace(
        found,
        translation=found.translation + shift,
        label=np.where(wrong, rng.choice([0, 1, 5, 8], size=count), found.label).astype(np.int64),
        score=np.round(score, 1) if ties else score,
        rotation=_turns(yaw),
        size=found.size * rng.uniform(0.8, 1.2, (count, 3)),
        velocity=np.nan_to_num(found.velocity) + rng.normal(scale=0.5, size=(count, 2)),
        num_points=np.full(count, -1, dtype=np.int64),
    )
    return truth, found.take(rng.permutation(count))


def _turns(yaw: np.ndarray) -> np.ndarray:
    zero = np.zeros(len(yaw))
    return np.stack([np.cos(yaw / 2), zero, zero, np.sin(yaw / 2)], axis=1)


def judged_at(truth: BoxColumns, found: BoxColumns, samples: int) -> dict[float, Judged]:
    tokens = [f"sample {i}" for i in range(samples)]
    matches = match_boxes(truth, found, samples)
    pairs = near_pairs(truth, found, samples, REACH_M)
    return {d: judge(truth, found, tokens, matches, pairs, d, REACH_M) for d in DISTANCES_M}


def distance(a: Thing, b: Thing) -> float:
    return -float(np.hypot(*(a.place - b.place)))


def things(boxes: BoxColumns, hits: np.ndarray | None = None) -> list[Thing]:
    return [
        Thing(int(boxes.sample[k]), int(boxes.label[k]), boxes.translation[k, :2], float(boxes.score[k]),
              -1 if hits is None else int(hits[k]))
        for k in range(len(boxes))
    ]  # fmt: skip
