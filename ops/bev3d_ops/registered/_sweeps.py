"""``bev3d::transform_sweeps``; its gradient is the same operation with the rotations transposed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bev3d_ops.cpu import _sweeps as cpu
from bev3d_ops.cuda import _sweeps as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._library import register

__all__ = ["transform_sweeps"]

Two = tuple[Tensor, Tensor]


def _on_cpu(
    points: Tensor,
    offsets: Tensor,
    transforms: Tensor,
    lags_s: Tensor,
    columns: int,
    half_width_m: float,
    intensity_scale: float,
) -> Two:
    _check(points, offsets, transforms, lags_s, columns)
    if offsets[0] != 0 or bool((offsets.diff() < 0).any()) or offsets[-1] > len(points):
        raise ValueError(f"offsets: expected to rise from 0 to at most {len(points)}, got {offsets.tolist()}")
    a, b, c, d = (value.detach().contiguous().numpy() for value in (points, offsets, transforms, lags_s))
    out, keep = cpu.transform_sweeps(a, b, c, d, columns, half_width_m, intensity_scale)
    return torch.from_numpy(out), torch.from_numpy(keep)


def _on_cuda(points: Tensor, offsets: Tensor, transforms: Tensor, lags_s: Tensor, columns: int, *numbers: float) -> Two:
    _check(points, offsets, transforms, lags_s, columns)
    return cuda.transform_sweeps(cuda_launch, points, offsets, transforms, lags_s, columns, *numbers)


def _fake(points: Tensor, offsets: Tensor, transforms: Tensor, lags_s: Tensor, columns: int, *_: float) -> Two:
    _check(points, offsets, transforms, lags_s, columns)
    count = points.shape[0]
    return points.new_empty((count, columns + 1)), points.new_empty(count, dtype=torch.bool)


def _check(points: Tensor, offsets: Tensor, transforms: Tensor, lags_s: Tensor, columns: int) -> None:
    if points.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"points: expected float32 or float64, got {points.dtype}")
    for name, value, dtype in (
        ("offsets", offsets, torch.int64),
        ("transforms", transforms, torch.float64),
        ("lags_s", lags_s, torch.float64),
    ):
        if value.dtype != dtype:
            raise TypeError(f"{name}: expected {dtype}, got {value.dtype}")
        if value.device != points.device:
            raise ValueError(f"{name}: expected the device of points ({points.device}), got {value.device}")
    if points.ndim != 2 or points.shape[1] < 3:
        raise ValueError(f"points: expected shape (P, 3 or more), got {tuple(points.shape)}")
    if transforms.ndim != 3 or transforms.shape[1] != 4 or transforms.shape[2] != 4:
        raise ValueError(f"transforms: expected shape (S, 4, 4), got {tuple(transforms.shape)}")
    sweeps = transforms.shape[0]
    for name, value, size in (("offsets", offsets, sweeps + 1), ("lags_s", lags_s, sweeps)):
        if value.ndim != 1 or value.shape[0] != size:
            raise ValueError(f"{name}: expected shape ({size},), got {tuple(value.shape)}")
    if not 3 <= columns <= points.shape[1]:
        raise ValueError(f"columns: expected 3 to {points.shape[1]}, got {columns}")


def _keep_rotations(ctx: Any, inputs: tuple[Any, ...], output: Two) -> None:
    points, offsets, transforms, lags_s, ctx.columns, _, ctx.intensity_scale = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(offsets, transforms, lags_s)
    ctx.width = points.shape[1]


def _backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    offsets, transforms, lags_s = ctx.saved_tensors
    turned_back = functional.pad(transforms[:, :3, :3].transpose(1, 2), (0, 1, 0, 1))
    columns = ctx.columns
    moved, _ = transform_sweeps(grad[:, :columns], offsets, turned_back, lags_s, columns, 0.0, ctx.intensity_scale)
    return functional.pad(moved[:, :columns], (0, ctx.width - columns)), None, None, None, None, None, None


transform_sweeps = register(
    "transform_sweeps(Tensor points, Tensor offsets, Tensor transforms, Tensor lags_s, SymInt columns,"
    " float half_width_m, float intensity_scale) -> (Tensor, Tensor)",
    cpu=_on_cpu,
    cuda=_on_cuda,
    fake=_fake,
    setup=_keep_rotations,
    backward=_backward,
)
"""points (P, C), offsets (S + 1), transforms (S, 4, 4), lags_s (S) -> (P, columns + 1) and which to keep (P).

Arguments: :func:`bev3d_ops.cpu._sweeps.transform_sweeps`. Offsets that do not rise from 0 to at most P are an error on
the CPU; on CUDA, where nobody looks at them, each point is of the sweep that a search by halves finds, if any.
"""
