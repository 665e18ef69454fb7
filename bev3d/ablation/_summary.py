"""Runs of one variant, and how it stands against another."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "Summary", "difference", "summarise"]


@dataclass(frozen=True)
class Summary:
    """Scores of a variant over its seeds.

    Attributes:
        name: of the variant.
        changes: settings that it changes.
        scores: by the number's name, one for each seed.
        seconds: of training, one for each seed.
        steps: of a run.
    """

    name: str
    changes: Mapping[str, Any]
    scores: Mapping[str, list[float]]
    seconds: list[float]
    steps: int


@dataclass(frozen=True)
class Difference:
    """Mean of the differences seed by seed.

    Attributes:
        mean: of variant minus base.
        standard_error: of that mean, standard deviation / sqrt(seeds); NaN with one seed.
    """

    mean: float
    standard_error: float

    @property
    def clear(self) -> bool:
        """Whether the mean is more than two standard errors from 0."""
        return abs(self.mean) > 2 * self.standard_error


def summarise(name: str, changes: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Summary:
    """Join the records of a variant's runs; numbers that a run lacks are left out."""
    names = [key for key in records[0]["score"] if all(key in record["score"] for record in records)]
    scores = {key: [float(record["score"][key]) for record in records] for key in names}
    return Summary(name, dict(changes), scores, [record["seconds"] for record in records], records[0]["steps"])


def difference(variant: Summary, base: Summary, key: str) -> Difference:
    """How much a variant's number lies above the base's, over the seeds that both have."""
    deltas = [a - b for a, b in zip(variant.scores[key], base.scores[key], strict=True)]
    spread = statistics.stdev(deltas) / math.sqrt(len(deltas)) if len(deltas) > 1 else math.nan
    return Difference(statistics.fmean(deltas), spread)
