"""Boxes in heaps, and suppression by its definition."""

from __future__ import annotations

import numpy as np
from oracles import adversarial

from bev3d.overlap import pairwise_iou_bev


def clusters(seed: int, n: int = 600, centres: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes in heaps, scores with ties, three labels."""
    rng = np.random.default_rng(seed)
    boxes = adversarial.boxes(rng, centres, low=1, high=6)[rng.integers(0, centres, n)]
    boxes[:, :2] += rng.normal(0, 0.6, (n, 2))
    boxes[:, 6] += rng.normal(0, 0.2, n)
    boxes[::7] = boxes[0]
    return boxes, np.round(rng.random(n), 2), rng.integers(0, 3, n)


def one_label(scores: np.ndarray) -> np.ndarray:
    return np.zeros(len(scores), np.int64)


def greedy(goes: np.ndarray, scores: np.ndarray, labels: np.ndarray | None = None) -> list[int]:
    """Keep list from a matrix of booleans: does column n go where row k is kept?"""
    labels = one_label(scores) if labels is None else labels
    alive = np.ones(len(scores), bool)
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda k: (-scores[k], k)):
        if alive[i]:
            kept.append(i)
            alive &= ~(goes[i] & (labels == labels[i]))
    return kept


def matrix(boxes: np.ndarray) -> np.ndarray:
    """Exact IoU of all pairs, the kept box first."""
    boxes = boxes.astype(np.float64)
    return pairwise_iou_bev(boxes, boxes)


def near(boxes: np.ndarray, radius: float) -> np.ndarray:
    shift = boxes[:, None, :2].astype(np.float64) - boxes[None, :, :2].astype(np.float64)
    return np.asarray((shift**2).sum(-1) <= radius * radius)
