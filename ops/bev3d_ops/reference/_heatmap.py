"""Heatmap targets in plain torch: what the compiled kernels must equal."""

from __future__ import annotations

from typing import Any, NamedTuple

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
    "check_objects",
    "draw_gaussians",
    "encode_boxes",
    "splat_gaussians",
    "splat_gaussians_",
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

    What has one shape and type lies in one array, so that few tensors have to be made of it. The rows of such an array
    go field by field, in a field task by task, then sample by sample.

    Attributes:
        indices: (3 * T * B, M) int64: cell_index, class_index, box_index.
        mask: (T * B, M) bool.
        pairs: (3 * T * B, M, 2) float32: offset, heading, velocity.
        height: (T * B, M, 1) float32.
        log_size: (T * B, M, 3) float32.
        fate: (3, N) int64: :attr:`reason`, :attr:`column`, :attr:`row`.
    """

    indices: NDArray[np.int64]
    mask: NDArray[np.bool_]
    pairs: NDArray[np.float32]
    height: NDArray[np.float32]
    log_size: NDArray[np.float32]
    fate: NDArray[np.int64]

    @property
    def reason(self) -> NDArray[np.int64]:
        """(N,) KEPT or why there is no target."""
        return self.fate[0]

    @property
    def column(self) -> NDArray[np.int64]:
        """(N,) of kept boxes, in cells."""
        return self.fate[1]

    @property
    def row(self) -> NDArray[np.int64]:
        """(N,) of kept boxes, in cells."""
        return self.fate[2]

    def slots(self, tasks: int, samples: int) -> dict[str, NDArray[Any]]:
        """By name, (T, B, M) or (T, B, M, components)."""
        tables = ((3, self.indices), (1, self.mask), (3, self.pairs), (1, self.height), (1, self.log_size))
        views = (table.reshape(fields, tasks, samples, *table.shape[1:]) for fields, table in tables)
        (cell_index, class_index, box_index), (mask,), (offset, heading, velocity), (height,), (log_size,) = views
        return {
            "cell_index": cell_index,
            "class_index": class_index,
            "box_index": box_index,
            "mask": mask,
            "offset": offset,
            "height": height,
            "log_size": log_size,
            "heading": heading,
            "velocity": velocity,
        }


def empty_slots(tasks: int, samples: int, max_objects: int, boxes: int) -> Encoded:
    """All slots free: indices 0 (so that gathering is legal), box index -1, mask false, regression 0."""
    rows = tasks * samples
    indices = np.zeros((3 * rows, max_objects), np.int64)
    indices[2 * rows :] = -1
    return Encoded(
        indices=indices,
        mask=np.zeros((rows, max_objects), np.bool_),
        pairs=np.zeros((3 * rows, max_objects, 2), np.float32),
        height=np.zeros((rows, max_objects, 1), np.float32),
        log_size=np.zeros((rows, max_objects, 3), np.float32),
        fate=np.zeros((3, boxes), np.int64),
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
    free = out.slots(tasks, len(offsets) - 1)
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
            free["cell_index"][slots] = row * grid.columns + column
            free["class_index"][slots] = class_in_task[labels[chosen]]
            free["box_index"][slots] = chosen - offsets[sample]
            free["mask"][slots] = True
            for name, value in regression.items():
                free[name][slots] = value[chosen].float().numpy()
    return out


def draw_gaussians(heatmap: Tensor, cells_xy: Tensor, radii: Tensor, classes: Tensor) -> Tensor:
    """Raise ``heatmap`` (C, H, W), in place, to the maximum of itself and one Gaussian per object.

    exp(-(dx² + dy²) / (2 sigma²)) for |dx|, |dy| <= r with sigma = (2 r + 1) / 6, in float64 before it is rounded;
    values under eps times the peak are 0; an object whose cell lies outside the map draws nothing.
    """
    splat_gaussians_(heatmap, classes, cells_xy, radii)
    return heatmap


def splat_gaussians(
    plane_index: Tensor, cells_xy: Tensor, radii: Tensor, planes: int, rows: int, columns: int
) -> Tensor:
    """(planes, rows, columns) float32: 0 and the Gaussians of :func:`splat_gaussians_`."""
    out = torch.zeros((planes, rows, columns), dtype=torch.float32, device=radii.device)
    splat_gaussians_(out, plane_index, cells_xy, radii)
    return out


def splat_gaussians_(planes: Tensor, plane_index: Tensor, cells_xy: Tensor, radii: Tensor) -> None:
    """Raise ``planes`` (P, H, W), in place, as :func:`draw_gaussians` does with one plane per class.

    A plane that is none, or a radius below 0, draws nothing.
    """
    count, rows, columns = planes.shape
    objects = zip(plane_index.tolist(), cells_xy.tolist(), radii.tolist(), strict=True)
    for plane, (column, row), radius in objects:
        if not (0 <= plane < count and 0 <= column < columns and 0 <= row < rows and radius >= 0):
            continue
        x = torch.arange(max(-column, -radius), min(radius + 1, columns - column), device=planes.device)
        y = torch.arange(max(-row, -radius), min(radius + 1, rows - row), device=planes.device)
        sigma = (2 * radius + 1) / 6
        squared = (x[None, :] * x[None, :] + y[:, None] * y[:, None]).double()
        gaussian = torch.exp(-squared / (2 * sigma * sigma))
        gaussian[gaussian < torch.finfo(torch.float64).eps] = 0
        window = planes[plane, row + y[0] : row + y[-1] + 1, column + x[0] : column + x[-1] + 1]
        torch.maximum(window, gaussian.to(planes.dtype), out=window)


def check_objects(planes: Tensor, plane_index: Tensor, cells_xy: Tensor, radii: Tensor) -> None:
    """Raise unless the shapes and types are those of :func:`splat_gaussians_`."""
    for name, value in (("plane_index", plane_index), ("cells_xy", cells_xy), ("radii", radii)):
        if value.dtype != torch.int64:
            raise TypeError(f"{name}: expected torch.int64, got {value.dtype}")
        if value.device != planes.device:
            raise ValueError(f"{name}: expected the device of the planes ({planes.device}), got {value.device}")
    count = radii.numel()
    if planes.ndim != 3:
        raise ValueError(f"planes: expected shape (P, H, W), got {tuple(planes.shape)}")
    if radii.ndim != 1:
        raise ValueError(f"radii: expected shape (N,), got {tuple(radii.shape)}")
    for name, value, shape in (("plane_index", plane_index, (count,)), ("cells_xy", cells_xy, (count, 2))):
        if tuple(value.shape) != shape:
            raise ValueError(f"{name}: expected shape {shape}, as radii, got {tuple(value.shape)}")
