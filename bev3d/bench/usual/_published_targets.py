"""The loops over objects that are published, restated: what they do for an object, in their order, in our own words.

CenterPoint (``AssignLabel``) works on NumPy, mmdet3d (``CenterHead.get_targets_single``) on torch, number by number;
that of OpenPCDet (``assign_target_of_single_head``) is close to the second. All pick a task's boxes class by class,
make a Gaussian anew for each object and write one row of regression targets at a time. CenterPoint's arrays become
tensors of a batch in its ``collate_kitti``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["collated", "numpy_key_frame", "torch_key_frame"]

OVERLAP, LEAST_RADIUS, STRIDE = 0.1, 2, 4
_SIZES, _YAW, _VELOCITY = slice(3, 6), 6, slice(7, 9)


def _radius(length: Any, width: Any, overlap: float, root: Any) -> Any:
    """Smallest of the three roots, all as (b + sqrt(b² - 4 a c)) / 2."""
    around, area = length + width, width * length
    c1 = area * (1 - overlap) / (1 + overlap)
    first = (around + root(around**2 - 4 * c1)) / 2
    b2, c2 = 2 * around, (1 - overlap) * area
    second = (b2 + root(b2**2 - 16 * c2)) / 2
    a3, b3, c3 = 4 * overlap, -2 * overlap * around, (overlap - 1) * area
    third = (b3 + root(b3**2 - 4 * a3 * c3)) / 2
    return min(first, second, third)


def _bump(radius: int) -> np.ndarray:
    side = 2 * radius + 1
    half = (side - 1.0) / 2.0
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    sigma = side / 6
    bump = np.exp(-(x * x + y * y) / (2 * sigma * sigma))
    bump[bump < np.finfo(bump.dtype).eps * bump.max()] = 0
    return bump


def _windows(shape: Sequence[int], x: int, y: int, radius: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where on the map, and which part of the Gaussian."""
    height, width = shape
    left, right = min(x, radius), min(width - x, radius + 1)
    top, bottom = min(y, radius), min(height - y, radius + 1)
    on_map = slice(y - top, y + bottom), slice(x - left, x + right)
    return on_map, (slice(radius - top, radius + bottom), slice(radius - left, radius + right))


def numpy_key_frame(
    boxes: np.ndarray,
    labels: np.ndarray,
    tasks: Sequence[int],
    low: tuple[float, float],
    cell: float,
    side: int,
    slots: int,
) -> list[dict[str, np.ndarray]]:
    """Targets of boxes (N, 9), task by task, as CenterPoint makes them; within a task the boxes are sorted by class.

    Args:
        boxes: see :class:`bev3d.boxes.Box`, with velocities.
        labels: (N,).
        tasks: number of classes of each.
        low: corner of the map, metres.
        cell: side of an output cell, metres.
        side: cells of the map along x and y.
        slots: rows of a task.
    """
    voxel = np.array([cell / STRIDE, cell / STRIDE], np.float32)
    masks, first = [], 0
    for count in tasks:
        masks.append([np.where(labels == c + first) for c in range(count)])
        first += count
    chosen, classes, first = [], [], 0
    for mask in masks:
        chosen.append(np.concatenate([boxes[m] for m in mask], axis=0))
        classes.append(np.concatenate([labels[m] - first for m in mask]))
        first += len(mask)
    for task in chosen:
        task[:, _YAW] -= np.floor(task[:, _YAW] / (2 * np.pi) + 0.5) * (2 * np.pi)
    return [_numpy_task(chosen[t], classes[t], count, low, voxel, side, slots) for t, count in enumerate(tasks)]


