"""Boxes to heatmap targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d._check import check_boxes, check_positive_sizes
from bev3d.boxes import Box
from bev3d.targets._grid import OutputGrid
from bev3d.targets._oriented import draw_shapes
from bev3d.targets._radius import RadiusKind, radius_rule
from bev3d.targets._record import Targets
from bev3d.targets._slots import dropped_boxes, task_targets
from bev3d_ops.cpu import _heatmap as cpu
from bev3d_ops.cpu._memory import zeros
from bev3d_ops.reference._heatmap import KEPT, Encoded, EncodeGrid
from bev3d_ops.registered._heatmap import splat_gaussians

__all__ = ["HeatmapTargets"]

Array = np.ndarray | Tensor
_RULES = {"cornernet": cpu.CORNERNET, "legacy": cpu.LEGACY, "sqrt_area": cpu.SQRT_AREA}
_MOST_CELLS = 2**31 - 1
_CPU = torch.device("cpu")


class HeatmapTargets:
    """CenterPoint's targets (Yin, Zhou, Krähenbühl 2021, arXiv:2006.11275) for a batch, all tasks in one call.

    cell = floor((centre - range_min) / (voxel * stride)), offset = the fraction. Each box draws a Gaussian of
    integer radius max(min_radius, floor(r)) on its class's map, see :func:`draw_gaussians`. Two boxes of a task in
    one cell are both regressed. With ``radius="oriented"`` the Gaussian is an ellipse along the heading with two such
    radii (:func:`oriented_radii`). A box is dropped, with its reason, where its centre lies outside ``range_m``
    (x, y **and z**, half-open), where its label is -1, or where the task is full; it is never moved to the border.

    Args:
        tasks: groups of class names; labels index their concatenation.
        range_m: x0, y0, z0, x1, y1, z1.
        voxel_size_m: along x, y, z.
        stride: voxels per output cell.
        radius: a rule of :func:`gaussian_radius`, or a callable from lengths and widths in cells, (N,) tensors, to
            radii (N,). With cells that are not square, lengths are in cells along x and widths along y, in
            ``legacy`` the other way about, as in CenterPoint, and in ``oriented`` in the side of a square cell of
            the same area, so that the ellipse is true to the heading.
        min_overlap: for the named rules.
        min_radius: cells.
        max_objects: slots of a task in a sample; they go to the first boxes in the order given.
        subcell_centres: whether a Gaussian lies about the box's very centre instead of the middle of its cell. The
            box's own cell is 1 all the same, so that losses and the decoder find it; the cells beside it then say on
            which side the centre is.

    Raises:
        ValueError: an empty or repeated class name, an impossible grid, radius rule or bound.
    """

    def __init__(
        self,
        *,
        tasks: Sequence[Sequence[str]],
        range_m: Sequence[float],
        voxel_size_m: Sequence[float],
        stride: int,
        radius: RadiusKind | Callable[[Tensor, Tensor], Tensor] = "cornernet",
        min_overlap: float = 0.1,
        min_radius: int = 2,
        max_objects: int = 500,
        subcell_centres: bool = False,
    ) -> None:
        self.tasks = _check_tasks(tasks)
        self.class_names = tuple(name for task in self.tasks for name in task)
        self.grid = OutputGrid.of(range_m, voxel_size_m, stride)
        if isinstance(max_objects, bool) or not isinstance(max_objects, int) or max_objects < 1:
            raise ValueError(f"max_objects: expected an integer >= 1, got {max_objects!r}")
        self._max_objects = max_objects
        self.radius, self.min_overlap, self.min_radius = radius, min_overlap, min_radius
        self._radii = radius_rule(radius, min_overlap, min_radius)
        self.subcell_centres = subcell_centres
        self._is_round = radius != "oriented" and not subcell_centres
        # length over which cell axis: see the class's docstring
        cell_m = self.grid.cell_m[::-1] if radius == "legacy" else self.grid.cell_m
        if radius == "oriented":
            cell_m = (self.grid.mean_cell_m, self.grid.mean_cell_m)
        kind = cpu.NO_RULE if callable(radius) else _RULES.get(radius, cpu.NO_RULE)
        self._rule = cpu.RadiusRule(kind, float(min_overlap), float(min(min_radius, _MOST_CELLS)), cell_m)
        grid = EncodeGrid(*(getattr(self.grid, name) for name in EncodeGrid._fields))
        self._class_counts = [len(task) for task in self.tasks]
        self._encoding = cpu.encoding(self._class_counts, grid, max_objects, self._rule)

    @property
    def max_objects(self) -> int:
        """Slots of a task in a sample."""
        return self._max_objects

    def __call__(self, boxes: Sequence[Array], labels: Sequence[Array]) -> Targets:
        """Targets of a batch; the inputs stay as they are.

        Args:
            boxes: per sample (N, 7 or 9), see :class:`bev3d.boxes.Box`; NumPy or torch; without velocity columns
                the velocity targets are NaN. The work is done in float64 on the CPU.
            labels: per sample (N,) integers, index into ``class_names`` or -1.

        Returns:
            :class:`Targets` on the device of the first boxes.

        Raises:
            ValueError: lists or rows that do not pair up, a wrong last dimension, a label that is no class, a box
                with a non-finite entry or a size that is not positive; with the sample's and the box's index.
            TypeError: boxes that are not floating point, labels that are not integers.
        """
        table, label, offsets = self._gather(boxes, labels)
        device = _device_of(boxes)
        slots, heatmaps = self._encode(table, label, offsets, device)
        return Targets(task_targets(slots, heatmaps), dropped_boxes(slots.reason, offsets))

    def _gather(
        self, boxes: Sequence[Array], labels: Sequence[Array]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """The batch as one table (N, 9), labels (N,) and offsets (B + 1,)."""
        for name, value in (("boxes", boxes), ("labels", labels)):
            if not isinstance(value, list | tuple):
                raise TypeError(f"{name}: expected a list over the batch, got {type(value).__name__}")
        if len(boxes) != len(labels):
            raise ValueError(f"labels: expected {len(boxes)} samples, as boxes, got {len(labels)}")
        counts = [_check_sample(i, *pair) for i, pair in enumerate(zip(boxes, labels, strict=True))]
        ends = [0, *accumulate(counts)]
        table, label = np.empty((ends[-1], 9)), np.empty(ends[-1], np.int64)
        for i, (start, end) in enumerate(pairwise(ends)):
            sample = _numpy(boxes[i])
            columns = sample.shape[1]
            table[start:end, :columns] = sample
            if columns < 9:
                table[start:end, columns:] = np.nan
            label[start:end] = _numpy(labels[i])
        return table, label, np.array(ends)

    def _refuse(self, table: NDArray[np.float64], label: NDArray[np.int64], offsets: NDArray[np.int64]) -> NoReturn:
        """Say which box or label is wrong."""
        for i, (start, end) in enumerate(pairwise(offsets)):
            check_positive_sizes(f"boxes[{i}]", table[start:end])
        row = int(np.flatnonzero((label < -1) | (label >= len(self.class_names)))[0])
        sample = int(np.searchsorted(offsets, row, side="right")) - 1
        raise ValueError(
            f"labels[{sample}]: expected -1 or an index of the {len(self.class_names)} classes, "
            f"got {label[row]} for box {row - offsets[sample]}"
        )

    def _encode(
        self, boxes: NDArray[np.float64], labels: NDArray[np.int64], offsets: NDArray[np.int64], device: torch.device
    ) -> tuple[Encoded, Sequence[Tensor]]:
        """Slots, and one (B, C_t, H, W) map per task, all of them views of one buffer that is filled in one call."""
        samples = len(offsets) - 1
        shape = (len(self.class_names) * samples, self.grid.rows, self.grid.columns)
        # not torch.zeros: its thread pool costs milliseconds where the cores are busy, as under data loader workers
        planes = zeros(shape, np.float32) if self._is_round and device.type != "cuda" else None
        encoded = cpu.encode_boxes(boxes, labels, offsets, self._encoding, planes)
        if encoded is None:
            self._refuse(boxes, labels, offsets)
        slots, marks = encoded
        if planes is not None and self._rule.kind != cpu.NO_RULE:  # drawn already
            drawn = torch.from_numpy(planes)
            return slots, self._maps(drawn if device.type == "cpu" else drawn.to(device), samples)
        kept = slots.reason == KEPT
        if self._is_round and self._rule.kind == cpu.NO_RULE and kept.any():
            marks.radius[kept] = self._called_radii(boxes[kept])
            if planes is not None:
                cpu.splat(planes, marks.plane, slots.column, slots.row, marks.radius)
        if not self._is_round:
            radii = self._called_radii(boxes[kept]) if self._rule.kind == cpu.NO_RULE else marks.radius[kept]
            plane, column, row = marks.plane[kept], slots.column[kept], slots.row[kept]
            where = (shape, _drawing_device(device))
            drawn = draw_shapes(*where, boxes[kept], plane, column, row, radii, self.grid, self.subcell_centres)
            drawn = drawn.to(device)
        elif planes is None:
            cells = np.stack([slots.column, slots.row], axis=1)
            moved = (torch.from_numpy(values).to(device) for values in (marks.plane, cells, marks.radius))
            drawn = splat_gaussians(*moved, *shape)
        else:
            drawn = torch.from_numpy(planes).to(device)
        return slots, self._maps(drawn, samples)

    def _maps(self, planes: Tensor, samples: int) -> Sequence[Tensor]:
        """Of planes (P, H, W), task by task and then sample by sample, (B, C_t, H, W) of each task."""
        sizes = self._class_counts
        if samples == 1:
            return planes[None].unsafe_split_with_sizes(sizes, 1)
        parts = planes.unsafe_split_with_sizes([samples * size for size in sizes])
        shape = planes.shape[1:]
        return [part.view(samples, size, *shape) for part, size in zip(parts, sizes, strict=True)]

    def _called_radii(self, boxes: NDArray[np.float64]) -> NDArray[np.int64]:
        """Radii by a rule that is not compiled: (N,), or (N, 2) for ``oriented``."""
        along, across = self._rule.cell_m
        return self._radii(boxes[:, Box.LENGTH] / along, boxes[:, Box.WIDTH] / across)


def _device_of(boxes: Sequence[Array]) -> torch.device:
    for value in boxes:
        if isinstance(value, Tensor):
            return value.device
    return _CPU


def _drawing_device(device: torch.device) -> torch.device:
    """Where Gaussians are drawn: there is a kernel for CUDA and one for the CPU."""
    return device if device.type == "cuda" else _CPU


def _check_tasks(tasks: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    if isinstance(tasks, str) or any(isinstance(task, str) for task in tasks):
        raise TypeError(f"tasks: expected a list of lists of class names, got {tasks!r}")
    result = tuple(tuple(task) for task in tasks)
    names = [name for task in result for name in task]
    if not result or not all(result):
        raise ValueError(f"tasks: expected at least one class in every group, got {result}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"tasks: expected every class once, got {', '.join(repeated)} more than once")
    return result


def _check_sample(index: int, boxes: Array, labels: Array) -> int:
    check_boxes(f"boxes[{index}]", boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes[{index}]: expected shape (N, 7) or (N, 9), got {tuple(boxes.shape)}")
    if not isinstance(labels, np.ndarray | Tensor):
        raise TypeError(f"labels[{index}]: expected a NumPy array or a torch tensor, got {type(labels).__name__}")
    if _numpy(labels).dtype.kind not in "iu":
        raise TypeError(f"labels[{index}]: expected integers, got {labels.dtype}")
    if tuple(labels.shape) != (len(boxes),):
        raise ValueError(f"labels[{index}]: expected shape ({len(boxes)},), as boxes, got {tuple(labels.shape)}")
    return len(boxes)


def _numpy(value: Array) -> np.ndarray:
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    return (value.double() if value.dtype == torch.bfloat16 else value).cpu().numpy()
