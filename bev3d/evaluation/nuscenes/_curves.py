"""Precision, recall and errors of one class at one matching distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.evaluation.nuscenes._protocol import MIN_PRECISION, MIN_RECALL, TP_ERRORS

__all__ = ["Curves", "accumulate", "average_error", "average_precision"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RECALLS = 101
FIRST_BIN = round(100 * MIN_RECALL) + 1


@dataclass(frozen=True, eq=False)
class Curves:
    """Eight curves over recall.

    Attributes:
        recall: (101,) 0, 0.01, .. 1.
        precision: (101,) 0 beyond the greatest recall reached.
        confidence: (101,) score at which the recall is reached; 0 beyond.
        errors: by name, (101,) mean error of the true positives down to that score; 1 without any true positive.
    """

    recall: Floats
    precision: Floats
    confidence: Floats
    errors: Mapping[str, Floats]

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists under the devkit's names."""
        arrays = {"recall": self.recall, "precision": self.precision, "confidence": self.confidence}
        return {name: values.tolist() for name, values in (arrays | {e: self.errors[e] for e in TP_ERRORS}).items()}


def nothing_found() -> Curves:
    """Curves of a class without ground truth, or without a true positive."""
    ones = {name: np.ones(RECALLS) for name in TP_ERRORS}
    return Curves(np.linspace(0, 1, RECALLS), np.zeros(RECALLS), np.zeros(RECALLS), ones)


def accumulate(hit: Bools, score: Floats, errors: Mapping[str, Floats], num_truth: int) -> Curves:
    """Curves of detections in the order of their rank.

    Args:
        hit: (D,) whether each is a true positive.
        score: (D,) descending.
        errors: by name, (H,) of the H hits in the same order, NaN where one cannot be told.
        num_truth: boxes to be found.
    """
    if num_truth == 0 or not hit.any():
        return nothing_found()
    true = np.cumsum(hit).astype(np.float64)
    false = np.cumsum(~hit).astype(np.float64)
    recall = np.linspace(0, 1, RECALLS)
    reached = true / float(num_truth)
    precision = np.interp(recall, reached, true / (false + true), right=0)
    confidence = np.interp(recall, reached, score, right=0)
    # np.interp wants ascending places, and scores descend.
    at, places = confidence[::-1], score[hit][::-1]
    means = {name: np.interp(at, places, _running_mean(values)[::-1])[::-1] for name, values in errors.items()}
    return Curves(recall, precision, confidence, means)


def _running_mean(values: Floats) -> Floats:
    """Mean of the known values so far: 0 before the first, 1 throughout where none is known."""
    known = ~np.isnan(values)
    if not known.any():
        return np.ones(len(values))
    count = np.cumsum(known)
    return np.divide(np.nancumsum(values), count, out=np.zeros(len(values)), where=count != 0)


def average_precision(curves: Curves) -> float:
    """Mean precision above 0.1 over recalls above 0.1, divided by 0.9."""
    precision = curves.precision[FIRST_BIN:] - MIN_PRECISION
    precision[precision < 0] = 0
    return float(np.mean(precision)) / (1.0 - MIN_PRECISION)


def average_error(curves: Curves, name: str) -> float:
    """Mean error over recalls above 0.1 up to the greatest one reached; 1 where none above 0.1 is."""
    reached = np.flatnonzero(curves.confidence)
    last = int(reached[-1]) if len(reached) else 0
    if last < FIRST_BIN:
        return 1.0
    return float(np.mean(curves.errors[name][FIRST_BIN : last + 1]))
