"""``bev3d::dynamic_voxelize``, ``hard_voxels`` and ``group_points``, and the last two in one, with a gradient.

Each voxelisation is there twice: with results as long as there are voxels, and, ``_fixed``, with results whose shapes
follow from the arguments, which captures in a CUDA graph and compiles into one graph.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops.cpu import _hard_voxels as hard_cpu
from bev3d_ops.cpu import _voxels as cpu
from bev3d_ops.cuda import _voxels as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._expect import expect
from bev3d_ops.registered._library import register

__all__ = [
    "dynamic_voxelize",
    "dynamic_voxelize_fixed",
    "group_points",
    "hard_voxels",
    "hard_voxels_filled",
    "hard_voxels_fixed",
    "take_slots",
    "ungroup_points",
]

_ARGUMENTS = "Tensor points, Tensor? samples, float[] range_m, float[] voxel_size_m"
_FOUR, _FIVE, _SIX = (f"({', '.join(['Tensor'] * count)})" for count in (4, 5, 6))


def _on_cpu(kernel: Callable[..., tuple[np.ndarray, ...]]) -> Callable[..., tuple[Tensor, ...]]:
    def run(points: Tensor, samples: Tensor | None, *rest: Any) -> tuple[Tensor, ...]:
        (array,) = kernel_arrays(points)
        given = None if samples is None else samples.contiguous().numpy()
        return tuple(torch.from_numpy(result) for result in kernel(array, given, *rest))

    return run


def _empty(points: Tensor, *shapes: tuple[Any, ...]) -> tuple[Tensor, ...]:
    return tuple(points.new_empty(shape, dtype=torch.int64) for shape in shapes)


def _columns(samples: Tensor | None) -> int:
    return 3 if samples is None else 4


def _dynamic_fake(points: Tensor, samples: Tensor | None, *_: Any) -> tuple[Tensor, ...]:
    context = torch.library.get_ctx()
    voxels, inside = context.new_dynamic_size(), context.new_dynamic_size()
    return _empty(points, (voxels, _columns(samples)), (points.shape[0],), (voxels + 1,), (inside,))


def _dynamic_fixed_fake(points: Tensor, samples: Tensor | None, *_: Any) -> tuple[Tensor, ...]:
    count = points.shape[0]
    return _empty(points, (count, _columns(samples)), (count,), (count + 1,), (count,), (2,))


def _hard_shapes(points: Tensor, samples: Tensor | None, rows: Any, max_points: Any) -> tuple[Tensor, ...]:
    return _empty(points, (rows, max_points), (rows, _columns(samples)), (rows,), (points.shape[0],), (2,))


def _hard_fake(points: Tensor, samples: Tensor | None, _: Any, __: Any, max_points: Any, *___: Any) -> Any:
    return _hard_shapes(points, samples, torch.library.get_ctx().new_dynamic_size(), max_points)


def _filled_cpu(points: Tensor, samples: Tensor | None, *rest: Any) -> tuple[Tensor, ...]:
    voxels, *others = _on_cpu(hard_cpu.hard_voxels_filled)(points, samples, *rest)
    return voxels.to(points.dtype), *others


def _filled_fake(points: Tensor, samples: Tensor | None, _: Any, __: Any, max_points: Any, *___: Any) -> Any:
    rows = torch.library.get_ctx().new_dynamic_size()
    _, *rest = _hard_shapes(points, samples, rows, max_points)
    places = torch.empty_like(rest[2])
    return points.new_empty((rows, max_points, points.shape[1])), rest[0], rest[1], places, rest[2], rest[3]


def _hard_fixed_fake(
    points: Tensor, samples: Tensor | None, _: Any, __: Any, max_points: Any, max_voxels: Any, batch_size: Any
) -> tuple[Tensor, ...]:
    return _hard_shapes(points, samples, batch_size * max_voxels, max_points)


def _check(points: Tensor, samples: Tensor | None, *_: Any) -> None:
    expect("points", points, "(P, >= 3)", None, 3, wider=True)
    if samples is not None:
        expect("samples", samples, f"({points.shape[0]},)", points.shape[0], dtype=torch.int64, beside=points)


def _check_group(points: Tensor, slots: Tensor) -> None:
    expect("points", points, "(P, C)", None, None)
    expect("slots", slots, "(V, M)", None, None, dtype=torch.int64, beside=points)


def _check_ungroup(grad: Tensor, slots: Tensor, points: int) -> None:
    expect("grad", grad, "(V, M, C)", None, None, None)
    form = f"{tuple(grad.shape[:2])}, as grad"
    expect("slots", slots, form, *grad.shape[:2], dtype=torch.int64, beside=grad)


def _group_cpu(points: Tensor, slots: Tensor) -> Tensor:
    (array,) = kernel_arrays(points)
    return torch.from_numpy(hard_cpu.group_points(array, slots.contiguous().numpy())).to(points.dtype)


def _ungroup_cpu(grad: Tensor, slots: Tensor, points: int) -> Tensor:
    (array,) = kernel_arrays(grad)
    return torch.from_numpy(hard_cpu.ungroup_points(array, slots.contiguous().numpy(), points)).to(grad.dtype)


def _keep_slots(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])
    ctx.points = inputs[0].shape[0]


def _keep_places(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(output[3])


def _take_slots(grad: Tensor, places: Tensor) -> Tensor:
    """A row of 0 in front, for the points that have no slot."""
    rows = grad.flatten(0, 1)
    index = torch.where((places >= 0) & (places < len(rows)), places + 1, 0)
    return torch.cat([rows.new_zeros((1, rows.shape[1])), rows]).index_select(0, index)


def _take_slots_cpu(grad: Tensor, places: Tensor) -> Tensor:
    (array,) = kernel_arrays(grad)
    return torch.from_numpy(hard_cpu.take_slots(array, places.contiguous().numpy())).to(grad.dtype)


def _check_take(grad: Tensor, places: Tensor) -> None:
    expect("grad", grad, "(V, M, C)", None, None, None)
    expect("places", places, "(P,)", None, dtype=torch.int64, beside=grad)


dynamic_voxelize = register(
    f"dynamic_voxelize({_ARGUMENTS}) -> {_FOUR}",
    cpu=_on_cpu(cpu.dynamic_voxelize),
    cuda=partial(cuda.dynamic_voxelize, cuda_launch),
    fake=_dynamic_fake,
    check=_check,
)
"""Cells (V, 3 or 4), voxel of each point (P,), starts (V + 1,) and order (n,): see bev3d.points.dynamic_voxelize."""

dynamic_voxelize_fixed = register(
    f"dynamic_voxelize_fixed({_ARGUMENTS}) -> {_FIVE}",
    cpu=_on_cpu(cpu.dynamic_voxelize_fixed),
    cuda=partial(cuda.dynamic_voxelize_fixed, cuda_launch),
    fake=_dynamic_fixed_fake,
    check=_check,
)
"""As ``dynamic_voxelize``, padded to P voxels, and (2,): V and n. Past the end: cells and order -1, starts n."""

hard_voxels = register(
    f"hard_voxels({_ARGUMENTS}, SymInt max_points, SymInt max_voxels) -> {_FIVE}",
    cpu=_on_cpu(hard_cpu.hard_voxels),
    cuda=partial(cuda.hard_voxels, cuda_launch),
    fake=_hard_fake,
    check=_check,
)
"""Slots (V, max_points) of point indices or -1, cells (V, 3 or 4), points of each voxel (V,), voxel of each point
(P,) or -1, and (2,): points and voxels left out. See bev3d.points.voxelize."""

take_slots = register(
    "take_slots(Tensor grad, Tensor places) -> Tensor",
    cpu=_take_slots_cpu,
    cuda=_take_slots,
    fake=lambda grad, places: grad.new_empty((places.shape[0], grad.shape[2])),
    check=_check_take,
)
"""grad (V, M, C) at places (P,) row * M + place, 0 where there is no such slot -> (P, C)."""

hard_voxels_filled = register(
    f"hard_voxels_filled({_ARGUMENTS}, SymInt max_points, SymInt max_voxels) -> {_SIX}",
    cpu=_filled_cpu,
    cuda=partial(cuda.hard_voxels_filled, cuda_launch),
    fake=_filled_fake,
    setup=_keep_places,
    check=_check,
    backward=lambda ctx, grad, *_: (None if grad is None else take_slots(grad, *ctx.saved_tensors), *(None,) * 5),
)
"""``hard_voxels`` and ``group_points`` in one, one walk over the points on the CPU: voxels (V, max_points, C), cells,
points of each voxel, slot of each point (P,) row * max_points + place or -1, voxel of each point, left out."""

hard_voxels_fixed = register(
    f"hard_voxels_fixed({_ARGUMENTS}, SymInt max_points, SymInt max_voxels, SymInt batch_size) -> {_FIVE}",
    cpu=_on_cpu(hard_cpu.hard_voxels),
    cuda=partial(cuda.hard_voxels_fixed, cuda_launch),
    fake=_hard_fixed_fake,
    check=_check,
)
"""As ``hard_voxels`` for the samples below ``batch_size``, in ``batch_size * max_voxels`` rows, the last ones empty."""

ungroup_points = register(
    "ungroup_points(Tensor grad, Tensor slots, SymInt points) -> Tensor",
    cpu=_ungroup_cpu,
    cuda=partial(cuda.ungroup_points, cuda_launch),
    fake=lambda grad, slots, points: grad.new_empty((points, grad.shape[2])),
    check=_check_ungroup,
)
"""grad (V, M, C) at slots (V, M), of which no two name one point -> (points, C)."""

group_points = register(
    "group_points(Tensor points, Tensor slots) -> Tensor",
    cpu=_group_cpu,
    cuda=partial(cuda.group_points, cuda_launch),
    fake=lambda points, slots: points.new_empty((*slots.shape, points.shape[1])),
    setup=_keep_slots,
    check=_check_group,
    backward=lambda ctx, grad: (ungroup_points(grad, ctx.saved_tensors[0], ctx.points), None),
)
"""points (P, C) at slots (V, M), of which no two name one point -> (V, M, C); 0 where a slot names none."""
