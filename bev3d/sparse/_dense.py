"""From sites to dense grids and bird's-eye-view maps."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d.sparse._check import Sizes, check_coordinates, check_features, three

__all__ = ["sparse_to_bev", "sparse_to_dense"]


def sparse_to_dense(features: Tensor, coordinates: Tensor, spatial_shape: Sizes, *, batch_size: int) -> Tensor:
    """Dense grid (B, C, D, H, W) with the features at their sites and 0 elsewhere.

    The channels of a cell lie together in memory, torch's channels_last_3d. Differentiable.

    Args:
        features: (V, C), float.
        coordinates: (V, 4) int32 or int64 batch, z, y, x, inside the grid, each site once.
        spatial_shape: D, H, W.
        batch_size: B.

    Raises:
        ValueError: wrong shapes, different devices; on the CPU, and not compiled, a site outside the grid.
        TypeError: wrong dtypes.
    """
    shape = _checked(features, coordinates, spatial_shape, batch_size)
    batch, z, y, x = coordinates.long().unbind(1)
    grid = features.new_zeros((batch_size, *shape, features.shape[1]))
    return grid.index_put((batch, z, y, x), features).permute(0, 4, 1, 2, 3)


def sparse_to_bev(features: Tensor, coordinates: Tensor, spatial_shape: Sizes, *, batch_size: int) -> Tensor:
    """Bird's-eye-view map (B, C * D, H, W): the heights of a column become channels, channel c at z in c * D + z.

    The values of :func:`sparse_to_dense` reshaped, which is what a 2D network reads after a sparse backbone; written
    once, with the channels of a cell together in memory (channels_last). Arguments and errors are those.
    """
    depth, height, width = _checked(features, coordinates, spatial_shape, batch_size)
    batch, z, y, x = coordinates.long().unbind(1)
    channels = features.shape[1]
    grid = features.new_zeros((batch_size, height, width, channels, depth))
    # the slice between the indices: (V, C) goes to grid[batch, y, x, :, z]
    grid = grid.transpose(3, 4).index_put((batch, y, x, z), features).transpose(3, 4)
    return grid.reshape(batch_size, height, width, channels * depth).permute(0, 3, 1, 2)


def _checked(features: Tensor, coordinates: Tensor, spatial_shape: Sizes, batch_size: int) -> tuple[int, int, int]:
    check_coordinates(coordinates)
    check_features(features, coordinates, "coordinates")
    shape = three("spatial_shape", spatial_shape, 1)
    if coordinates.device.type == "cpu" and not torch.compiler.is_compiling():
        limits = (batch_size, *shape)
        # a negative index would count from the end
        outside = ((coordinates < 0) | (coordinates >= coordinates.new_tensor(limits))).any(dim=1)
        if outside.any():
            first = int(outside.nonzero()[0])
            raise ValueError(
                f"coordinates: expected 0 <= (batch, z, y, x) < {limits}, got {coordinates[first].tolist()} "
                f"in row {first}"
            )
    return shape
