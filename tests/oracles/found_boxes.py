"""Detections that a metric knows the answer to."""

from __future__ import annotations

import numpy as np

from bev3d.data import Detections, NuScenesDataset

__all__ = ["nothing", "perfect"]


def perfect(dataset: NuScenesDataset) -> dict[str, Detections]:
    """The ground truth as detections, with scores that differ."""
    found = {}
    for i, token in enumerate(dataset.tokens):
        sample = dataset.annotations(i)
        known = sample.labels >= 0
        scores = np.linspace(0.9, 0.5, known.sum())
        found[token] = Detections(token, sample.boxes[known], scores, sample.labels[known], dataset.class_names)
    return found


def nothing(dataset: NuScenesDataset) -> dict[str, Detections]:
    none = np.zeros(0, dtype=np.int64)
    return {t: Detections(t, np.zeros((0, 9)), np.zeros(0), none, dataset.class_names) for t in dataset.tokens}
