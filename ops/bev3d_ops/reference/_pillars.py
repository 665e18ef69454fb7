"""Height-slice statistics of pillars in plain torch: the definition that the kernels are held against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["height_slice_image"]

LAG_SCALE = 4.0


def height_slice_image(points: Tensor, range_m: Sequence[float], voxel_size_m: Sequence[float], slices: int) -> Tensor:
    """Statistics of the points of every pillar, in float64.

    Args:
        points: (P, 5) x, y, z, intensity, time lag in seconds.
        range_m: x0, y0, z0, x1, y1, z1; the upper bounds are exclusive.
        voxel_size_m: cell along x and y in metres.
        slices: number S of slices of z.

    Returns:
        (H, W, 2 S + 10) float64; the features are listed at :func:`bev3d_ops.cpu.height_slice_image`.
    """
    columns = round((range_m[3] - range_m[0]) / voxel_size_m[0])
    rows = round((range_m[4] - range_m[1]) / voxel_size_m[1])
    points = points.double()
    u = (points[:, 0] - range_m[0]) * (1.0 / voxel_size_m[0])
    v = (points[:, 1] - range_m[1]) * (1.0 / voxel_size_m[1])
    height = (points[:, 2] - range_m[2]) * (1.0 / (range_m[5] - range_m[2]))
    inside = (u >= 0) & (u < columns) & (v >= 0) & (v < rows) & (height >= 0) & (height < 1)
    u, v, height, intensity, lag = (value[inside] for value in (u, v, height, points[:, 3], points[:, 4] * LAG_SCALE))
    cell = v.floor().long() * columns + u.floor().long()
    count = _total(cell, torch.ones_like(u), rows * columns)
    key = _total(cell, (lag == 0).double(), rows * columns)
    features = [*_slice_features(cell, height, slices, rows * columns)]
    features += [count.log1p(), key.log1p(), _extreme(cell, height, rows * columns, "amax")]
    features += [_mean(cell, height, count), _extreme(cell, height, rows * columns, "amin")]
    features += [_mean(cell, intensity, count), _extreme(cell, intensity, rows * columns, "amax")]
    features += [_mean(cell, value, count) for value in (lag, u - u.floor() - 0.5, v - v.floor() - 0.5)]
    return torch.stack(features, dim=-1).reshape(rows, columns, -1)


def _slice_features(cell: Tensor, height: Tensor, slices: int, cells: int) -> list[Tensor]:
    level = height * slices
    index = level.floor().clamp(max=slices - 1)
    features = []
    for s in range(slices):
        here = index == s
        features.append(_total(cell[here], torch.ones_like(level[here]), cells).log1p())
        features.append(_extreme(cell[here], level[here] - s, cells, "amax"))
    return features


def _total(cell: Tensor, value: Tensor, cells: int) -> Tensor:
    return value.new_zeros(cells).index_add_(0, cell, value)


def _mean(cell: Tensor, value: Tensor, count: Tensor) -> Tensor:
    return _total(cell, value, len(count)) / count.clamp(min=1)


def _extreme(cell: Tensor, value: Tensor, cells: int, how: str) -> Tensor:
    return value.new_zeros(cells).scatter_reduce_(0, cell, value, how, include_self=False)
