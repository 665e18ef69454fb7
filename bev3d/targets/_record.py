"""What the target generator gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

__all__ = ["REGRESSION_SIZES", "DropReason", "Targets", "TaskTargets"]

DropReason: TypeAlias = Literal["outside_range", "not_a_class", "over_max_objects", "too_few_points"]

REGRESSION_SIZES: Mapping[str, int] = {"offset": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2}
"""Components of each regression target: (dx, dy) in cells; z in metres; log of length, width, height in metres;
sin and cos of the yaw; (vx, vy) in metres per second."""


@dataclass(frozen=True, eq=False)
class TaskTargets:
    """Targets of one task (group of classes) for B samples with M object slots each.

    Free slots have mask False, indices 0 (legal to gather), box index -1 and regression 0.

    Attributes:
        heatmap: (B, C, H, W) float32 in [0, 1]; rows along y, columns along x; 1 exactly at object cells.
        cell_index: (B, M) int64, row * W + column.
        class_index: (B, M) int64, class within the task.
        box_index: (B, M) int64, place of the box in its sample.
        mask: (B, M) bool, slots that hold an object.
        regression: by name, (B, M, components) float32: see ``REGRESSION_SIZES``; velocity NaN where unknown.
    """

    heatmap: Tensor
    cell_index: Tensor
    class_index: Tensor
    box_index: Tensor
    mask: Tensor
    regression: dict[str, Tensor]

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> TaskTargets:
        """The same on another device."""
        names = ("heatmap", "cell_index", "class_index", "box_index", "mask")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        regression = {name: value.to(device, non_blocking=non_blocking) for name, value in self.regression.items()}
        return TaskTargets(**moved, regression=regression)

    def collisions(self) -> list[int]:
        """Per sample, how many objects share their cell with an earlier object of the task."""
        kept = [index[mask] for index, mask in zip(self.cell_index, self.mask, strict=True)]
        return [len(cells) - len(torch.unique(cells)) for cells in kept]


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of a batch.

    Attributes:
        tasks: one record per task.
        dropped: per sample, boxes without a target, index of the box -> reason. ``outside_range``: the centre lies
            outside the half-open range in x, y or z; ``not_a_class``: label -1; ``over_max_objects``: the task's
            slots were taken by earlier boxes; ``too_few_points``: left out by what reads a data set. Every box is
            either in one slot of one task or here.
    """

    tasks: tuple[TaskTargets, ...]
    dropped: tuple[dict[int, DropReason], ...]

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Targets:
        """The same on another device."""
        return Targets(tuple(task.to(device, non_blocking=non_blocking) for task in self.tasks), self.dropped)
