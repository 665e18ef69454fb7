"""Rows for voxelisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase

from bev3d_ops.cuda import _voxels as cuda
from bev3d_ops.reference import _voxels as reference
from bev3d_ops.registered import _voxels as ops

RANGE_M = [-4.0, -2.0, -1.0, 4.0, 3.0, 2.0]
VOXEL_SIZE_M = [0.5, 0.25, 1.0]

Inputs = Callable[[torch.Generator, torch.dtype], tuple[Any, ...]]


def _points(rng: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    """Crowded, some outside, on both ends of the range and on borders of cells, or no points."""
    points = torch.rand(400, 5, generator=rng, dtype=torch.float64) * 10 - 5
    points[:200, :2] *= 0.1
    points[200:300, :3] = (points[200:300, :3] * 4).round() / 4
    low, high = torch.tensor(RANGE_M[:3]), torch.tensor(RANGE_M[3:])
    points[300:303, :3], points[303:306, :3] = low, low
    points[303:306, :3] += torch.diag(high - low).double()
    points[306, 0], points[307, 1], points[308, 2] = math.nan, math.inf, -math.inf
    return points.to(dtype)


def _one(*more: int) -> Inputs:
    return lambda rng, dtype: (_points(rng, dtype), None, RANGE_M, VOXEL_SIZE_M, *more)


def _batch(*more: int) -> Inputs:
    def inputs(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
        points = _points(rng, dtype)
        return points, torch.randint(-1, 4, (len(points),), generator=rng), RANGE_M, VOXEL_SIZE_M, *more

    return inputs


def _empty(*more: int) -> Inputs:
    return lambda rng, dtype: (_points(rng, dtype)[:0], None, RANGE_M, VOXEL_SIZE_M, *more)


def _none_inside(*more: int) -> Inputs:
    return lambda rng, dtype: (_points(rng, dtype) + 100, None, RANGE_M, VOXEL_SIZE_M, *more)


def _cases(name: str, *more: int, static: bool, ends: dict[str, Callable[..., Inputs]], **rest: Any) -> list[OpCase]:
    op, oracle, kernel = (getattr(module, name) for module in (ops, reference, cuda))
    fixed: dict[str, Any] = {"reference": oracle, "host": kernel, "dtypes": FLOATS + HALVES[:1], "static": static}
    return [OpCase(name + end, op, inputs(*more), **fixed, **rest) for end, inputs in ends.items()]


def _slots(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    points = torch.randn(30, 4, generator=rng, dtype=torch.float64).to(dtype)
    points[3] = math.nan
    slots = torch.randperm(40, generator=rng)[:24].reshape(6, 4)  # each point once, ten of them outside
    slots[2] = -1
    return points, slots


def _slot_grads(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    points, slots = _slots(rng, dtype)
    return torch.randn(6, 4, 4, generator=rng, dtype=torch.float64).to(dtype), slots, len(points)


def _places(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    places = torch.randperm(24, generator=rng)[:20]
    places[::6] = -1
    return torch.randn(6, 4, 5, generator=rng, dtype=torch.float64).to(dtype), places


def _take_reference(grad: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    rows, out = grad.flatten(0, 1), grad.new_zeros((len(places), grad.shape[2]))
    for i, place in enumerate(places.tolist()):
        if 0 <= place < len(rows):
            out[i] = rows[place]
    return out


def _ungroup_reference(grad: torch.Tensor, slots: torch.Tensor, points: int) -> torch.Tensor:
    named = (slots >= 0) & (slots < points)
    return grad.new_zeros((points, grad.shape[2])).index_add(0, slots[named], grad[named])


ENDS = {"": _one, "_of_samples": _batch, "_without_points": _empty, "_with_none_inside": _none_inside}
FULL = {key: ENDS[key] for key in ("", "_of_samples")}
VOID = {key: ENDS[key] for key in ("_without_points", "_with_none_inside")}
FIXED = {key: ENDS[key] for key in ("", "_without_points", "_with_none_inside")}

CASES = [
    *_cases("dynamic_voxelize", static=False, ends=ENDS),
    *_cases("dynamic_voxelize_fixed", static=True, ends=ENDS),
    # caps that bind
    *_cases("hard_voxels", 3, 20, static=False, ends=ENDS),
    *_cases("hard_voxels_filled", 3, 20, static=False, ends=FULL, differentiable=(0,)),
    *_cases("hard_voxels_filled", 3, 20, static=False, ends=VOID),
    *_cases("hard_voxels_fixed", 3, 20, 1, static=True, ends=FIXED),
    *_cases("hard_voxels_fixed", 2, 15, 3, static=True, ends={"_of_samples": _batch}),
    OpCase(
        "group_points",
        ops.group_points,
        _slots,
        reference=reference.group_points,
        host=cuda.group_points,
        differentiable=(0,),
        dtypes=FLOATS + HALVES,
    ),
    OpCase("take_slots", ops.take_slots, _places, reference=_take_reference, dtypes=FLOATS + HALVES),
    OpCase(
        "ungroup_points",
        ops.ungroup_points,
        _slot_grads,
        reference=_ungroup_reference,
        host=cuda.ungroup_points,
        dtypes=FLOATS + HALVES,
    ),
]
