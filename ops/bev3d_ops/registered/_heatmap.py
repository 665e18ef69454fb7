"""``bev3d::splat_gaussians``, in place too, and ``bev3d::splat_ellipses``: Gaussians of a batch on its maps."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from bev3d_ops.cpu import _heatmap as cpu
from bev3d_ops.cpu import _heatmap_oriented as cpu_oriented
from bev3d_ops.cpu._memory import zeros
from bev3d_ops.cuda import _heatmap as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.reference import _heatmap as reference
from bev3d_ops.reference._heatmap import check_objects
from bev3d_ops.reference._heatmap_oriented import Ellipses, check_ellipses
from bev3d_ops.registered._library import register

__all__ = ["splat_ellipses", "splat_gaussians", "splat_gaussians_"]


def _splat_cpu(plane_index: Tensor, cells_xy: Tensor, radii: Tensor, planes: int, rows: int, columns: int) -> Tensor:
    out = torch.from_numpy(zeros((planes, rows, columns), np.float32))  # no thread pool, as forked workers need
    _splat_in_place_cpu(out, plane_index, cells_xy, radii)
    return out


def _splat_in_place_cpu(planes: Tensor, plane_index: Tensor, cells_xy: Tensor, radii: Tensor) -> None:
    check_objects(planes, plane_index, cells_xy, radii)
    if planes.dtype != torch.float32:
        reference.splat_gaussians_(planes, plane_index, cells_xy, radii)
        return
    whole = planes.detach().contiguous()
    column, row = cells_xy.t().contiguous().numpy()
    cpu.splat(whole.numpy(), plane_index.contiguous().numpy(), column, row, radii.contiguous().numpy())
    if whole.data_ptr() != planes.data_ptr():
        planes.copy_(whole)


def _splat_fake(plane_index: Tensor, cells_xy: Tensor, radii: Tensor, planes: int, rows: int, columns: int) -> Tensor:
    return plane_index.new_empty((planes, rows, columns), dtype=torch.float32)


def _splat_in_place_fake(planes: Tensor, plane_index: Tensor, cells_xy: Tensor, radii: Tensor) -> None:
    return None


def _ellipses_cpu(
    plane_index: Tensor,
    cells_xy: Tensor,
    shapes: Tensor,
    stretch_x: float,
    stretch_y: float,
    planes: int,
    rows: int,
    columns: int,
) -> Tensor:
    check_ellipses(plane_index, cells_xy, shapes, stretch_x, stretch_y)
    out = zeros((planes, rows, columns), np.float32)
    table = shapes.detach().contiguous().numpy()
    column, row = cells_xy.t().contiguous().numpy()
    centre, radii, direction = (np.ascontiguousarray(table[:, k : k + 2]) for k in (0, 2, 4))
    own = plane_index.contiguous().numpy(), column, row
    ellipses = Ellipses(*own, centre, radii, direction, (stretch_x, stretch_y))
    cpu_oriented.splat_ellipses(out, ellipses)
    return torch.from_numpy(out)


def _ellipses_fake(
    plane_index: Tensor,
    cells_xy: Tensor,
    shapes: Tensor,
    stretch_x: float,
    stretch_y: float,
    planes: int,
    rows: int,
    columns: int,
) -> Tensor:
    return plane_index.new_empty((planes, rows, columns), dtype=torch.float32)


splat_gaussians = register(
    "splat_gaussians(Tensor plane_index, Tensor cells_xy, Tensor radii, SymInt planes, SymInt rows, SymInt columns)"
    " -> Tensor",
    cpu=_splat_cpu,
    cuda=partial(cuda.splat_gaussians, cuda_launch),
    fake=_splat_fake,
)
"""(planes, rows, columns) float32: 0, and the maximum of one Gaussian per object, in one launch for a whole batch.

plane_index (N,), cells_xy (N, 2) column and row, radii (N,), all int64. In a batch of C classes, plane b * C + c is
class c of sample b. What lies outside the planes, or has a radius below 0, draws nothing.
"""

splat_gaussians_ = register(
    "splat_gaussians_(Tensor(a!) planes, Tensor plane_index, Tensor cells_xy, Tensor radii) -> ()",
    cpu=_splat_in_place_cpu,
    cuda=partial(cuda.splat_gaussians_, cuda_launch),
    fake=_splat_in_place_fake,
)
"""Raise planes (P, H, W), any floating dtype and strides, in place to the maximum of itself and the Gaussians."""

splat_ellipses = register(
    "splat_ellipses(Tensor plane_index, Tensor cells_xy, Tensor shapes, float stretch_x, float stretch_y,"
    " SymInt planes, SymInt rows, SymInt columns) -> Tensor",
    cpu=_ellipses_cpu,
    cuda=partial(cuda.splat_ellipses, cuda_launch),
    fake=_ellipses_fake,
)
"""As ``splat_gaussians`` with elliptical Gaussians along a heading, about any centre.

shapes (N, 6) float64: column and row of the centre, radii along the heading and across it, its cosine and sine; as in
``bev3d_ops.reference._heatmap_oriented``. stretch_x, stretch_y: what a column and a row are worth in the radii's unit.
"""
