"""Two sets of detections on the same samples: how sure the difference is."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bev3d._check import check_choice
from bev3d._files import write_text
from bev3d.evaluation._json import without_nan

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Comparison", "Interval", "Resampling", "Unit", "compared", "draw_weights", "interval", "remark"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Unit = Literal["auto", "scenes", "samples"]

LEAST_SCENES = 10
"""Scenes that are worth resampling: of two there are three outcomes, and an interval would say nothing."""


@dataclass(frozen=True)
class Interval:
    """One number of both sets of detections.

    Attributes:
        first, second: the number itself, over all samples.
        difference: second - first.
        first_range, second_range, difference_range: from the lower to the upper bound of the confidence interval.
        share_better: share of the resamples in which the second is greater, ties counted half.
    """

    first: float
    second: float
    difference: float
    first_range: tuple[float, float]
    second_range: tuple[float, float]
    difference_range: tuple[float, float]
    share_better: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference leaves 0 out."""
        low, high = self.difference_range
        return low > 0 or high < 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"is_clear": self.is_clear}


@dataclass(frozen=True, eq=False)
class Resampling:
    """How samples are drawn.

    Attributes:
        unit: ``"scenes"`` or ``"samples"``.
        group: (S,) which unit each sample belongs to.
        weights: (R, G) how often each unit is drawn; G draws with replacement.
        level: of the intervals.
        seed: of the draws.
    """

    unit: str
    group: Ints
    weights: Ints
    level: float
    seed: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """Paired bootstrap of two sets of detections: both are scored on the very same draws.

    Percentile intervals, Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Attributes:
        means: by name, such as ``"mAP"``.
        ap: by class; over the draws in which the class occurs.
        unit: what was drawn, ``"scenes"`` or ``"samples"``.
        num_units, resamples, level, seed: how.
        note: what to keep in mind.
    """

    means: Mapping[str, Interval]
    ap: Mapping[str, Interval]
    unit: str
    num_units: int
    resamples: int
    level: float
    seed: int
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN is None."""
        how = {name: getattr(self, name) for name in ("unit", "num_units", "resamples", "level", "seed", "note")}
        means = {name: one.to_dict() for name, one in self.means.items()}
        return without_nan(how | {"means": means, "ap": {name: one.to_dict() for name, one in self.ap.items()}})

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """All of it as JSON; written whole to ``path`` where one is given."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    def rows(self) -> list[tuple[str, float, float, float, float, float, str]]:
        """Name, first, second, difference, lower and upper bound in percent, and whether it is clear."""
        result = []
        for name, one in [*self.means.items(), *self.ap.items()]:
            low, high = one.difference_range
            verdict = ("better" if one.difference > 0 else "worse") if one.is_clear else ""
            first, second, difference = 100 * one.first, 100 * one.second, 100 * one.difference
            result.append((name.replace("_", " "), first, second, difference, 100 * low, 100 * high, verdict))
        return result

    def table(self) -> Table:
        """A table for the terminal."""
        from rich import box
        from rich.table import Table

        title = f"Second less first, {100 * self.level:g} % intervals of {self.resamples:,} draws of "
        title += f"{self.num_units} {self.unit}"
        table = Table(title=title, caption=self.note or None, box=box.SIMPLE, padding=0)
        table.add_column("in %", no_wrap=True)
        for heading in ("first", "second", "difference", "from", "to", ""):
            table.add_column(f" {heading}", justify="right", no_wrap=True)
        for i, (name, *numbers, verdict) in enumerate(self.rows()):
            if i == len(self.means):
                table.add_section()
            first, second, *rest = numbers
            cells = [_plain(first), _plain(second), *(_signed(value) for value in rest)]
            table.add_row(name, *cells, verdict, style="bold" if verdict else None)
        return table


def draw_weights(scenes: Sequence[str], *, unit: Unit, resamples: int, level: float, seed: int) -> Resampling:
    """Draw as many units as there are, with replacement, again and again.

    Args:
        scenes: scene of each sample.
        unit: ``"auto"`` takes scenes where there are ten or more, since samples of a scene resemble each other, else
            samples.
        resamples: number of draws.
        level: of the intervals, such as 0.95.
        seed: of NumPy's PCG64.

    Raises:
        ValueError: an argument outside what is listed.
    """
    check_choice("unit", unit, ("auto", "scenes", "samples"))
    if resamples < 1:
        raise ValueError(f"resamples: expected at least 1, got {resamples}")
    if not 0 < level < 1:
        raise ValueError(f"level: expected a number between 0 and 1, got {level}")
    if seed < 0:
        raise ValueError(f"seed: expected a number >= 0, got {seed}")
    _, of_scene = np.unique(np.array(scenes, dtype=str), return_inverse=True)
    several = len(scenes) > 0 and int(of_scene.max()) + 1 >= LEAST_SCENES
    whole_scenes = unit == "scenes" or (unit == "auto" and several)
    group = of_scene.astype(np.int64) if whole_scenes else np.arange(len(scenes))
    count = int(group.max(initial=-1)) + 1
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return Resampling("scenes" if whole_scenes else "samples", group, weights.astype(np.int64), level, seed)


def interval(first: float, second: float, firsts: Floats, seconds: Floats, level: float) -> Interval:
    """The interval of one number.

    Args:
        first, second: over all samples.
        firsts, seconds: (R,) over each draw; NaN where it has no such number.
        level: of the interval.
    """
    known = ~np.isnan(firsts) & ~np.isnan(seconds)
    firsts, seconds = firsts[known], seconds[known]
    differences = seconds - firsts

    def bounds(values: Floats) -> tuple[float, float]:
        if not len(values):
            return math.nan, math.nan
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    better = float(np.mean((differences > 0) + 0.5 * (differences == 0))) if len(differences) else math.nan
    ranges = bounds(firsts), bounds(seconds), bounds(differences)
    return Interval(first, second, second - first, *ranges, better)


def compared(
    numbers: Sequence[Mapping[str, float]], draws: Sequence[Mapping[str, Floats]], level: float
) -> dict[str, Interval]:
    """Intervals of the numbers of both sets, by name."""
    first, second = numbers
    return {name: interval(first[name], second[name], draws[0][name], draws[1][name], level) for name in first}


def remark(resampling: Resampling, scenes: Sequence[str]) -> str:
    """What to keep in mind about what was drawn."""
    count = len(set(scenes))
    if resampling.unit == "scenes":
        few = f"; {count} scenes are few for an interval" if count < LEAST_SCENES else ""
        return f"Whole scenes were drawn{few}."
    if count < len(scenes):
        return (
            f"Samples of {count} scenes were drawn one by one: neighbours resemble each other, so that the true "
            "intervals are wider."
        )
    return ""


def _plain(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.2f}"
