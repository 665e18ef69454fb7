"""Losses, scatters and voxels as one writes them in eager torch."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

__all__ = ["eager_corner", "eager_focal", "eager_gather", "eager_scatter", "eager_voxels", "eager_voxels_by_key"]


def eager_focal(logits: Tensor, heatmap: Tensor) -> Tensor:
    """Penalty-reduced focal loss of clamped probabilities, the published form."""
    p = torch.clamp(torch.sigmoid(logits), 1e-4, 1 - 1e-4)
    positive = heatmap.eq(1).to(p.dtype)
    negative = (1 - heatmap) ** 4 * (1 - positive)
    return -(torch.log(p) * (1 - p) ** 2 * positive + torch.log(1 - p) * p**2 * negative)


@functools.cache
def _signs(device: torch.device, dtype: torch.dtype) -> Tensor:
    """(8, 3), once: to make it in each call would wait for a GPU."""
    signs = [[x, y, z] for x in (0.5, -0.5) for y in (0.5, -0.5) for z in (0.5, -0.5)]
    return torch.tensor(signs, dtype=dtype, device=device)


def _corners(boxes: Tensor) -> Tensor:
    """(N, 8, 3)."""
    local = boxes[:, None, 3:6] * _signs(boxes.device, boxes.dtype)
    c, s = boxes[:, 6].cos()[:, None], boxes[:, 6].sin()[:, None]
    x, y = local[..., 0] * c - local[..., 1] * s, local[..., 0] * s + local[..., 1] * c
    return torch.stack([x, y, local[..., 2]], dim=-1) + boxes[:, None, :3]


def eager_corner(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) mean over corners of Huber of the distance to the nearer corner of the target and of the target turned."""
    turned = torch.cat([target[:, :6], target[:, 6:7] + math.pi], dim=1)
    corners = _corners(pred)
    near, far = ((corners - _corners(other)).norm(dim=-1) for other in (target, turned))
    distance = torch.minimum(near, far)
    return torch.where(distance <= 1, distance.square() / 2, distance - 0.5).mean(dim=1)


def eager_scatter(values: Tensor, index: Tensor, groups: int, reduce: str) -> Tensor:
    """(groups, C) of values (P, C) by ``scatter_reduce``: ``"amax"``, ``"mean"`` or ``"sum"``."""
    zeros = values.new_zeros((groups, values.shape[1]))
    return zeros.scatter_reduce(0, index[:, None].expand_as(values), values, reduce, include_self=False)


def eager_voxels(points: Tensor, low: Tensor, size: Tensor, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cells (V, 3) as z, y, x, the voxel of each point within, and the indices of those points, by ``torch.unique``."""
    cell = torch.floor((points[:, :3] - low) / size).long()
    within = ((cell >= 0) & (cell < grid)).all(dim=1).nonzero()[:, 0]
    cell = cell[within].flip(1)
    cells, voxel = torch.unique(cell, dim=0, return_inverse=True)
    return cells, voxel, within


def eager_voxels_by_key(points: Tensor, low: Tensor, size: Tensor, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same with the cell as one number, which ``torch.unique`` sorts faster than rows."""
    cell = torch.floor((points[:, :3] - low) / size).long()
    within = ((cell >= 0) & (cell < grid)).all(dim=1).nonzero()[:, 0]
    x, y, z = cell[within].unbind(dim=1)
    keys, voxel = torch.unique((z * grid[1] + y) * grid[0] + x, return_inverse=True)
    plane = grid[0] * grid[1]
    cells = torch.stack([keys // plane, keys % plane // grid[0], keys % grid[0]], dim=1)
    return cells, voxel, within


def eager_gather(maps: Tensor, cells: Tensor) -> Tensor:
    """(B, K, C) of maps (B, C, H, W) at flat cells (B, K): the permuted copy and gather of CenterPoint-like heads."""
    flat = maps.permute(0, 2, 3, 1).contiguous().view(maps.shape[0], -1, maps.shape[1])
    return flat.gather(1, cells[..., None].expand(-1, -1, maps.shape[1]))
