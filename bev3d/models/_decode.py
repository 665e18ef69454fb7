"""Boxes at given cells, decoded so that gradients flow: what the overlap and corner losses compare."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bev3d.config import Config

__all__ = ["boxes_at_cells", "gather_cells"]

LARGEST_LOG_SIZE = 5.0  # 148 m: keeps exp finite while the first steps wander


def gather_cells(maps: Tensor, cell_index: Tensor) -> Tensor:
    """Values (B, M, c) of maps (B, c, H, W) at flat cells (B, M)."""
    flat = maps.flatten(2)
    return flat.gather(2, cell_index[:, None].expand(-1, flat.shape[1], -1)).transpose(1, 2)


def boxes_at_cells(regression: Mapping[str, Tensor], cell_index: Tensor, config: Config) -> Tensor:
    """Boxes from values at cells.

    Args:
        regression: ``offset`` (..., 2), ``height`` (..., 1), ``log_size`` (..., 3), ``heading`` (..., 2).
        cell_index: (...) flat output cell, row * W + column.
        config: the grid.

    Returns:
        (..., 7) boxes, see :class:`bev3d.boxes.Box`.
    """
    width = config.output_size[0]
    offset = regression["offset"]
    cell_x, cell_y = (size * config.stride for size in config.voxel_size_m[:2])
    x = config.range_m[0] + (cell_index % width + offset[..., 0]) * cell_x
    y = config.range_m[1] + (cell_index // width + offset[..., 1]) * cell_y
    sizes = regression["log_size"].clamp(max=LARGEST_LOG_SIZE).exp()
    sine, cosine = regression["heading"].unbind(-1)
    # atan2 has no gradient at the origin, where an untrained map may well be
    yaw = torch.atan2(sine, torch.where((sine == 0) & (cosine == 0), torch.ones_like(cosine), cosine))
    centre = torch.stack([x, y, regression["height"][..., 0]], dim=-1)
    return torch.cat([centre, sizes, yaw[..., None]], dim=-1)
