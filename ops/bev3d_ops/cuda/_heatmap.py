"""Gaussians on heatmaps on CUDA: a block of threads for each object, whose maxima meet in atomic operations."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from bev3d_ops.cpu._heatmap import WIDEST, gaussian_tables
from bev3d_ops.cuda._launch import Launch
from bev3d_ops.reference._heatmap import check_objects
from bev3d_ops.reference._heatmap_oriented import check_ellipses

__all__ = ["splat_ellipses", "splat_gaussians", "splat_gaussians_"]

_MOST_BLOCKS = 2**31 - 1


def splat_gaussians(
    launch: Launch, plane_index: Tensor, cells_xy: Tensor, radii: Tensor, planes: int, rows: int, columns: int
) -> Tensor:
    """See :func:`bev3d_ops.registered.splat_gaussians`."""
    out = torch.zeros((planes, rows, columns), dtype=torch.float32, device=radii.device)
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


def splat_ellipses(
    launch: Launch,
    plane_index: Tensor,
    cells_xy: Tensor,
    shapes: Tensor,
    stretch_x: float,
    stretch_y: float,
    planes: int,
    rows: int,
    columns: int,
) -> Tensor:
    """See :func:`bev3d_ops.registered.splat_ellipses`."""
    check_ellipses(plane_index, cells_xy, shapes, stretch_x, stretch_y)
    out, count = torch.zeros((planes, rows, columns), dtype=torch.float32, device=shapes.device), len(shapes)
    if not out.numel():
        return out
    objects = plane_index.contiguous(), cells_xy.contiguous(), shapes.contiguous()
    launch(
        "heatmap.splat_ellipses", out.dtype, count, out, *objects, count, *out.shape, stretch_x, stretch_y,
        block=128, blocks=min(count, _MOST_BLOCKS),
    )  # fmt: skip
    return out


@functools.lru_cache(maxsize=16)
def _tables(device: torch.device) -> Tensor:
    return torch.from_numpy(gaussian_tables()[0]).to(device)
