"""Anchors: boxes of given sizes and headings over a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.targets._grid import OutputGrid

__all__ = ["AnchorClass", "Anchors", "generate_anchors"]

Align = Literal["cell_centre", "range_ends"]


@dataclass(frozen=True)
class AnchorClass:
    """The anchors of one class at each cell: every size with every height with every yaw.

    Attributes:
        sizes_m: (length, width, height) each.
        z_m: heights of the **centre**; OpenPCDet's ``anchor_bottom_heights`` are those of the bottom face.
        yaws_rad: headings.
    """

    sizes_m: tuple[tuple[float, float, float], ...]
    z_m: tuple[float, ...]
    yaws_rad: tuple[float, ...] = (0.0, math.pi / 2)

    def __post_init__(self) -> None:
        if not self.sizes_m or any(len(s) != 3 or not all(0 < side < math.inf for side in s) for s in self.sizes_m):
            raise ValueError(f"sizes_m: expected length, width, height > 0 of at least one, got {self.sizes_m}")
        for name, values in (("z_m", self.z_m), ("yaws_rad", self.yaws_rad)):
            if not values or not all(math.isfinite(value) for value in values):
                raise ValueError(f"{name}: expected at least one finite number, got {values}")

    @property
    def count(self) -> int:
        """Anchors a cell."""
        return len(self.sizes_m) * len(self.z_m) * len(self.yaws_rad)


@dataclass(frozen=True, eq=False)
class Anchors:
    """Anchors of a grid, in the order of a head's (rows, columns, anchors a cell).

    Attributes:
        boxes: (rows * columns * per_cell, 7).
        labels: (rows * columns * per_cell,) int64, the class.
        rows: along y.
        columns: along x.
        per_cell: anchors a cell: by class, then size, then height, then yaw.
    """

    boxes: Tensor
    labels: Tensor
    rows: int
    columns: int
    per_cell: int

    def to(self, device: torch.device | str) -> Anchors:
        """The same on another device."""
        return Anchors(self.boxes.to(device), self.labels.to(device), self.rows, self.columns, self.per_cell)


def generate_anchors(
    grid: OutputGrid,
    classes: Sequence[AnchorClass],
    *,
    align: Align = "cell_centre",
    dtype: torch.dtype = torch.float32,
) -> Anchors:
    """Anchors of all classes at every cell of a grid (SECOND, Yan et al. 2018; PointPillars, Lang et al., 1812.05784).

    Args:
        grid: the output grid.
        classes: by class index.
        align: ``"cell_centre"`` puts them over the middle of the cells, where the feature of a cell comes from.
            ``"range_ends"`` spreads them from one end of the range to the other, as OpenPCDet and mmdet3d do unless
            told otherwise: off the centres by up to half a cell, most at the border.
        dtype: of the boxes; they are computed in float64.

    Returns:
        On the CPU.

    Raises:
        ValueError: no class, or an unknown ``align``.
        TypeError: a ``dtype`` that is not floating point.
    """
    check_choice("align", align, get_args(Align))
    if not classes:
        raise ValueError("classes: expected at least one AnchorClass, got none")
    if not dtype.is_floating_point:
        raise TypeError(f"dtype: expected a floating-point dtype, got {dtype}")
    cell, labels = _at_a_cell(classes)
    x, y = (_places(grid, i, align) for i in (0, 1))
    boxes = cell.expand(grid.rows, grid.columns, len(cell), 7).clone()
    boxes[..., 0] = x[None, :, None]
    boxes[..., 1] = y[:, None, None]
    labels = labels.expand(grid.rows, grid.columns, len(cell)).reshape(-1)
    return Anchors(boxes.reshape(-1, 7).to(dtype), labels, grid.rows, grid.columns, len(cell))


def _at_a_cell(classes: Sequence[AnchorClass]) -> tuple[Tensor, Tensor]:
    """(K, 7) boxes at the origin and (K,) classes."""
    rows = [
        (0.0, 0.0, z, *size, yaw)
        for each in classes
        for size in each.sizes_m
        for z in each.z_m
        for yaw in each.yaws_rad
    ]
    labels = [index for index, each in enumerate(classes) for _ in range(each.count)]
    return torch.tensor(rows, dtype=torch.float64), torch.tensor(labels, dtype=torch.int64)


def _places(grid: OutputGrid, axis: int, align: Align) -> Tensor:
    """(columns,) or (rows,) coordinates of the anchors along one axis."""
    count = (grid.columns, grid.rows)[axis]
    low, high = grid.range_m[axis], grid.range_m[axis + 3]
    if align == "range_ends":
        return torch.linspace(low, high, count, dtype=torch.float64)
    return low + (torch.arange(count, dtype=torch.float64) + 0.5) * grid.cell_m[axis]
