"""Voxelisation on CUDA: keys, torch's stable sort, a walk over the sorted keys.

Everything is laid out for P voxels, as many as there can be, so that nothing waits for the device; only the
operations whose result is as long as there are voxels ask for that number, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bev3d_ops._voxel_grid import bit_fields, sample_room, voxel_grid
from bev3d_ops.cuda._launch import Launch

__all__ = [
    "dynamic_voxelize",
    "dynamic_voxelize_fixed",
    "group_points",
    "hard_voxels",
    "hard_voxels_filled",
    "hard_voxels_fixed",
    "ungroup_points",
]

_OUTSIDE = 2**63 - 1


class _Sorted(NamedTuple):
    """keys, order, voxel (P,): sorted, the points behind them, their voxels (-1 outside); voxels, inside: V, n."""

    keys: Tensor
    order: Tensor
    voxel: Tensor
    voxels: Tensor
    inside: Tensor
    fields: tuple[int, int, int]  # bits of x, of y, and of x, y and z together
    columns: int


def _sort(
    launch: Launch,
    points: Tensor,
    samples: Tensor | None,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    batch_size: int | None = None,
) -> _Sorted:
    grid = voxel_grid(range_m, voxel_size_m)
    bits = bit_fields(grid)
    fields = (bits[0], bits[1], sum(bits))
    room = 1 if samples is None else sample_room(grid, batch_size)
    points, samples = points.contiguous(), None if samples is None else samples.contiguous()
    keys = points.new_empty(len(points), dtype=torch.int64)
    sizes = (len(points), points.shape[1], *grid, *fields, room)
    limits = (float(value) for value in (*range_m, *voxel_size_m))
    launch("voxels.point_keys", points.dtype, len(points), points, samples, keys, *sizes, *limits)
    keys, order = keys.sort(stable=True)
    inside = keys != _OUTSIDE
    is_first = inside.clone()
    is_first[1:] &= keys[1:] != keys[:-1]
    voxel = torch.where(inside, is_first.cumsum(0) - 1, -1)
    columns = 3 if samples is None else 4
    return _Sorted(keys, order, voxel, is_first.sum(), inside.sum(), fields, columns)


def _walk(launch: Launch, found: _Sorted, voxels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cells (voxels, 3 or 4), voxel of each point (P,), starts (voxels + 1,)."""
    keys, order, voxel = found[:3]
    cells = keys.new_full((voxels, found.columns), -1)
    point_to_voxel = torch.empty_like(keys)
    starts = found.inside.expand(voxels + 1).clone()
    shape = (len(keys), found.columns, *found.fields)
    launch("voxels.walk_voxels", torch.float32, len(keys), keys, order, voxel, cells, starts, point_to_voxel, *shape)
    return cells, point_to_voxel, starts