def _numpy_task(
    boxes: np.ndarray,
    classes: np.ndarray,
    count: int,
    low: tuple[float, float],
    voxel: np.ndarray,
    side: int,
    slots: int,
) -> dict[str, np.ndarray]:
    heatmap = np.zeros((count, side, side), np.float32)
    rows, index = np.zeros((slots, 10), np.float32), np.zeros(slots, np.int64)
    mask, category = np.zeros(slots, np.uint8), np.zeros(slots, np.int64)
    for k in range(min(boxes.shape[0], slots)):
        c = classes[k]
        length, width = boxes[k][3] / voxel[0] / STRIDE, boxes[k][4] / voxel[1] / STRIDE
        if not (length > 0 and width > 0):
            continue
        radius = max(LEAST_RADIUS, int(_radius(length, width, OVERLAP, np.sqrt)))
        x, y, z = boxes[k][0], boxes[k][1], boxes[k][2]
        centre = np.array([(x - low[0]) / voxel[0] / STRIDE, (y - low[1]) / voxel[1] / STRIDE], np.float32)
        whole = centre.astype(np.int32)
        if not (0 <= whole[0] < side and 0 <= whole[1] < side):
            continue
        on_map, part = _windows(heatmap[c].shape, int(centre[0]), int(centre[1]), radius)
        window, bump = heatmap[c][on_map], _bump(radius)[part]
        if min(bump.shape) > 0 and min(window.shape) > 0:
            np.maximum(window, bump * 1, out=window)
        category[k], index[k], mask[k] = c, whole[1] * side + whole[0], 1
        vx, vy = boxes[k][_VELOCITY]
        yaw, sizes = boxes[k][_YAW], np.log(boxes[k][_SIZES])
        parts = (centre - (whole[0], whole[1]), z, sizes, np.sin(yaw), np.cos(yaw), np.array(vx), np.array(vy))
        rows[k] = np.concatenate(parts, axis=None)
    return {"heatmap": heatmap, "cell_index": index, "class": category, "mask": mask, "regression": rows}


def collated(frames: Sequence[list[dict[str, np.ndarray]]]) -> list[dict[str, Tensor]]:
    """Tensors over the batch, task by task, of what :func:`numpy_key_frame` gave for each sample."""
    return [
        {name: torch.stack([torch.tensor(frame[t][name]) for frame in frames]) for name in task}
        for t, task in enumerate(frames[0])
    ]


def torch_key_frame(
    boxes: Tensor,
    labels: Tensor,
    tasks: Sequence[int],
    low: tuple[float, float],
    cell: float,
    side: int,
    slots: int,
) -> list[dict[str, Tensor]]:
    """The same of tensors, float32, as mmdet3d makes them; arguments as :func:`numpy_key_frame`."""
    origin, voxel = torch.tensor(low), torch.tensor([cell / STRIDE, cell / STRIDE])
    masks, first = [], 0
    for count in tasks:
        masks.append([torch.where(labels == c + first) for c in range(count)])
        first += count
    chosen, classes, first = [], [], 0
    for mask in masks:
        chosen.append(torch.cat([boxes[m] for m in mask]))
        classes.append(torch.cat([labels[m] - first for m in mask]).long())
        first += len(mask)
    return [_torch_task(chosen[t], classes[t], count, origin, voxel, side, slots) for t, count in enumerate(tasks)]


def _torch_task(
    boxes: Tensor, classes: Tensor, count: int, low: Tensor, voxel: Tensor, side: int, slots: int
) -> dict[str, Tensor]:
    heatmap, rows = boxes.new_zeros((count, side, side)), boxes.new_zeros((slots, 10))
    index, mask = classes.new_zeros(slots), boxes.new_zeros(slots, dtype=torch.uint8)
    for k in range(min(boxes.shape[0], slots)):
        c = classes[k]
        length, width = boxes[k][3] / voxel[0] / STRIDE, boxes[k][4] / voxel[1] / STRIDE
        if not (length > 0 and width > 0):
            continue
        radius = max(LEAST_RADIUS, int(_radius(length, width, OVERLAP, torch.sqrt)))
        x, y, z = boxes[k][0], boxes[k][1], boxes[k][2]
        across, along = (x - low[0]) / voxel[0] / STRIDE, (y - low[1]) / voxel[1] / STRIDE
        centre = torch.tensor([across, along], dtype=torch.float32)
        whole = centre.to(torch.int32)
        if not (0 <= whole[0] < side and 0 <= whole[1] < side):
            continue
        on_map, part = _windows(heatmap[c].shape, int(whole[0]), int(whole[1]), radius)
        window, bump = heatmap[c][on_map], torch.from_numpy(_bump(radius)[part]).to(torch.float32)
        if min(bump.shape) > 0 and min(window.shape) > 0:
            torch.max(window, bump * 1, out=window)
        x, y = whole[0], whole[1]
        index[k], mask[k] = y * side + x, 1
        vx, vy = boxes[k][_VELOCITY]
        yaw, sizes = boxes[k][_YAW], boxes[k][_SIZES].log()
        heading = [torch.sin(yaw).unsqueeze(0), torch.cos(yaw).unsqueeze(0)]
        offset = centre - torch.tensor([x, y])
        rows[k] = torch.cat([offset, z.unsqueeze(0), sizes, *heading, vx.unsqueeze(0), vy.unsqueeze(0)])
    return {"heatmap": heatmap, "cell_index": index, "mask": mask, "regression": rows}
