"""Heatmap targets in Numba. Serial and without a thread pool, so that forked data loader workers may call it."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bev3d_ops.reference._heatmap import (
    KEPT,
    NOT_A_CLASS,
    OUTSIDE_RANGE,
    OVER_MAX_OBJECTS,
    Encoded,
    EncodeGrid,
    empty_slots,
)

__all__ = ["encode_boxes", "splat"]


def encode_boxes(
    boxes: NDArray[np.float64],
    labels: NDArray[np.int64],
    offsets: NDArray[np.int64],
    task_of_class: NDArray[np.int64],
    class_in_task: NDArray[np.int64],
    grid: EncodeGrid,
    max_objects: int,
) -> Encoded:
    """As ``bev3d_ops.reference._heatmap.encode_boxes``, in one pass over the boxes."""
    out = empty_slots(int(task_of_class.max()) + 1, len(offsets) - 1, max_objects, len(boxes))
    if len(boxes):
        limits = np.array([*grid.range_m, *grid.cell_m], np.float64)
        _encode(boxes, labels, offsets, task_of_class, class_in_task, limits, grid.columns, grid.rows, *out)
    return out


def splat(
    planes: NDArray[np.float32],
    plane_index: NDArray[np.int64],
    columns: NDArray[np.int64],
    rows: NDArray[np.int64],
    radii: NDArray[np.int64],
) -> None:
    """Raise ``planes`` (P, H, W) in place to the maximum of itself and one Gaussian per object.

    Args:
        planes: C-contiguous.
        plane_index, columns, rows, radii: (N,); objects whose cell lies outside the plane draw nothing.
    """
    if not len(radii):
        return
    different, which = np.unique(radii, return_inverse=True)
    tables = [gaussian_rows(int(radius)) for radius in different]
    starts = np.cumsum([0, *(table.size for table in tables)])
    flat = np.concatenate([table.ravel() for table in tables])
    _splat(planes, plane_index, columns, rows, radii, starts[which], flat)


@lru_cache(maxsize=64)
def gaussian_rows(radius: int) -> NDArray[np.float32]:
    """Rows |dy| = 0 .. r of the Gaussian of a radius, (r + 1, 2 r + 1).

    The few different values are taken from NumPy's exp in float64, then rounded: so they are, bit for bit, what a
    loop over NumPy arrays writes into a float32 map.
    """
    sigma = (2 * radius + 1) / 6
    x = np.arange(-radius, radius + 1, dtype=np.float64)[None, :]
    y = np.arange(0, radius + 1, dtype=np.float64)[:, None]
    gaussian = np.exp(-(x * x + y * y) / (2 * sigma * sigma))
    gaussian[gaussian < np.finfo(np.float64).eps * gaussian.max()] = 0
    return gaussian.astype(np.float32)


@njit(cache=True, nogil=True)
def _encode(
    boxes, labels, offsets, task_of_class, class_in_task, limits, columns, rows,
    cell_index, class_index, box_index, mask, offset, height, log_size, heading, velocity, reason, column, row,
):  # fmt: skip
    tasks, _, slots = mask.shape
    used = np.zeros(tasks, np.int64)
    for sample in range(len(offsets) - 1):
        used[:] = 0
        for i in range(offsets[sample], offsets[sample + 1]):
            if labels[i] < 0:
                reason[i] = NOT_A_CLASS
                continue
            x, y, z = boxes[i, 0], boxes[i, 1], boxes[i, 2]
            across, along = (x - limits[0]) / limits[6], (y - limits[1]) / limits[7]
            u, v = math.floor(across), math.floor(along)
            inside = limits[0] <= x < limits[3] and limits[1] <= y < limits[4] and limits[2] <= z < limits[5]
            # rounding may carry a centre just below the upper end into the cell behind it
            if not (inside and 0 <= u < columns and 0 <= v < rows):
                reason[i] = OUTSIDE_RANGE
                continue
            t = task_of_class[labels[i]]
            j = used[t]
            if j == slots:
                reason[i] = OVER_MAX_OBJECTS
                continue
            used[t] += 1
            reason[i], column[i], row[i] = KEPT, int(u), int(v)
            cell_index[t, sample, j] = int(v) * columns + int(u)
            class_index[t, sample, j] = class_in_task[labels[i]]
            box_index[t, sample, j] = i - offsets[sample]
            mask[t, sample, j] = True
            offset[t, sample, j, 0], offset[t, sample, j, 1] = across - u, along - v
            height[t, sample, j, 0] = z
            for k in range(3):
                log_size[t, sample, j, k] = math.log(boxes[i, 3 + k])
            heading[t, sample, j, 0], heading[t, sample, j, 1] = math.sin(boxes[i, 6]), math.cos(boxes[i, 6])
            velocity[t, sample, j, 0], velocity[t, sample, j, 1] = boxes[i, 7], boxes[i, 8]


@njit(cache=True, nogil=True)
def _splat(planes, plane_index, columns, rows, radii, starts, tables):
    height, width = planes.shape[1:]
    for i in range(len(radii)):
        u, v, r = columns[i], rows[i], radii[i]
        if not (0 <= u < width and 0 <= v < height):
            continue
        first, last = max(u - r, 0), min(u + r + 1, width)
        for row in range(max(v - r, 0), min(v + r + 1, height)):
            start = starts[i] + abs(row - v) * (2 * r + 1) + first - (u - r)
            target = planes[plane_index[i], row, first:last]
            gaussian = tables[start : start + last - first]
            for k in range(len(target)):
                target[k] = max(target[k], gaussian[k])
