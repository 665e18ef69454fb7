"""Loops in common use, restated: points in boxes, suppression by a full matrix, voxels by a dictionary of cells."""
# mypy: allow-untyped-defs

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

__all__ = ["matrix_nms", "points_loop", "points_numpy", "voxel_loop"]


@njit(cache=True, nogil=True, error_model="numpy")
def points_loop(points, boxes):
    """Index of the first box that holds each point, or -1: every point against every box, sin and cos each time."""
    owner = np.full(len(points), -1, np.int64)
    for i in range(len(points)):
        for j in range(len(boxes)):
            if abs(points[i, 2] - boxes[j, 2]) > boxes[j, 5] / 2:
                continue
            c, s = math.cos(-boxes[j, 6]), math.sin(-boxes[j, 6])
            dx, dy = points[i, 0] - boxes[j, 0], points[i, 1] - boxes[j, 1]
            along, across = dx * c - dy * s, dx * s + dy * c
            if abs(along) < boxes[j, 3] / 2 and abs(across) < boxes[j, 4] / 2:
                owner[i] = j
                break
    return owner


def points_numpy(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The same, all points at once, box by box, float64."""
    owner, wide = np.full(len(points), -1), points.astype(np.float64)
    for j, (x, y, z, length, width, height, yaw) in reversed(list(enumerate(boxes.astype(np.float64)))):
        dx, dy, c, s = wide[:, 0] - x, wide[:, 1] - y, np.cos(yaw), np.sin(yaw)
        inside = (np.abs(dx * c + dy * s) <= length / 2) & (np.abs(dy * c - dx * s) <= width / 2)
        owner[inside & (np.abs(wide[:, 2] - z) <= height / 2)] = j
    return owner


def matrix_nms(matrix: Callable[[], np.ndarray], scores: np.ndarray) -> np.ndarray:
    """Indices kept by descending score, of a full boolean matrix of who removes whom."""
    goes = matrix()
    alive = np.ones(len(scores), bool)
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if alive[i]:
            kept.append(i)
            alive &= ~goes[i]
    return np.array(kept)


@njit(cache=True, nogil=True, error_model="numpy")
def voxel_loop(points, low, size, grid, most_points, most_voxels):
    """Hard voxels, point by point through a dense table of cells: points (V, T, C), cells (V, 3) as z, y, x, counts.

    Args:
        low, size: corner and size of a voxel, (3,) float64.
        grid: cells along x, y, z, (3,) int64.
    """
    table = np.full((grid[2], grid[1], grid[0]), -1, np.int32)
    voxels = np.zeros((most_voxels, most_points, points.shape[1]), points.dtype)
    cells = np.zeros((most_voxels, 3), np.int32)
    counts = np.zeros(most_voxels, np.int32)
    used = 0
    cell = np.zeros(3, np.int64)
    for i in range(len(points)):
        outside = False
        for k in range(3):
            cell[k] = math.floor((points[i, k] - low[k]) / size[k])
            outside |= cell[k] < 0 or cell[k] >= grid[k]
        if outside:
            continue
        v = table[cell[2], cell[1], cell[0]]
        if v < 0:
            if used == most_voxels:
                continue
            v = used
            used += 1
            table[cell[2], cell[1], cell[0]] = v
            cells[v, 0], cells[v, 1], cells[v, 2] = cell[2], cell[1], cell[0]
        if counts[v] < most_points:
            voxels[v, counts[v]] = points[i]
            counts[v] += 1
    return voxels[:used], cells[:used], counts[:used]
