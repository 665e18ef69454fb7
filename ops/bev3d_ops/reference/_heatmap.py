"""Heatmap targets in plain torch: what the compiled kernels must equal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "KEPT",
    "NOT_A_CLASS",
    "OUTSIDE_RANGE",
    "OVER_MAX_OBJECTS",
    "EncodeGrid",
    "Encoded",
    "draw_gaussians",
    "encode_boxes",
]

KEPT, OUTSIDE_RANGE, NOT_A_CLASS, OVER_MAX_OBJECTS = 0, 1, 2, 3


class EncodeGrid(NamedTuple):
    """Geometry that the encoder needs.

    Attributes:
        range_m: x0, y0, z0, x1, y1, z1.
        cell_m: output cell along x and y.
        columns: output cells along x.
        rows: output cells along y.
    """

    range_m: tuple[float, float, float, float, float, float]
    cell_m: tuple[float, float]
    columns: int
    rows: int


class Encoded(NamedTuple):
    """Slots of T tasks, B samples and M objects, and what became of each of the N boxes.

    ``cell_index``, ``class_index``, ``box_index`` int64 and ``mask`` bool are (T, B, M), the regression targets
    float32 (T, B, M, components). ``reason`` (N,) int8 is KEPT or why there is no target; ``row`` and ``column``
    (N,) int64 hold the cell of kept boxes.
    """

    cell_index: NDArray[np.int64]
    class_index: NDArray[np.int64]
    box_index: NDArray[np.int64]
    mask: NDArray[np.bool_]
    offset: NDArray[np.float32]
    height: NDArray[np.float32]
    log_size: NDArray[np.float32]
    heading: NDArray[np.float32]
    velocity: NDArray[np.float32]
    reason: NDArray[np.int8]
    column: NDArray[np.int64]
    row: NDArray[np.int64]


def empty_slots(tasks: int, samples: int, max_objects: int, boxes: int) -> Encoded:
    """All slots free: indices 0 (so that gathering is legal), box index -1, mask false, regression 0."""
    shape = (tasks, samples, max_objects)
    return Encoded(
        cell_index=np.zeros(shape, np.int64),
        class_index=np.zeros(shape, np.int64),
        box_index=np.full(shape, -1, np.int64),
        mask=np.zeros(shape, np.bool_),
        offset=np.zeros((*shape, 2), np.float32),
        height=np.zeros((*shape, 1), np.float32),
        log_size=np.zeros((*shape, 3), np.float32),
        heading=np.zeros((*shape, 2), np.float32),
        velocity=np.zeros((*shape, 2), np.float32),
        reason=np.full(boxes, KEPT, np.int8),
        column=np.zeros(boxes, np.int64),
        row=np.zeros(boxes, np.int64),
    )


def encode_boxes(
    boxes: NDArray[np.float64],
    labels: NDArray[np.int64],
    offsets: NDArray[np.int64],
    task_of_class: NDArray[np.int64],
    class_in_task: NDArray[np.int64],
    grid: EncodeGrid,
    max_objects: int,
) -> Encoded:
    """Give every box of a ragged batch its slot, cell and regression target.

    Args:
        boxes: (N, 9), the samples one after the other.
        labels: (N,) class, -1 for none.
        offsets: (B + 1,), sample b holds boxes offsets[b] to offsets[b + 1].
        task_of_class, class_in_task: (classes,).
        grid: see :class:`EncodeGrid`.
        max_objects: slots of a task in a sample.
    """
    tasks = int(task_of_class.max()) + 1
    out = empty_slots(tasks, len(offsets) - 1, max_objects, len(boxes))
    values = torch.from_numpy(boxes)
    low = torch.tensor(grid.range_m[:3], dtype=torch.float64)
    high = torch.tensor(grid.range_m[3:], dtype=torch.float64)
    position = (values[:, :2] - low[:2]) / torch.tensor(grid.cell_m, dtype=torch.float64)
    cell = torch.floor(position)
    size = torch.tensor([grid.columns, grid.rows], dtype=torch.float64)
    inside = ((values[:, :3] >= low) & (values[:, :3] < high)).all(1) & ((cell >= 0) & (cell < size)).all(1)
    named = torch.from_numpy(labels) >= 0
    out.reason[:] = torch.where(named, torch.where(inside, KEPT, OUTSIDE_RANGE), NOT_A_CLASS).numpy()
    regression = {
        "offset": position - cell,
        "height": values[:, 2:3],
        "log_size": torch.log(values[:, 3:6]),
        "heading": torch.stack([torch.sin(values[:, 6]), torch.cos(values[:, 6])], dim=1),
        "velocity": values[:, 7:9],
    }
    for sample in range(len(offsets) - 1):
        indices = np.arange(offsets[sample], offsets[sample + 1])
        for task in range(tasks):
            wanted = (out.reason[indices] == KEPT) & (task_of_class[labels[indices]] == task)
            chosen = indices[wanted]
            out.reason[chosen[max_objects:]] = OVER_MAX_OBJECTS
            chosen = chosen[:max_objects]
            slots = (task, sample, slice(0, len(chosen)))
            column, row = cell[chosen].long().numpy().T
            out.column[chosen], out.row[chosen] = column, row
            out.cell_index[slots] = row * grid.columns + column
            out.class_index[slots] = class_in_task[labels[chosen]]
            out.box_index[slots] = chosen - offsets[sample]
            out.mask[slots] = True
            for name, value in regression.items():
                getattr(out, name)[slots] = value[chosen].float().numpy()
    return out


def draw_gaussians(heatmap: Tensor, cells_xy: Tensor, radii: Tensor, classes: Tensor) -> Tensor:
    """Raise ``heatmap`` (C, H, W), in place, to the maximum of itself and one Gaussian per object.

    exp(-(dx² + dy²) / (2 sigma²)) for |dx|, |dy| <= r with sigma = (2 r + 1) / 6, in float64 before it is rounded;
    values under eps times the peak are 0; an object whose cell lies outside the map draws nothing.
    """
    rows, columns = heatmap.shape[-2:]
    for (column, row), radius, label in zip(cells_xy.tolist(), radii.tolist(), classes.tolist(), strict=True):
        if not (0 <= column < columns and 0 <= row < rows):
            continue
        x = torch.arange(max(column - radius, 0), min(column + radius + 1, columns), device=heatmap.device) - column
        y = torch.arange(max(row - radius, 0), min(row + radius + 1, rows), device=heatmap.device) - row
        sigma = (2 * radius + 1) / 6
        squared = (x[None, :] * x[None, :] + y[:, None] * y[:, None]).double()
        gaussian = torch.exp(-squared / (2 * sigma * sigma))
        gaussian[gaussian < torch.finfo(torch.float64).eps] = 0
        window = heatmap[label, row + y[0] : row + y[-1] + 1, column + x[0] : column + x[-1] + 1]
        torch.maximum(window, gaussian.to(heatmap.dtype), out=window)
    return heatmap
