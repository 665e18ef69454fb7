"""LiDAR sweeps moved to another frame, in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["transform_sweeps"]


def transform_sweeps(
    points: Tensor,
    offsets: Tensor,
    transforms: Tensor,
    lags_s: Tensor,
    columns: int,
    half_width_m: float,
    intensity_scale: float,
) -> tuple[Tensor, Tensor]:
    """See :func:`bev3d_ops.cpu._sweeps.transform_sweeps`; positions in float64, rounded once."""
    index = torch.arange(len(points), device=points.device)
    sweep = torch.searchsorted(offsets, index, right=True) - 1
    has_sweep = sweep < len(transforms)
    sweep = sweep.clamp(max=max(len(transforms) - 1, 0))
    if len(transforms) == 0:
        return points.new_zeros((len(points), columns + 1)) + 0 * points.sum(), torch.zeros_like(has_sweep)
    transform = transforms[sweep]
    moved = (transform[:, :3, :3] @ points[:, :3, None].double())[..., 0] + transform[:, :3, 3]
    scale = points.new_tensor([intensity_scale] + [1.0] * max(columns - 4, 0))[: columns - 3]
    lag = lags_s[sweep, None].to(points.dtype)
    out = torch.cat([moved.to(points.dtype), points[:, 3:columns] * scale, lag], dim=1)
    on_vehicle = (points[:, :2].double().abs() < half_width_m).all(dim=1)
    return torch.where(has_sweep[:, None], out, torch.zeros_like(out)), has_sweep & ~on_vehicle
