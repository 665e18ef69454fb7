"""Gaussians on heatmaps on CUDA: a block of threads for each object, whose maxima meet in atomic operations."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from bev3d_ops.cpu._heatmap import WIDEST, gaussian_tables
from bev3d_ops.cuda._launch import Launch
from bev3d_ops.reference._heatmap import check_objects

__all__ = ["splat_gaussians", "splat_gaussians_"]

_MOST_BLOCKS = 2**31 - 1


def splat_gaussians(
    launch: Launch, plane_index: Tensor, cells_xy: Tensor, radii: Tensor, planes: int, rows: int, columns: int
) -> Tensor:
    """See :func:`bev3d_ops.registered.splat_gaussians`."""
    out = torch.zeros((planes, rows, columns), device=radii.device)
    splat_gaussians_(launch, out, plane_index, cells_xy, radii)
    return out


def splat_gaussians_(launch: Launch, planes: Tensor, plane_index: Tensor, cells_xy: Tensor, radii: Tensor) -> None:
    """See :func:`bev3d_ops.registered.splat_gaussians_`."""
    check_objects(planes, plane_index, cells_xy, radii)
    whole, count = planes.contiguous(), radii.numel()
    if not whole.numel():
        return
    objects = plane_index.contiguous(), cells_xy.contiguous(), radii.contiguous()
    launch(
        "heatmap.splat_gaussians", planes.dtype, count, whole, *objects, _tables(planes.device), WIDEST, count,
        *planes.shape, block=128, blocks=min(count, _MOST_BLOCKS),
    )  # fmt: skip
    if whole.data_ptr() != planes.data_ptr():
        planes.copy_(whole)


@functools.lru_cache(maxsize=16)
def _tables(device: torch.device) -> Tensor:
    return torch.from_numpy(gaussian_tables()[0]).to(device)
