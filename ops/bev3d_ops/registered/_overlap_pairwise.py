"""``bev3d::pairwise_overlap``: the matrix of overlaps of two sets of boxes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops._overlap_kinds import INTERSECTION_BEV, IOU_3D, IOU_BEV
from bev3d_ops.cpu._overlap_pairwise import pairwise_overlap as pairwise_cpu
from bev3d_ops.cuda import _overlap as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._library import register

__all__ = ["pairwise_overlap"]

_KINDS = (INTERSECTION_BEV, IOU_BEV, IOU_3D)


def _cpu(a: Tensor, b: Tensor, kind: int) -> Tensor:
    dtype = _check(a, b, kind)
    array_a, array_b = kernel_arrays(a, b)
    return torch.from_numpy(pairwise_cpu(array_a, array_b, kind)).to(dtype)


def _cuda(a: Tensor, b: Tensor, kind: int) -> Tensor:
    dtype = _check(a, b, kind)
    return cuda.pairwise_overlap(cuda_launch, a.to(dtype), b.to(dtype), kind)


def _fake(a: Tensor, b: Tensor, kind: int) -> Tensor:
    return a.new_empty((a.shape[0], b.shape[0]), dtype=_check(a, b, kind))


def _check(a: Tensor, b: Tensor, kind: int) -> torch.dtype:
    """The wider dtype of the two."""
    for name, value in (("a", a), ("b", b)):
        if value.ndim != 2 or value.shape[1] < 7:
            raise ValueError(f"{name}: expected shape (N, 7) or wider, got {tuple(value.shape)}")
        if not value.dtype.is_floating_point:
            raise TypeError(f"{name}: expected a floating-point dtype, got {value.dtype}")
    if b.device != a.device:
        raise ValueError(f"b: expected the device of a ({a.device}), got {b.device}")
    if kind not in _KINDS:
        raise ValueError(f"kind: expected one of {_KINDS}, got {kind}")
    return torch.promote_types(a.dtype, b.dtype)


def _forget(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """A matrix is for assignment and suppression: its gradient would be N x M x 14 numbers, nearly all 0."""
    ctx.mark_non_differentiable(output)


def _no_gradient(ctx: Any, grad: Tensor) -> tuple[None, None, None]:
    return None, None, None


pairwise_overlap = register(
    "pairwise_overlap(Tensor a, Tensor b, int kind) -> Tensor",
    cpu=_cpu,
    cuda=_cuda,
    fake=_fake,
    setup=_forget,
    backward=_no_gradient,
)
"""Boxes a (N, >= 7) and b (M, >= 7), kind ``INTERSECTION_BEV``, ``IOU_BEV`` or ``IOU_3D`` -> (N, M) in the wider dtype.

Never has a gradient. On the CPU in float64 inside; on CUDA in float64 for float64 and in float32, on the differences
of centres and yaws, for all other types: there what is beyond 1e12 m is no box, and a size below 1e-12 m none.
"""
