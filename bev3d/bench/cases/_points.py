"""Points in boxes and in voxels, beside the loops in common use, NumPy and torch.unique."""

from __future__ import annotations

import numpy as np
import torch

from bev3d.bench._case import Case, Cases, Contestant, Limit, ours, peer
from bev3d.bench.cases._inputs import cloud, street
from bev3d.bench.usual._eager import eager_voxels, eager_voxels_by_key
from bev3d.bench.usual._loops import points_loop, points_numpy, voxel_loop
from bev3d.points import points_in_boxes

__all__ = ["CASES", "hard_voxels"]

RANGE_M = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
VOXEL_M = (0.1, 0.1, 0.2)
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
    return Case(name, n * m, "test", contestants, limits, truth, _different_owners, "points with another box")


def _different_owners(answer: np.ndarray, truth: np.ndarray) -> float:
    return float((answer != truth).sum())


def hard_voxels(points: np.ndarray) -> dict[str, Contestant]:
    """Contestants that fill voxels with at most ten points each."""
    low, size = np.array(RANGE_M[:3]), np.array(VOXEL_M)
    grid = np.round((np.array(RANGE_M[3:]) - low) / size).astype(np.int64)
    return {
        "loop with a table of cells": peer(lambda: voxel_loop(points, low, size, grid, MOST_POINTS, MOST_VOXELS)),
        **_unique(points),
    }


def _unique(points: np.ndarray) -> dict[str, Contestant]:
    tensor = torch.from_numpy(points)
    low, size = torch.tensor(RANGE_M[:3]), torch.tensor(VOXEL_M)
    grid = torch.round((torch.tensor(RANGE_M[3:]) - low) / size).long()
    return {
        "torch.unique of rows": peer(lambda: eager_voxels(tensor, low, size, grid)),
        "torch.unique of keys": peer(lambda: eager_voxels_by_key(tensor, low, size, grid)),
    }


CASES: Cases = {"points": _in_boxes}
