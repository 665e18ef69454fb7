"""Boxes in the cells of an output grid: CenterPoint's fractions and TransFusion's absolute cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from bev3d._check import check_boxes
from bev3d.boxes import Box, wrap_angle
from bev3d.boxes._backend import atan2, cos, sin
from bev3d.targets._grid import OutputGrid
from bev3d.targets.coders._columns import (
    Array,
    check_code,
    check_encodable,
    check_same_kind,
    exp,
    floor,
    join,
    log,
    named_slices,
    whole,
)

__all__ = ["CentreCoder", "TransFusionCoder"]


@dataclass(frozen=True)
class CentreCoder:
    """CenterPoint's regression (Yin, Zhou, Krähenbühl 2021, 2006.11275), as :class:`HeatmapTargets` makes it.

        offset = (centre - range_min) / cell_m - cell,  height = z,  log_size = log l, log w, log h,  heading = sin, cos

    The "anchor" is a cell. Its own cell gives a box offsets in [0, 1); any other is legal.

    Attributes:
        grid: the output grid.
    """

    grid: OutputGrid

    @property
    def slices(self) -> dict[str, slice]:
        """Columns of the code by name: offset, height, log_size, heading, velocity."""
        return named_slices({"offset": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2})

    def cells(self, boxes: Array) -> Array:
        """(..., 2) int64, column and row of each centre, by floor; outside the grid where the centre is."""
        check_boxes("boxes", boxes)
        return whole(floor(_grid_place(boxes, self.grid)))

    def encode(self, boxes: Array, cells_xy: Array) -> Array:
        """Code of boxes against cells.

        Args:
            boxes: (..., 7 or 9), sizes above 0.
            cells_xy: (..., 2) integers, column then row.

        Returns:
            (..., 8), with a velocity (..., 10).

        Raises:
            ValueError: wrong shapes; boxes that are not finite or have no size, with their indices (on CUDA that is
                not looked at).
            TypeError: boxes that are not floating point, cells that are not integers, an array and a tensor.
        """
        check_encodable(boxes)
        _check_cells(cells_xy, "boxes", boxes)
        place = _grid_place(boxes, self.grid)
        return join(_columns(boxes, place[..., 0] - cells_xy[..., 0], place[..., 1] - cells_xy[..., 1]))

    def decode(self, code: Array, cells_xy: Array) -> Array:
        """The inverse of :meth:`encode`, differentiable: (..., 7 or 9), yaw in [-pi, pi)."""
        check_code(code, self.slices)
        _check_cells(cells_xy, "code", code)
        return _boxes(code, code[..., 0] + cells_xy[..., 0], code[..., 1] + cells_xy[..., 1], self.grid)


@dataclass(frozen=True)
class TransFusionCoder:
    """TransFusion's regression (Bai et al. 2022, 2203.11496): the centre is an absolute, fractional cell.

        cell = (x - x0, y - y0) / cell_m,  height = z,  log_size = log l, log w, log h,  heading = sin, cos

    It needs no anchor: the head adds what it predicts to the cell of its query. z is that of the centre of gravity;
    the authors' code starts from boxes with z at the bottom and width before length.

    Attributes:
        grid: the output grid.
    """

    grid: OutputGrid

    @property
    def slices(self) -> dict[str, slice]:
        """Columns of the code by name: cell, height, log_size, heading, velocity."""
        return named_slices({"cell": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2})

    def encode(self, boxes: Array) -> Array:
        """(..., 8), with a velocity (..., 10), of boxes (..., 7 or 9); errors as :meth:`CentreCoder.encode`."""
        check_encodable(boxes)
        place = _grid_place(boxes, self.grid)
        return join(_columns(boxes, place[..., 0], place[..., 1]))

    def decode(self, code: Array) -> Array:
        """The inverse of :meth:`encode`, differentiable: (..., 7 or 9), yaw in [-pi, pi)."""
        check_code(code, self.slices)
        return _boxes(code, code[..., 0], code[..., 1], self.grid)


def _grid_place(boxes: Array, grid: OutputGrid) -> Array:
    """(..., 2) column and row of the centres, with fractions."""
    return join([(boxes[..., i] - grid.range_m[i]) / grid.cell_m[i] for i in range(2)])


def _columns(boxes: Array, x: Array, y: Array) -> list[Array]:
    yaw = boxes[..., Box.YAW]
    sizes = [log(boxes[..., i]) for i in (Box.LENGTH, Box.WIDTH, Box.HEIGHT)]
    velocity = [boxes[..., i] for i in range(7, boxes.shape[-1])]
    return [x, y, boxes[..., Box.Z], *sizes, sin(yaw), cos(yaw), *velocity]


def _boxes(code: Array, x: Array, y: Array, grid: OutputGrid) -> Array:
    centre = [x * grid.cell_m[0] + grid.range_m[0], y * grid.cell_m[1] + grid.range_m[1], code[..., 2]]
    sizes = [exp(code[..., i]) for i in (3, 4, 5)]
    yaw = wrap_angle(atan2(code[..., 6], code[..., 7]))
    return join([*centre, *sizes, yaw, *(code[..., i] for i in range(8, code.shape[-1]))])


def _check_cells(cells_xy: Array, other_name: str, other: Array) -> None:
    if not isinstance(cells_xy, np.ndarray | torch.Tensor):
        raise TypeError(f"cells_xy: expected a NumPy array or a torch tensor, got {type(cells_xy).__name__}")
    if isinstance(cells_xy, torch.Tensor):
        integral = not (cells_xy.is_floating_point() or cells_xy.is_complex() or cells_xy.dtype == torch.bool)
    else:
        integral = cells_xy.dtype.kind in "iu"
    if not integral:
        raise TypeError(f"cells_xy: expected integers, got {cells_xy.dtype}")
    if cells_xy.ndim < 1 or cells_xy.shape[-1] != 2:
        raise ValueError(f"cells_xy: expected shape (..., 2), got {tuple(cells_xy.shape)}")
    check_same_kind("cells_xy", cells_xy, other_name, other)
