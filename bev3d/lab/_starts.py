"""Where boxes start: kinds of error, each drawn apart, and a grid of offsets for the maps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ANYWHERE", "KINDS", "SPACING", "Starts", "make_starts", "make_starts_3d"]

Floats = NDArray[np.float64]
ANYWHERE = "anywhere"
# kind of start: what it is, in the table
KINDS = {
    ANYWHERE: "centre within 3, any yaw, area 1/2 to 2, ratio 1:4 to 4:1; target 2:1",
    "near": "centre within 0.3, yaw within 15°, area and ratio within 1.25",
    "apart": "as near, but 2.1 to 3 away: nothing shared",
    "wrong size": "as near, but an area 3 to 8 times too large or too small",
    "wrong ratio": "as near, but a ratio 2.5 to 4 times too large or too small",
    "wrong yaw": "as near, but turned by 45° to 90°, and half of them by 180° more",
    "square": "target 1:1; as near, but any yaw",
}
RADIUS = 3.0
SPACING = 0.25
_APART = (2.1, 3.0)


@dataclass(frozen=True)
class Starts:
    """Boxes to begin with and where they should end; lengths in roots of the target's area, which is 1.

    Attributes:
        pred, target: (N, 7) float64; every target is at 0 with yaw 0.
        kind: (N,) index into the keys of :data:`KINDS`.
        cell: (N, 2) column and row of the map's grid; -1 for kinds other than "anywhere".
        columns: cells of the grid along x and along y.
    """

    pred: Tensor
    target: Tensor
    kind: NDArray[np.int64]
    cell: NDArray[np.int64]
    columns: int

    def every(self, step: int) -> Starts:
        """Every ``step``-th start."""
        return Starts(
            self.pred[::step], self.target[::step], self.kind[::step], self.cell[::step], self.columns
        )  # fmt: skip


@dataclass(frozen=True)
class _Draw:
    """Errors of one kind, (n,) each: offset, factors of area and ratio, yaw; and the targets' ratio."""

    x: Floats
    y: Floats
    area: Floats
    ratio: Floats
    yaw: Floats
    target_ratio: Floats

    def boxes(self) -> tuple[Floats, Floats]:
        target = _box(0 * self.x, 0 * self.y, 1 + 0 * self.x, self.target_ratio, 0 * self.yaw)
        return _box(self.x, self.y, self.area, self.ratio, self.yaw), target


def make_starts(each: int, variants: int, seed: int, *, spacing: float = SPACING) -> Starts:
    """Starts of every kind, from a seed.

    Args:
        each: starts of each kind but "anywhere".
        variants: size, ratio and yaw drawn for each offset of the grid of "anywhere".
        seed: of the generator.
        spacing: of that grid; its offsets lie in a disc of radius 3, as in the paper.
    """
    random = np.random.default_rng(seed)
    reach = int(RADIUS / spacing)
    at = np.arange(-reach, reach + 1)
    column, row = (part.ravel() for part in np.meshgrid(at, at))
    inside = np.hypot(column, row) * spacing <= RADIUS + 1e-9
    cells = np.repeat(np.stack([column, row], axis=1)[inside], variants, axis=0)
    draws = [_anywhere(random, cells * spacing), *(_of_kind(random, each, kind) for kind in KINDS if kind != ANYWHERE)]
    pred, target = (np.concatenate(part) for part in zip(*(draw.boxes() for draw in draws), strict=True))
    kind = np.repeat(np.arange(len(draws)), [len(draw.x) for draw in draws])
    cell = np.full((len(kind), 2), -1)
    cell[: len(cells)] = cells + reach
    return Starts(torch.from_numpy(pred), torch.from_numpy(target), kind, cell, 2 * reach + 1)


def make_starts_3d(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Boxes about a target of volume 1 and ratio 2:1 whose height is its width: (count, 7) twice."""
    random = np.random.default_rng(seed)
    across = 0.5 ** (1 / 3)
    target = np.tile([0, 0, 0, 2 * across, across, across, 0.0], (count, 1))
    pred = target.copy()
    direction = random.normal(size=(count, 3))
    reach = 1.5 * random.uniform(0, 1, (count, 1)) ** (1 / 3)
    pred[:, :3] = reach * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    pred[:, 3:6] *= np.exp(random.uniform(-math.log(2), math.log(2), (count, 3)))
    pred[:, 6] = random.uniform(-math.pi, math.pi, count)
    return torch.from_numpy(pred), torch.from_numpy(target)


def _box(x: Floats, y: Floats, area: Floats, ratio: Floats, yaw: Floats) -> Floats:
    zero, one = 0 * x, 1 + 0 * x
    return np.stack([x, y, zero, np.sqrt(area * ratio), np.sqrt(area / ratio), one, yaw], axis=1)


def _anywhere(random: np.random.Generator, offsets: Floats) -> _Draw:
    n = len(offsets)
    area, ratio = (np.exp(random.uniform(-limit, limit, n)) for limit in (math.log(2), math.log(4)))
    return _Draw(offsets[:, 0], offsets[:, 1], area, ratio, random.uniform(-math.pi, math.pi, n), np.full(n, 2.0))


def _of_kind(random: np.random.Generator, n: int, kind: str) -> _Draw:
    def signed(low: float, high: float) -> Floats:
        return random.uniform(low, high, n) * random.choice((-1, 1), n)

    near = math.log(1.25)
    target_ratio = random.choice((2.0, 3.0, 4.0), n)
    inner, outer = _APART if kind == "apart" else (0.0, 0.3)
    distance = np.sqrt(random.uniform(inner**2, outer**2, n))
    bearing = random.uniform(-math.pi, math.pi, n)
    log_area, log_ratio = random.uniform(-near, near, n), random.uniform(-near, near, n)
    yaw = random.uniform(-math.radians(15), math.radians(15), n)
    if kind == "wrong size":
        log_area = signed(math.log(3), math.log(8))
    elif kind == "wrong ratio":
        log_ratio = signed(math.log(2.5), math.log(4))
    elif kind == "wrong yaw":
        yaw = signed(math.pi / 4, math.pi / 2) + math.pi * random.choice((0, 1), n)
    elif kind == "square":
        target_ratio, yaw = np.ones(n), random.uniform(-math.pi, math.pi, n)
    ratio = target_ratio * np.exp(log_ratio)
    return _Draw(
        distance * np.cos(bearing), distance * np.sin(bearing), np.exp(log_area), ratio, yaw, target_ratio
    )  # fmt: skip
