"""Whether a score of 0.7 means that seven of ten such detections are right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d.evaluation._json import without_nan

__all__ = ["Calibration", "Reliability", "measure_calibration", "reliability"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 10


@dataclass(frozen=True, eq=False)
class Reliability:
    """Scores of one class, or of all, against what came of them.

    Attributes:
        edges: (B + 1,) borders of the bins from 0 to 1; a bin holds its lower border, the last one both.
        count: (B,) detections.
        mean_score: (B,) NaN in an empty bin.
        precision: (B,) share of hits; NaN in an empty bin.
        ece: expected calibration error, sum over bins of count / total * |precision - mean score|; NaN without a
            detection.
        brier: mean of (score - hit)^2; NaN without a detection.
    """

    edges: Floats
    count: Ints
    mean_score: Floats
    precision: Floats
    ece: float
    brier: float

    def to_dict(self) -> dict[str, Any]:
        """Plain lists; NaN is None."""
        arrays = {name: getattr(self, name).tolist() for name in ("edges", "count", "mean_score", "precision")}
        return without_nan({"ece": self.ece, "brier": self.brier} | arrays)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration of scores.

    Attributes:
        all: of all classes together.
        per_class: by class name.
        note: why there is nothing where scores are not probabilities; empty otherwise.
    """

    all: Reliability
    per_class: Mapping[str, Reliability]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN is None."""
        classes = {name: one.to_dict() for name, one in self.per_class.items()}
        return {"note": self.note, "all": self.all.to_dict(), "classes": classes}


def reliability(scores: Floats, hits: NDArray[np.bool_], *, bins: int = BINS) -> Reliability:
    """Reliability curve, expected calibration error and Brier score.

    Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599; for detections Küppers et al.,
    "Multivariate Confidence Calibration for Object Detection", 2020, arXiv:2004.13546: the share of detections that are
    hits takes the place of accuracy. Objects that nothing was said about do not enter.

    Args:
        scores: (N,) in [0, 1].
        hits: (N,) whether each is right.
        bins: bins of equal width.

    Raises:
        ValueError: scores outside [0, 1] or NaN, arrays of different lengths, no bin.
    """
    if bins < 1:
        raise ValueError(f"bins: expected at least 1, got {bins}")
    if scores.shape != hits.shape:
        raise ValueError(f"hits: expected the shape of scores {scores.shape}, got {hits.shape}")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f"scores: expected numbers in [0, 1], got {scores[~((scores >= 0) & (scores <= 1))][0]}")
    edges = np.linspace(0, 1, bins + 1)
    at = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bins - 1)
    count = np.bincount(at, minlength=bins)
    blank = np.full(bins, math.nan)
    mean_score = np.divide(np.bincount(at, scores, bins), count, out=blank.copy(), where=count > 0)
    precision = np.divide(np.bincount(at, hits.astype(np.float64), bins), count, out=blank.copy(), where=count > 0)
    ece = brier = math.nan
    if len(scores):
        ece = float(np.nansum(count * np.abs(precision - mean_score)) / len(scores))
        brier = float(np.mean((scores - hits) ** 2))
    return Reliability(edges, count.astype(np.int64), mean_score, precision, ece, brier)


def measure_calibration(
    class_names: tuple[str, ...], labels: Ints, scores: Floats, hits: NDArray[np.bool_], *, bins: int = BINS
) -> Calibration:
    """Calibration by class; scores that are no probabilities, as some KITTI detectors give, leave it empty."""
    note = ""
    if len(scores) and (scores.min() < 0 or scores.max() > 1):
        note = f"scores from {scores.min():.4g} to {scores.max():.4g} are no probabilities: nothing to compare"
        labels, scores, hits = labels[:0], scores[:0], hits[:0]
    classes = {
        name: reliability(scores[labels == label], hits[labels == label], bins=bins)
        for label, name in enumerate(class_names)
    }
    return Calibration(reliability(scores, hits, bins=bins), classes, note)
