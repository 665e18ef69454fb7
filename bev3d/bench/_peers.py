"""The per-object heatmap loop in common use (CenterPoint's rules), restated in NumPy: slow, and independent of ours."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["legacy_heatmap", "legacy_radius"]


def legacy_radius(length: float, width: float, overlap: float) -> float:
    """The published rule, in which all three quadratics end as (b + sqrt(b² - 4 a c)) / 2."""
    area, perimeter_half = width * length, length + width
    quadratics = [
        (1, perimeter_half, area * (1 - overlap) / (1 + overlap)),
        (4, 2 * perimeter_half, (1 - overlap) * width * length),
        (4 * overlap, -2 * overlap * perimeter_half, (overlap - 1) * width * length),
    ]
    return min((b + math.sqrt(b * b - 4 * a * c)) / 2 for a, b, c in quadratics)


def legacy_heatmap(
    boxes: np.ndarray,
    classes: np.ndarray,
    class_count: int,
    origin: tuple[float, float],
    cell: float,
    shape: tuple[int, int],
    overlap: float = 0.1,
    min_radius: int = 2,
) -> np.ndarray:
    """(class_count, rows, columns) float32 of boxes (N, 7) whose centres lie inside the grid or outside it."""
    heatmap = np.zeros((class_count, *shape), np.float32)
    for box, label in zip(boxes, classes, strict=True):
        column, row = (math.floor((box[i] - origin[i]) / cell) for i in range(2))
        if not (0 <= column < shape[1] and 0 <= row < shape[0]):
            continue
        radius = max(min_radius, int(legacy_radius(box[3] / cell, box[4] / cell, overlap)))
        _paint(heatmap[label], column, row, radius)
    return heatmap


def _paint(plane: np.ndarray, column: int, row: int, radius: int) -> None:
    sigma = (2 * radius + 1) / 6
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    bump = np.exp(-(offsets[None, :] ** 2 + offsets[:, None] ** 2) / (2 * sigma * sigma))
    bump[bump < np.finfo(bump.dtype).eps * bump.max()] = 0
    left, right = min(column, radius), min(plane.shape[1] - column, radius + 1)
    above, below = min(row, radius), min(plane.shape[0] - row, radius + 1)
    window = plane[row - above : row + below, column - left : column + right]
    np.maximum(window, bump[radius - above : radius + below, radius - left : radius + right], out=window)
