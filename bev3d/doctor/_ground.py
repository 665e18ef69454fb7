"""The ground under a scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ground"]

CELL_M = 2.0
REACH_CELLS = 2  # cells to each side whose lowest points are compared
LOW_SHARE = 0.05  # of a cell's points; the very lowest are often reflections below the road
LOW_CELLS = 0.3  # of the neighbouring cells
FARTHEST_M = 120.0


class Ground:
    """Height of the ground by place: the low end of what lies around, on a grid of 2 m.

    Args:
        points: (P, >= 3), metres, z up.
    """

    def __init__(self, points: NDArray[np.floating]) -> None:
        xyz = points[:, :3].astype(np.float64)
        near = np.isfinite(xyz).all(1) & (np.abs(xyz[:, :2]) < FARTHEST_M).all(1)
        self._side = int(2 * FARTHEST_M / CELL_M)
        self._height = _smooth(_lowest(xyz[near], self._side))

    def height(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float64]:
        """Metres; NaN where there is no scan around."""
        with np.errstate(invalid="ignore"):
            at = np.floor((np.stack([x, y]) + FARTHEST_M) / CELL_M)
            inside = ((at >= 0) & (at < self._side)).all(0)  # false for NaN
        column, row = np.where(inside, at, 0).astype(np.int64)
        return np.where(inside, self._height[row, column], np.nan)

    def above(self, points: NDArray[np.floating], least_m: float) -> NDArray[np.floating]:
        """The points at least so high over the ground."""
        return points[points[:, 2] > self.height(points[:, 0], points[:, 1]) + least_m]


def _lowest(xyz: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """(side, side) low height of each cell, NaN for an empty one; rows along y."""
    low = np.full(side * side, np.nan)
    if len(xyz):
        at = np.floor((xyz[:, :2] + FARTHEST_M) / CELL_M).astype(np.int64)
        cell = at[:, 1] * side + at[:, 0]
        order = np.lexsort((xyz[:, 2], cell))
        cells, first, count = np.unique(cell[order], return_index=True, return_counts=True)
        low[cells] = xyz[order[first + (LOW_SHARE * count).astype(np.int64)], 2]
    return low.reshape(side, side)


def _smooth(low: NDArray[np.float64]) -> NDArray[np.float64]:
    side = 2 * REACH_CELLS + 1
    padded = np.pad(low, REACH_CELLS, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (side, side)).reshape(-1, side * side)
    around = np.sort(around, axis=1)  # NaN last
    known = np.isfinite(around).sum(1)
    at = np.minimum((LOW_CELLS * known).astype(np.int64), np.maximum(known - 1, 0))
    return around[np.arange(len(around)), at].reshape(low.shape)
