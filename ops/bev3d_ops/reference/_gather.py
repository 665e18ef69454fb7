"""Values of maps at the cells of objects, in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["gather_cells"]


def gather_cells(maps: Tensor, cell_index: Tensor) -> Tensor:
    """See :func:`bev3d_ops.registered.gather_cells`."""
    batch, channels, cells = maps.shape
    inside = (cell_index >= 0) & (cell_index < cells)
    safe = torch.where(inside, cell_index, 0)[:, None].expand(batch, channels, -1)
    if cells == 0:
        return (maps.sum() * 0).expand(batch, cell_index.shape[1], channels)
    values = maps.gather(2, safe).transpose(1, 2)
    return torch.where(inside[..., None], values, torch.zeros((), dtype=maps.dtype, device=maps.device))
