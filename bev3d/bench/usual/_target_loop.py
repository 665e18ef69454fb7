"""The loop over objects that fills CenterPoint's targets, as most detectors have it: heatmap and regression rows."""

from __future__ import annotations

import math

import numpy as np

from bev3d.bench._peers import legacy_heatmap

__all__ = ["target_loop"]


def target_loop(
    boxes: np.ndarray, classes: np.ndarray, class_count: int, low: tuple[float, float], cell: float, side: int
) -> dict[str, np.ndarray]:
    """Heatmap (class_count, side, side), cells, mask and regression of boxes (N, 9), object by object."""
    n = len(boxes)
    rows, index, mask = np.zeros((n, 10), np.float32), np.zeros(n, np.int64), np.zeros(n, bool)
    heatmap = legacy_heatmap(boxes, classes, class_count, low, cell, (side, side))
    for k, (x, y, z, length, width, height, yaw, vx, vy) in enumerate(boxes.tolist()):
        u, v = (x - low[0]) / cell, (y - low[1]) / cell
        column, row = math.floor(u), math.floor(v)
        if not (0 <= column < side and 0 <= row < side):
            continue
        index[k], mask[k] = row * side + column, True
        sizes = np.log(np.array([length, width, height]))
        rows[k] = np.concatenate(
            [np.array([u - column, v - row]), np.array([z]), sizes, np.array([math.sin(yaw), math.cos(yaw), vx, vy])]
        )
    return {"heatmap": heatmap, "cell_index": index, "mask": mask, "regression": rows}
