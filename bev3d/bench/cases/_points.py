"""Points in boxes and in voxels, beside the loops in common use, NumPy and torch.unique."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from bev3d.bench._case import Case, Cases, Contestant, Limit, differing, ours, peer
from bev3d.bench.cases._inputs import cloud, street
from bev3d.bench.usual._eager import eager_voxels, eager_voxels_by_key
from bev3d.bench.usual._loops import points_loop, points_numpy, voxel_loop
from bev3d.points import dynamic_voxelize, points_in_boxes, voxelize

__all__ = ["CASES", "different_owners", "hard_voxels"]

RANGE_M = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
VOXEL_M = (0.2, 0.2, 0.4)
MOST_POINTS, MOST_VOXELS = 10, 160_000


def _in_boxes(small: bool) -> Case:
    n, m = (2000, 10) if small else (200_000, 100)
    points, boxes = cloud(n), street(m, seed=8).astype(np.float32)
    swept = cloud(n, swept=True)
    limits = (
        Limit("bev3d, random order", "ms", 15),
        Limit("bev3d, by azimuth", "ms", 15),
        Limit("bev3d, 2 threads", "thread gain", 1.7, than="bev3d, random order"),
        Limit("bev3d, random order", "error", 0),
    )
    contestants = {
        "bev3d, random order": ours(lambda: points_in_boxes(points, boxes)),
        "bev3d, by azimuth": ours(lambda: points_in_boxes(swept, boxes), read=lambda _: None),
        "bev3d, 2 threads": ours(lambda: points_in_boxes(points, boxes), threads=2),
        "loop in Numba": peer(lambda: points_loop(points, boxes)),
        "NumPy, box by box": peer(lambda: points_numpy(points, boxes)),
    }
    truth = points_numpy(points, boxes)
    name = f"Points in boxes, {n:,} x {m}"
    return Case(name, n * m, "test", contestants, limits, truth, different_owners, "points with another box")


def different_owners(answer: np.ndarray, truth: np.ndarray) -> float:
    """Points that were given another box."""
    return float((answer != truth).sum())


def hard_voxels(points: np.ndarray) -> dict[str, Contestant]:
    """Contestants that sort points into voxels: hard, at most ten points to each, or dynamic, all points."""
    low, size = np.array(RANGE_M[:3]), np.array(VOXEL_M)
    grid = np.round((np.array(RANGE_M[3:]) - low) / size).astype(np.int64)
    given: dict[str, Any] = {"range_m": RANGE_M, "voxel_size_m": VOXEL_M}
    caps: dict[str, Any] = {"max_points_per_voxel": MOST_POINTS, "max_voxels": MOST_VOXELS}
    return {
        "bev3d, hard": ours(lambda: voxelize(points, **given, **caps), read=lambda made: _keys(made.coordinates)),
        "bev3d, dynamic": ours(lambda: dynamic_voxelize(points, **given), read=lambda made: _keys(made.coordinates)),
        "hard, loop with a table of cells": peer(
            lambda: voxel_loop(points, low, size, grid, MOST_POINTS, MOST_VOXELS), read=lambda made: _keys(made[1])
        ),
        **_unique(points, low, size, grid),
    }


def _unique(points: np.ndarray, low: np.ndarray, size: np.ndarray, grid: np.ndarray) -> dict[str, Contestant]:
    tensors = [torch.from_numpy(points), *(torch.from_numpy(v).float() for v in (low, size)), torch.from_numpy(grid)]
    return {
        "dynamic, torch.unique of rows": peer(lambda: eager_voxels(*tensors), read=lambda made: _keys(made[0])),
        "dynamic, torch.unique of keys": peer(lambda: eager_voxels_by_key(*tensors), read=lambda made: _keys(made[0])),
    }


def _keys(cells: Any) -> np.ndarray:
    """One number for each cell (V, 3) z, y, x."""
    return np.asarray(cells, np.int64) @ np.array([1 << 40, 1 << 20, 1])


def _right_cells(points: np.ndarray) -> np.ndarray:
    """In float64, with the bounds as they are."""
    low, high = np.array(RANGE_M[:3]), np.array(RANGE_M[3:])
    wide = points[:, :3].astype(np.float64)
    within = wide[((wide >= low) & (wide < high)).all(axis=1)]
    return np.unique(_keys(np.floor((within - low) / VOXEL_M).astype(np.int64)[:, ::-1]))


def _voxels(which: str, small: bool) -> Case:
    n = 2000 if small else 300_000
    points = cloud(n)
    contestants = {name: contestant for name, contestant in hard_voxels(points).items() if which in name}
    both = {name: ours(c.run, threads=2, read=c.read) for name, c in contestants.items() if c.ours}
    contestants.update({f"{name}, 2 threads": contestant for name, contestant in both.items()})
    limits, name = (Limit(f"bev3d, {which}", "error", 0),), f"{which.capitalize()} voxels of {n:,} points"
    truth, counted = _right_cells(points), "voxels too many or too few"
    return Case(f"{name}, 0.2 x 0.2 x 0.4 m", n, "point", contestants, limits, truth, differing, counted)


CASES: Cases = {"points": _in_boxes, **{f"voxels-{which}": partial(_voxels, which) for which in ("hard", "dynamic")}}
