"""Detections and ground truth that count, each with what became of it: what every analysis starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Judged", "Pairs"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Detections and the ground truth of their sample that they are near, whatever the classes.

    Attributes:
        start: (D + 1,) where the pairs of each detection begin.
        truth: (P,) ground truth.
        closeness: (P,) greater is closer: minus the distance of centres in metres, or an IoU.
    """

    start: Ints
    truth: Ints
    closeness: Floats


@dataclass(frozen=True, eq=False)
class Judged:
    """One data set's detections, matched by its own metric.

    Attributes:
        class_names: C classes.
        tokens: S samples.
        found_sample, found_label, found_score: (D,) detections that count, each a hit or a false detection.
        found_truth: (D,) the ground truth of each hit, -1 for a false detection.
        found_turn: (D,) radians between the headings of a hit and of its ground truth, NaN otherwise.
        truth_sample, truth_label: (N,) ground truth that counts.
        pairs: closer than ``background``.
        foreground: (C,) a hit of that class is closer than this.
        background: anything farther has nothing to do with an object.
    """

    class_names: tuple[str, ...]
    tokens: tuple[str, ...]
    found_sample: Ints
    found_label: Ints
    found_score: Floats
    found_truth: Ints
    found_turn: Floats
    truth_sample: Ints
    truth_label: Ints
    pairs: Pairs
    foreground: Floats
    background: float

    @cached_property
    def rank(self) -> Ints:
        """(D,) detections by descending score; of equals the later one first, as in the nuScenes metric."""
        return np.argsort(self.found_score, kind="stable")[::-1]
