"""Gaussians that lie along a heading, or about a centre within its cell."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d.boxes import Box
from bev3d.targets._grid import OutputGrid
from bev3d_ops.reference._heatmap_oriented import Ellipses, shapes_of
from bev3d_ops.registered._heatmap import splat_ellipses

__all__ = ["draw_shapes"]


def draw_shapes(
    shape: tuple[int, int, int],
    device: torch.device,
    boxes: NDArray[np.float64],
    plane: NDArray[np.int64],
    column: NDArray[np.int64],
    row: NDArray[np.int64],
    radii: NDArray[np.int64],
    grid: OutputGrid,
    subcell_centres: bool,
) -> Tensor:
    """Planes (P, H, W) float32 on ``device`` with N boxes drawn on them, by that device.

    Args:
        shape: P, H, W.
        device: of the result.
        boxes: (N, 7 or 9).
        plane, column, row: (N,), where.
        radii: (N,), round, in cells; or (N, 2), along the heading and across it, in sides of a mean cell.
        grid: of the map.
        subcell_centres: see :class:`HeatmapTargets`.
    """
    ellipses = _ellipses(boxes, plane, column, row, radii, grid, subcell_centres)
    objects = plane, np.stack([column, row], axis=1), shapes_of(ellipses)
    drawn: Tensor = splat_ellipses(
        *(torch.from_numpy(value).to(device) for value in objects), *ellipses.stretch, *shape
    )
    return drawn


def _ellipses(
    boxes: NDArray[np.float64],
    plane: NDArray[np.int64],
    column: NDArray[np.int64],
    row: NDArray[np.int64],
    radii: NDArray[np.int64],
    grid: OutputGrid,
    subcell_centres: bool,
) -> Ellipses:
    """How the boxes are drawn."""
    centre = np.stack([column, row], axis=1).astype(np.float64)
    if subcell_centres:
        centre = (boxes[:, Box.BEV_CENTRE] - grid.range_m[:2]) / grid.cell_m - 0.5
    if radii.ndim == 1:
        both, direction = np.stack([radii, radii], axis=1), np.tile([1.0, 0.0], (len(boxes), 1))
        return Ellipses(plane, column, row, centre, both, direction, (1.0, 1.0))
    direction = np.stack([np.cos(boxes[:, Box.YAW]), np.sin(boxes[:, Box.YAW])], axis=1)
    stretch = grid.cell_m[0] / grid.mean_cell_m, grid.cell_m[1] / grid.mean_cell_m
    return Ellipses(plane, column, row, centre, radii, direction, stretch)
