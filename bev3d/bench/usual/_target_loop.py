"""The loop over objects that fills CenterPoint's targets, as most detectors have it: heatmap and regression rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bev3d.bench._peers import legacy_heatmap

__all__ = ["key_frame_loop", "target_loop"]


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


def key_frame_loop(
    boxes: np.ndarray,
    labels: np.ndarray,
    tasks: Sequence[int],
    low: tuple[float, float],
    cell: float,
    side: int,
    slots: int,
) -> list[dict[str, Tensor]]:
    """What :func:`target_loop` gives, task by task, as tensors of ``slots`` rows; tasks: the classes of each."""
    made, first = [], 0
    for count in tasks:
        mine = (labels >= first) & (labels < first + count)
        found = target_loop(boxes[mine], labels[mine] - first, count, low, cell, side)
        padded = {"heatmap": found["heatmap"]}
        for name in ("cell_index", "mask", "regression"):
            padded[name] = np.zeros((slots, *found[name].shape[1:]), found[name].dtype)
            padded[name][: len(found[name])] = found[name][:slots]
        made.append({name: torch.from_numpy(values) for name, values in padded.items()})
        first += count
    return made