def dynamic_voxelize(
    launch: Launch, points: Tensor, samples: Tensor | None, range_m: Sequence[float], voxel_size_m: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered._voxels.dynamic_voxelize`. Waits once for the number of voxels."""
    found = _sort(launch, points, samples, range_m, voxel_size_m)
    voxels, inside = torch.stack([found.voxels, found.inside]).tolist()
    return *_walk(launch, found, voxels), found.order[:inside].clone()


def dynamic_voxelize_fixed(
    launch: Launch, points: Tensor, samples: Tensor | None, range_m: Sequence[float], voxel_size_m: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered._voxels.dynamic_voxelize_fixed`."""
    found = _sort(launch, points, samples, range_m, voxel_size_m)
    order = torch.where(found.voxel >= 0, found.order, -1)
    return *_walk(launch, found, len(points)), order, torch.stack([found.voxels, found.inside])


def hard_voxels(
    launch: Launch,
    points: Tensor,
    samples: Tensor | None,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    max_points: int,
    max_voxels: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered._voxels.hard_voxels`. Waits once for the number of voxels."""
    found = _sort(launch, points, samples, range_m, voxel_size_m)
    kept, starts = _choose(launch, found, max_voxels)
    return _assign(launch, found, kept, starts, int(kept.sum()), max_points)


def hard_voxels_filled(
    launch: Launch,
    points: Tensor,
    samples: Tensor | None,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    max_points: int,
    max_voxels: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered._voxels.hard_voxels_filled`. Waits once for the number of voxels."""
    given = (points, samples, range_m, voxel_size_m, max_points, max_voxels)
    slots, cells, numbers, point_to_voxel, dropped = hard_voxels(launch, *given)
    flat, count = slots.flatten(), len(points)
    places = flat.new_full((count + 1,), -1)
    # free slots write behind the end, so that none has to be counted
    places.scatter_(0, torch.where(flat >= 0, flat, count), torch.arange(len(flat), device=flat.device))
    voxels = group_points(launch, points, slots)
    return voxels, cells, numbers, places[:count].clone(), point_to_voxel, dropped


def hard_voxels_fixed(
    launch: Launch,
    points: Tensor,
    samples: Tensor | None,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    max_points: int,
    max_voxels: int,
    batch_size: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered._voxels.hard_voxels_fixed`."""
    found = _sort(launch, points, samples, range_m, voxel_size_m, batch_size)
    kept, starts = _choose(launch, found, max_voxels)
    return _assign(launch, found, kept, starts, batch_size * max_voxels, max_points)


def _choose(launch: Launch, found: _Sorted, max_voxels: int) -> tuple[Tensor, Tensor]:
    """Whether each of P voxels is among the first ``max_voxels`` that its sample's points open; and the starts."""
    cells, _, starts = _walk(launch, found, len(found.keys))
    begins = torch.zeros_like(found.order)
    launch("voxels.mark_first_points", torch.float32, len(begins), found.order, found.voxel, begins, len(begins))
    rank = begins.cumsum(0)
    if found.columns == 4:
        rank = _rank_in_sample(begins, found)
    exists = cells[:, -1] >= 0
    padded = torch.cat([found.order, found.order.new_zeros(1)])
    first_point = torch.where(exists, padded[starts[:-1]], 0)
    return exists & (rank[first_point] <= max_voxels), starts


def _rank_in_sample(begins: Tensor, found: _Sorted) -> Tensor:
    """Running sums of ``begins`` (P,) over the points of each sample, in their order."""
    sample = torch.empty_like(begins)
    sample[found.order] = found.keys >> found.fields[2]
    sample, by_sample = sample.sort(stable=True)
    flags = begins[by_sample]
    running = flags.cumsum(0)
    is_first = torch.ones_like(flags, dtype=torch.bool)
    is_first[1:] = sample[1:] != sample[:-1]
    before = torch.where(is_first, running - flags, 0)
    if len(before):
        before = before.cummax(0).values
    rank = torch.empty_like(begins)
    rank[by_sample] = running - before
    return rank


def _assign(
    launch: Launch, found: _Sorted, kept: Tensor, starts: Tensor, rows: int, max_points: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    keys, order, voxel = found[:3]
    slots = keys.new_full((rows, max_points), -1)
    cells = keys.new_full((rows, found.columns), -1)
    numbers = keys.new_zeros(rows)
    point_to_voxel = torch.full_like(keys, -1)
    row = kept.cumsum(0) - 1
    outputs = (slots, cells, numbers, point_to_voxel)
    shape = (len(keys), found.columns, max_points, *found.fields)
    launch("voxels.assign_slots", torch.float32, len(keys), keys, order, voxel, starts, kept, row, *outputs, *shape)
    dropped = torch.stack([found.inside - numbers.sum(), found.voxels - kept.sum()])
    return slots, cells, numbers, point_to_voxel, dropped


def group_points(launch: Launch, points: Tensor, slots: Tensor) -> Tensor:
    """See :func:`bev3d_ops.registered._voxels.group_points`."""
    points, slots = points.contiguous(), slots.contiguous()
    out = points.new_empty((*slots.shape, points.shape[1]))
    launch(
        "voxels.group_points", out.dtype, out.numel(), points, slots, out, slots.numel(), points.shape[1], len(points)
    )
    return out


def ungroup_points(launch: Launch, grad: Tensor, slots: Tensor, points: int) -> Tensor:
    """See :func:`bev3d_ops.registered._voxels.ungroup_points`."""
    grad, slots = grad.contiguous(), slots.contiguous()
    out = grad.new_zeros((points, grad.shape[2]))
    launch("voxels.ungroup_points", out.dtype, grad.numel(), grad, slots, out, slots.numel(), grad.shape[2], points)
    return out
