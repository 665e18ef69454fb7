"""Pairs of rows of sparse convolutions on CUDA."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bev3d_ops.cuda._launch import Launch

__all__ = ["strided_pairs", "submanifold_pairs"]

_NOWHERE = 2**63 - 1  # as in the kernels


def submanifold_pairs(
    launch: Launch,
    coordinates: Tensor,
    batch_size: int,
    spatial_shape: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered.submanifold_pairs`. Waits for the device once, for the number of pairs."""
    reach = [max(k // 2, k - 1 - k // 2) * d for k, d in zip(kernel_size, dilation, strict=True)]
    pitches = [size + gap for size, gap in zip(spatial_shape, reach, strict=True)]
    keys, order, faults = _sorted_sites(launch, coordinates, (batch_size, *spatial_shape), pitches)
    count, volume = len(keys), math.prod(kernel_size)
    table = torch.empty((volume, count), dtype=torch.int32, device=keys.device)
    sizes = (*kernel_size, *dilation, *pitches[1:])
    launch("rulebook.find_neighbours", torch.float32, table.numel(), keys, table, count, *sizes)
    rank, offsets = _ranks(table)
    (total,) = _read_sizes([offsets[-1]], faults, coordinates, (batch_size, *spatial_shape))
    pair_out, pair_in = _write_pairs(launch, table, rank, order, total, by_site=True)
    return pair_in, pair_out, offsets


def strided_pairs(
    launch: Launch,
    coordinates: Tensor,
    batch_size: int,
    spatial_shape: Sequence[int],
    out_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered.strided_pairs`. Waits for the device once, for the number of sites and pairs."""
    limits = (batch_size, *spatial_shape)
    _check_cells((batch_size, *out_shape))
    wide = coordinates.long().contiguous()
    keys, order, faults = _sorted_sites(launch, wide, limits, spatial_shape)
    count, volume = len(keys), math.prod(kernel_size)
    reached = keys.new_empty((volume, count))
    steps = (*out_shape, *kernel_size, *stride, *padding, *dilation)
    launch("rulebook.reach", torch.float32, reached.numel(), wide, order, reached, count, int(transposed), *steps)
    ascending = reached.flatten().sort().values
    is_first = ascending != _NOWHERE
    is_first[1:] &= ascending[1:] != ascending[:-1]
    place = is_first.cumsum(0)
    found = (reached != _NOWHERE).sum()
    sites, total = _read_sizes([place[-1:].sum(), found], faults, coordinates, limits)
    if sites >= 2**31:
        raise ValueError(f"spatial_shape: expected fewer than 2^31 sites in the result, got {sites}")
    distinct, out = keys.new_empty(sites), keys.new_empty((sites, 4))
    launch("rulebook.write_sites", torch.float32, len(place), ascending, place, distinct, out, len(place), *out_shape)
    table = torch.empty((volume, count), dtype=torch.int32, device=keys.device)
    launch("rulebook.find_sites", torch.float32, table.numel(), reached, distinct, table, table.numel(), sites)
    rank, offsets = _ranks(table)
    pair_in, pair_out = _write_pairs(launch, table, rank, order, total, by_site=False)
    return out.to(coordinates.dtype), pair_in, pair_out, offsets


def _check_cells(limits: Sequence[int]) -> None:
    if math.prod(limits) >= 2**62:
        raise ValueError(f"spatial_shape: expected fewer than 2**62 cells in a batch, got {tuple(limits)}")


def _sorted_sites(
    launch: Launch, coordinates: Tensor, limits: Sequence[int], pitches: Sequence[int]
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Ascending flat keys, the row of each, and the numbers of sites outside and of repeated sites."""
    _check_cells((limits[0], *pitches))
    coordinates = coordinates.long().contiguous()
    keys = coordinates.new_empty(len(coordinates))
    launch("rulebook.site_keys", torch.float32, len(keys), coordinates, keys, len(keys), *limits, *pitches)
    keys, order = keys.sort(stable=True)
    return keys, order, [(keys < 0).sum(), (keys[1:] == keys[:-1]).sum()]


def _ranks(table: Tensor) -> tuple[Tensor, Tensor]:
    """Number of entries >= 0 up to and with each of table (K, V), and where each offset begins, (K + 1,)."""
    found = table >= 0
    offsets = torch.nn.functional.pad(found.sum(1).cumsum(0), (1, 0))
    return found.flatten().cumsum(0), offsets


def _read_sizes(sizes: list[Tensor], faults: list[Tensor], coordinates: Tensor, limits: Sequence[int]) -> list[int]:
    """The sizes on the host: the one wait.

    Raises:
        ValueError: the coordinates have faults.
    """
    *numbers, outside, twice = torch.stack([*sizes, *faults]).tolist()
    if outside:
        raise ValueError(
            f"coordinates: expected 0 <= (batch, z, y, x) < {tuple(limits)}, got {outside} of {len(coordinates)} "
            "rows outside"
        )
    if twice:
        raise ValueError(f"coordinates: expected each site once, got {twice} repeated rows")
    return [int(number) for number in numbers]


def _write_pairs(
    launch: Launch, table: Tensor, rank: Tensor, order: Tensor, total: int, *, by_site: bool
) -> tuple[Tensor, Tensor]:
    volume, count = table.shape
    owner, other = table.new_empty(total), table.new_empty(total)
    arguments = (table, rank, order, owner, other, count, volume, int(by_site))
    launch("rulebook.write_pairs", torch.float32, table.numel(), *arguments)
    return owner, other
