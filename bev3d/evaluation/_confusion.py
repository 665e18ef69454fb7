"""What is taken for what, and the samples with most mistakes, at scores at which a detector would be used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d.evaluation._judged import Judged
from bev3d_ops.cpu._error_kinds import match_any

__all__ = ["Confusion", "WorstSample", "best_f1", "confusion_matrix", "worst_samples"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Confusion:
    """Objects against detections.

    Attributes:
        class_names: C classes.
        counts: (C + 1, C + 1): row ground truth, column detection; the last row holds detections at no object, the last
            column objects without a detection.
        thresholds: (C,) detections of a class take part from this score on.
    """

    class_names: tuple[str, ...]
    counts: Ints
    thresholds: Floats

    def to_dict(self) -> dict[str, Any]:
        """Plain lists."""
        thresholds = dict(zip(self.class_names, self.thresholds.tolist(), strict=True))
        return {
            "classes": [*self.class_names, "background"],
            "rows": "ground truth",
            "columns": "detections",
            "counts": self.counts.tolist(),
            "score_thresholds": {n: t if math.isfinite(t) else None for n, t in thresholds.items()},
        }


@dataclass(frozen=True, eq=False)
class WorstSample:
    """A sample with many mistakes.

    Attributes:
        index, token: of the sample.
        missed: rows of its ground truth that was not found, by its own class, at the thresholds.
        false: rows of its false detections from the thresholds on.
        hits: rows of its hits.
    """

    index: int
    token: str
    missed: Ints
    false: Ints
    hits: Ints

    def to_dict(self) -> dict[str, Any]:
        """Counts."""
        counts = {"missed": len(self.missed), "false": len(self.false), "hits": len(self.hits)}
        return {"token": self.token, **counts}


def best_f1(judged: Judged) -> Floats:
    """(C,) score of each class from which on F1 = 2 hits / (detections + objects) is greatest; the highest of equals.

    A class without a hit takes the score that is best for all classes together; without any hit at all, the lowest.
    """
    total = len(judged.truth_label)
    hits = judged.found_truth >= 0
    everything = _best(judged.found_score, hits, total)
    if math.isnan(everything):
        everything = float(judged.found_score.min(initial=0.0))
    result = np.full(len(judged.class_names), everything)
    for label in range(len(result)):
        mine = judged.found_label == label
        best = _best(judged.found_score[mine], hits[mine], int((judged.truth_label == label).sum()))
        result[label] = everything if math.isnan(best) else best
    return result


def _best(scores: Floats, hits: NDArray[np.bool_], total: int) -> float:
    if not hits.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    f1 = 2 * np.cumsum(hits[order]) / (np.arange(1, len(order) + 1) + total)
    last_of_equals = np.append(descending[1:] != descending[:-1], True)
    return float(descending[int(np.argmax(np.where(last_of_equals, f1, -1.0)))])


def confusion_matrix(judged: Judged, thresholds: Floats) -> Confusion:
    """Match whatever the classes: each detection, best score first, takes the closest free object within the bound.

    The bound is that of a match of the object's class. Only objects and detections that count take part: the metric's
    limits by class hold here too, so that a detection may lack its object because the two have different limits.
    """
    shown = judged.rank[judged.found_score[judged.rank] >= thresholds[judged.found_label[judged.rank]]]
    pairs = judged.pairs
    match = match_any(shown, judged.truth_label, pairs.start, pairs.truth, pairs.closeness, judged.foreground)
    size = len(judged.class_names)
    counts = np.zeros((size + 1, size + 1), dtype=np.int64)
    partner = match[shown]
    row = np.where(partner >= 0, np.append(judged.truth_label, size)[partner], size)
    np.add.at(counts, (row, judged.found_label[shown]), 1)
    free = np.ones(len(judged.truth_label), dtype=bool)
    free[partner[partner >= 0]] = False
    counts[:size, size] = np.bincount(judged.truth_label[free], minlength=size)
    return Confusion(judged.class_names, counts, thresholds)


def worst_samples(
    judged: Judged, thresholds: Floats, *, count: int, groups: Sequence[str] | None = None, apart: int = 4
) -> tuple[WorstSample, ...]:
    """Samples with most missed objects and false detections together, worst first.

    Args:
        judged: detections and objects.
        thresholds: (C,) detections of a class take part from this score on.
        count: at most so many.
        groups: scene of each sample; neighbours of a chosen sample in its scene look like it and are passed over.
        apart: samples between two that are shown from one scene, at least.
    """
    size = len(judged.tokens)
    shown = judged.found_score >= thresholds[judged.found_label]
    hit = shown & (judged.found_truth >= 0)
    false = shown & (judged.found_truth < 0)
    found = np.zeros(len(judged.truth_label), dtype=bool)
    found[judged.found_truth[hit]] = True
    mistakes = np.bincount(judged.found_sample[false], minlength=size)
    mistakes = mistakes + np.bincount(judged.truth_sample[~found], minlength=size)
    chosen: list[int] = []
    for index in np.argsort(-mistakes, kind="stable").tolist():
        if len(chosen) == count or not mistakes[index]:
            break
        if groups is None or all(groups[index] != groups[i] or abs(index - i) > apart for i in chosen):
            chosen.append(index)
    return tuple(
        WorstSample(
            index,
            judged.tokens[index],
            np.flatnonzero(~found & (judged.truth_sample == index)),
            np.flatnonzero(false & (judged.found_sample == index)),
            np.flatnonzero(hit & (judged.found_sample == index)),
        )
        for index in chosen
    )
