"""Easy, moderate, hard: what KITTI asks of an object before it counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bev3d.data.kitti._labels import KittiLabels

__all__ = ["DIFFICULTIES", "MIN_HEIGHT_PX", "difficulty_of", "too_hard"]

DIFFICULTIES = ("easy", "moderate", "hard")
MIN_HEIGHT_PX = (40.0, 25.0, 25.0)
MAX_OCCLUSION = (0, 1, 2)
MAX_TRUNCATION = (0.15, 0.30, 0.50)


def too_hard(labels: KittiLabels, difficulty: int, *, exact_height_counts: bool = False) -> NDArray[np.bool_]:
    """(N,) objects that are too small, occluded or truncated for a difficulty (0, 1, 2).

    Args:
        labels: objects.
        difficulty: index into ``DIFFICULTIES``.
        exact_height_counts: whether a box of exactly the minimum height counts. The official tool says no.
    """
    height = labels.bbox[:, 3] - labels.bbox[:, 1]
    small = height < MIN_HEIGHT_PX[difficulty] if exact_height_counts else height <= MIN_HEIGHT_PX[difficulty]
    occluded = labels.occlusion > MAX_OCCLUSION[difficulty]
    return small | occluded | (labels.truncation > MAX_TRUNCATION[difficulty])


def difficulty_of(labels: KittiLabels) -> NDArray[np.int64]:
    """(N,) the first difficulty at which an object counts; -1 where it never does."""
    result = np.full(len(labels), -1, dtype=np.int64)
    for level in reversed(range(len(DIFFICULTIES))):
        result[~too_hard(labels, level)] = level
    return result
