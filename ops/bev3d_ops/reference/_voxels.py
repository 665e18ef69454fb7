"""Voxelisation in plain torch, by ``torch.unique``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bev3d_ops._voxel_grid import voxel_grid

__all__ = [
    "dynamic_voxelize",
    "dynamic_voxelize_fixed",
    "group_points",
    "hard_voxels",
    "hard_voxels_filled",
    "hard_voxels_fixed",
]

Range = Sequence[float]


def _cells(points: Tensor, samples: Tensor | None, range_m: Range, voxel_size_m: Range) -> tuple[Tensor, Tensor]:
    """(sample,) z, y, x of every point, (P, 3 or 4), and whether it is inside, (P,)."""
    place = points[:, :3].double()
    low, high, size = (place.new_tensor(list(values)) for values in (range_m[:3], range_m[3:], voxel_size_m))
    inside = ((place >= low) & (place < high)).all(dim=1)
    last = torch.tensor(voxel_grid(range_m, voxel_size_m), device=points.device) - 1
    cells = torch.where(inside[:, None], ((place - low) / size).floor(), 0.0).long().minimum(last).flip(1)
    if samples is not None:
        inside = inside & (samples >= 0)
        cells = torch.cat([samples[:, None], cells], dim=1)
    return cells, inside


def dynamic_voxelize(
    points: Tensor, samples: Tensor | None, range_m: Range, voxel_size_m: Range
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cells (V, 3 or 4), voxel of each point (P,), starts (V + 1,) and order (n,); see :mod:`bev3d.points`."""
    cells, inside = _cells(points, samples, range_m, voxel_size_m)
    found, voxel, count = torch.unique(cells[inside], dim=0, return_inverse=True, return_counts=True)
    point_to_voxel = torch.full_like(inside, -1, dtype=torch.int64)
    point_to_voxel[inside] = voxel
    order = inside.nonzero()[:, 0][voxel.argsort(stable=True)]
    return found, point_to_voxel, torch.cat([count.new_zeros(1), count.cumsum(0)]), order


def dynamic_voxelize_fixed(
    points: Tensor, samples: Tensor | None, range_m: Range, voxel_size_m: Range
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """As :func:`dynamic_voxelize`, padded to P voxels, and (2,): V and n."""
    cells, point_to_voxel, starts, order = dynamic_voxelize(points, samples, range_m, voxel_size_m)
    missing, outside = len(points) - len(cells), len(points) - len(order)
    counts = torch.tensor([len(cells), len(order)], device=points.device)
    return (
        torch.cat([cells, cells.new_full((missing, cells.shape[1]), -1)]),
        point_to_voxel,
        torch.cat([starts, starts.new_full((missing,), len(order))]),
        torch.cat([order, order.new_full((outside,), -1)]),
        counts,
    )


def hard_voxels(
    points: Tensor, samples: Tensor | None, range_m: Range, voxel_size_m: Range, max_points: int, max_voxels: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Slots (V, max_points), cells (V, 3 or 4), points of a voxel (V,), voxel of a point (P,), left out (2,).

    One point after the other: the first ``max_voxels`` voxels that a sample's points open are kept, and of each the
    first ``max_points`` points; then the voxels are sorted.
    """
    cells, inside = _cells(points, samples, range_m, voxel_size_m)
    members: dict[tuple[int, ...], list[int]] = {}
    opened: dict[int, int] = {}
    refused: set[tuple[int, ...]] = set()
    for i in inside.nonzero()[:, 0].tolist():
        cell = tuple(cells[i].tolist())
        sample = cell[0] if samples is not None else 0
        if cell not in members and opened.get(sample, 0) >= max_voxels:
            refused.add(cell)
        elif cell not in members:
            opened[sample] = opened.get(sample, 0) + 1
            members[cell] = [i]
        elif len(members[cell]) < max_points:
            members[cell].append(i)
    kept = sorted(members)
    slots = torch.full((len(kept), max_points), -1, device=points.device)
    point_to_voxel = torch.full((len(points),), -1, device=points.device)
    for row, cell in enumerate(kept):
        slots[row, : len(members[cell])] = torch.tensor(members[cell], device=points.device)
        point_to_voxel[members[cell]] = row
    numbers = (slots >= 0).sum(dim=1)
    dropped = torch.stack([inside.sum() - numbers.sum(), numbers.new_tensor(len(refused))])
    coordinates = cells.new_tensor(kept).reshape(len(kept), cells.shape[1])
    return slots, coordinates, numbers, point_to_voxel, dropped


def hard_voxels_filled(
    points: Tensor, samples: Tensor | None, range_m: Range, voxel_size_m: Range, max_points: int, max_voxels: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """:func:`hard_voxels` and :func:`group_points`, with row * max_points + place of each point (P,) or -1."""
    slots, cells, numbers, *rest = hard_voxels(points, samples, range_m, voxel_size_m, max_points, max_voxels)
    places = torch.full((len(points),), -1, device=points.device)
    for place, i in enumerate(slots.flatten().tolist()):
        if i >= 0:
            places[i] = place
    return group_points(points, slots), cells, numbers, places, rest[0], rest[1]


def hard_voxels_fixed(
    points: Tensor,
    samples: Tensor | None,
    range_m: Range,
    voxel_size_m: Range,
    max_points: int,
    max_voxels: int,
    batch_size: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """As :func:`hard_voxels`, padded to ``batch_size * max_voxels`` rows, of the samples below ``batch_size``."""
    below = None if samples is None else torch.where(samples < batch_size, samples, -1)
    slots, cells, numbers, *rest = hard_voxels(points, below, range_m, voxel_size_m, max_points, max_voxels)
    missing = batch_size * max_voxels - len(slots)
    slots, cells = (torch.cat([v, v.new_full((missing, v.shape[1]), -1)]) for v in (slots, cells))
    return slots, cells, torch.cat([numbers, numbers.new_zeros(missing)]), rest[0], rest[1]


def group_points(points: Tensor, slots: Tensor) -> Tensor:
    """(V, M, C): points (P, C) at slots (V, M), 0 where a slot names no point."""
    named = (slots >= 0) & (slots < len(points))
    padded = torch.cat([points, points.new_zeros((1, points.shape[1]))])
    return padded[torch.where(named, slots, len(points))]
