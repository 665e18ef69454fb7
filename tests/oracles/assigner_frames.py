"""Small frames for assigners, and their overlaps by an independent formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from oracles import exact_overlap

__all__ = ["Frame", "covered", "frames", "overlaps"]


@dataclass(frozen=True, eq=False)
class Frame:
    """Anchors (A, 7) with classes, points (A, 2) and logits (A, C); objects (G, 7) with classes, some -1."""

    anchors: np.ndarray
    anchor_labels: np.ndarray
    centres: np.ndarray
    logits: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray


def frames(count: int, *, anchors: int = 60, classes: int = 3, seed: int = 0) -> list[Frame]:
    """Crowded frames of 0 to 9 objects; the first has none, the second no anchors. Some boxes occur twice."""
    rng = np.random.default_rng(seed)
    result = []
    for k in range(count):
        objects = 0 if k == 0 else int(rng.integers(1, 10))
        some = 0 if k == 1 else anchors
        boxes, rows = _boxes(rng, objects), _boxes(rng, some)
        if some and objects:
            # near the objects, so that high overlaps occur, and a few exact copies, so that ties do
            near = rng.integers(0, objects, some // 2)
            noise = rng.normal(size=(some // 2, 7)) * [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]
            rows[: some // 2] = boxes[near] + noise
            rows[:, 3:6] = np.abs(rows[:, 3:6]) + 0.05
            rows[some - 4 :] = rows[:4]
            if objects > 3:
                boxes[-1] = boxes[0]
        labels = rng.integers(-1 if k % 2 else 0, classes, objects)
        result.append(
            Frame(
                anchors=rows,
                anchor_labels=rng.integers(0, classes, some),
                centres=rows[:, :2] + rng.normal(size=(some, 2)) * 0.3,
                logits=rng.normal(size=(some, classes)) * 2,
                boxes=boxes,
                labels=labels,
            )
        )
    return result


def overlaps(kind: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(A, G) by polygon clipping, one pair after the other; ``nearest_bev`` as SECOND describes it."""
    if kind == "nearest_bev":
        a, b = (np.array([_turned(box) for box in boxes.tolist()]).reshape(-1, 7) for boxes in (a, b))
    one = exact_overlap.iou_3d if kind == "3d" else exact_overlap.iou_bev
    return np.array([[one(p, q) for q in b.tolist()] for p in a.tolist()]).reshape(len(a), len(b))


def covered(anchor: Any, box: Any) -> float:
    """Part of the anchor's footprint that the box covers."""
    return exact_overlap.intersection(anchor, box) / (anchor[3] * anchor[4])


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    boxes = rng.uniform(-1, 1, (count, 7)) * [6, 6, 0.4, 1, 0.5, 0.3, math.pi]
    boxes[:, 3:6] += [3, 1.5, 1.5]
    return boxes


def _turned(box: list[float]) -> list[float]:
    x, y, z, length, width, height, yaw = box
    away = abs(yaw - math.pi * round(yaw / math.pi))
    return [x, y, z, length, width, height, 0] if away < math.pi / 4 else [x, y, z, width, length, height, 0]
