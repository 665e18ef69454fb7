"""LiDAR sweeps moved to another frame, on CUDA."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d_ops.cuda._launch import Launch

__all__ = ["transform_sweeps"]


def transform_sweeps(
    launch: Launch,
    points: Tensor,
    offsets: Tensor,
    transforms: Tensor,
    lags_s: Tensor,
    columns: int,
    half_width_m: float,
    intensity_scale: float,
) -> tuple[Tensor, Tensor]:
    """See :data:`bev3d_ops.registered._sweeps.transform_sweeps`."""
    inputs = [value.contiguous() for value in (points, offsets, transforms, lags_s)]
    out = points.new_empty((len(points), columns + 1))
    keep = points.new_empty(len(points), dtype=torch.bool)
    sizes = len(points), len(transforms), points.shape[1], columns
    numbers = float(half_width_m), float(intensity_scale)
    launch("sweeps.transform_sweeps", points.dtype, len(points), *inputs, out, keep, *sizes, *numbers)
    return out, keep
