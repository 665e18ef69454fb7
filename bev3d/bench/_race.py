"""Contestants in turn: the same input, the same answer, the same weather."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Case", "Cases", "Contestants", "Timing", "check_same", "race"]

Contestants = dict[str, Callable[[], Any]]
LARGEST_SLOW = 2  # runs of a contestant that takes more than a second


@dataclass(frozen=True)
class Case:
    """Something to time.

    Attributes:
        name: what is done, with its size.
        items: how many of ``unit`` a run handles.
        unit: what one is, such as ``"pair"``.
        contestants: function by name; the first is ours.
    """

    name: str
    items: int
    unit: str
    contestants: Contestants


@dataclass(frozen=True)
class Timing:
    """One contestant in one case."""

    case: str
    contestant: str
    median_ms: float
    lower_quartile_ms: float
    upper_quartile_ms: float
    runs: int
    items: int
    unit: str


Cases = tuple[Callable[[], Case], ...]


def race(case: Case, repeats: int) -> list[Timing]:
    """Time the contestants of a case in turn, after one run of each that compiles and fills caches."""
    contestants = case.contestants
    times: dict[str, list[float]] = {contestant: [] for contestant in contestants}
    for function in contestants.values():
        function()  # compiles, fills caches
    for _ in range(repeats):
        for contestant, function in contestants.items():
            done = times[contestant]
            if len(done) >= LARGEST_SLOW and min(done) > 1000:
                continue
            start = time.perf_counter()
            function()
            done.append((time.perf_counter() - start) * 1e3)
    rows = []
    for contestant, done in times.items():
        low, middle, high = statistics.quantiles(done, n=4, method="inclusive")
        rows.append(Timing(case.name, contestant, middle, low, high, len(done), case.items, case.unit))
    return rows


def check_same(*values: Any, limit: float = 1e-9) -> None:
    """Raise unless the answers agree to ``limit``."""
    first = np.asarray(values[0], dtype=np.float64)
    for value in values[1:]:
        if not np.abs(np.asarray(value, dtype=np.float64) - first).max() <= limit:
            raise RuntimeError("the contestants do not agree")
