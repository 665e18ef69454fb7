"""Cost against size: the same task from ten to a hundred thousand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles

from bev3d.bench import _growing as growing
from bev3d.bench._case import Contestant
from bev3d.bench._packages import quiet
from bev3d.bench._race import Effort, time_in_turns, torch_threads

__all__ = ["SWEEPS", "Growth", "Line", "Point", "Sweep", "grow"]

LONGEST_MS = 600.0  # a contestant is not asked for a size at which it may take longer
SECONDS_A_POINT = 0.12


@dataclass(frozen=True)
class Growth:
    """What grows.

    Attributes:
        title, axis: of the chart.
        figure: file that it stands in.
        make: contestants for a size.
        sizes: ascending.
        power: greatest power of the size with which a contestant's time may grow.
    """

    title: str
    axis: str
    figure: str
    make: Callable[[int], dict[str, Contestant]]
    sizes: tuple[int, ...]
    power: float = 2.0


@dataclass(frozen=True)
class Point:
    """Times of one contestant at one size."""

    size: int
    median_ms: float
    lower_quartile_ms: float
    upper_quartile_ms: float


@dataclass(frozen=True)
class Line:
    """One contestant over all sizes that it could manage."""

    contestant: str
    ours: bool
    points: list[Point]


@dataclass(frozen=True)
class Sweep:
    """All contestants of one growth."""

    name: str
    lines: list[Line]


_SIZES = (10, 32, 100, 316, 1_000, 3_162, 10_000, 31_623, 100_000)
_BOXES, _GRIDS = "boxes.png", "grids.png"

SWEEPS = {
    "grow-aligned": Growth("IoU of aligned pairs", "pairs", _BOXES, growing.aligned, _SIZES, 1.3),
    "grow-matrix": Growth("IoU matrix N x N", "N", _BOXES, growing.matrix, _SIZES[:7]),
    "grow-nms": Growth("Suppression by rotated IoU", "boxes in heaps of 20", _BOXES, growing.nms, _SIZES),
    "grow-points": Growth("Points in 100 boxes", "points", _BOXES, growing.points, _SIZES, 1.3),
    "grow-heatmap": Growth("Heatmap targets, 10 x 256 x 256", "objects", _GRIDS, growing.heatmap, _SIZES, 1.3),
    "grow-voxels": Growth("Voxels", "points", _GRIDS, growing.voxels, _SIZES, 1.3),
    "grow-scatter": Growth(
        "Scatter maximum and its gradient, 32 channels", "points", _GRIDS, growing.scatter, _SIZES, 1.3
    ),
    "grow-focal": Growth(
        "Focal loss and its gradient", "cells", _GRIDS, growing.focal, (*_SIZES, 1_000_000, 10_000_000), 1.3
    ),
}


def grow(name: str, effort: Effort, *, small: bool = False) -> Sweep:
    """Time the contestants of a growth at every size."""
    growth = SWEEPS[name]
    points: dict[str, list[Point]] = {}
    is_ours: dict[str, bool] = {}
    gone: set[str] = set()
    short = Effort(effort.turns, effort.samples, min(effort.seconds, SECONDS_A_POINT))
    for i, size in enumerate(growth.sizes[:3] if small else growth.sizes):
        racers = {key: c for key, c in growth.make(size).items() if key not in gone and _runs(c)}
        is_ours.update((key, contestant.ours) for key, contestant in racers.items())
        for key, (samples, _) in time_in_turns(racers, short).items():
            low, middle, high = quantiles([1e3 * sample for sample in samples], n=4, method="inclusive")
            points.setdefault(key, []).append(Point(size, middle, low, high))
            if i + 1 < len(growth.sizes) and middle * (growth.sizes[i + 1] / size) ** growth.power > LONGEST_MS:
                gone.add(key)
    return Sweep(name, [Line(key, is_ours[key], found) for key, found in points.items()])


def _runs(contestant: Contestant) -> bool:
    """One untimed call; a peer that cannot do this size is left out of it."""
    try:
        with torch_threads(contestant.threads), quiet():
            contestant.run()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        if contestant.ours:
            raise
        return False
    return True
