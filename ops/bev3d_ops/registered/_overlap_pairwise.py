"""``bev3d::pairwise_overlap``, the matrix of overlaps of two sets of boxes, and all matrices of a batch in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops._overlap_kinds import INTERSECTION_BEV, IOU_3D, IOU_BEV
from bev3d_ops.cpu import _overlap_pairwise as cpu
from bev3d_ops.cuda import _overlap as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._library import register
from bev3d_ops.registered._overlap_check import check_boxes

__all__ = ["batched_pairwise_overlap", "pairwise_overlap"]

_KINDS = (INTERSECTION_BEV, IOU_BEV, IOU_3D)


def _cpu(a: Tensor, b: Tensor, kind: int) -> Tensor:
    dtype = _check(a, b, kind)
    array_a, array_b = kernel_arrays(a, b)
    return torch.from_numpy(cpu.pairwise_overlap(array_a, array_b, kind)).to(dtype)


def _cuda(a: Tensor, b: Tensor, kind: int) -> Tensor:
    dtype = _check(a, b, kind)
    return cuda.pairwise_overlap(cuda_launch, a.to(dtype), b.to(dtype), kind)


def _fake(a: Tensor, b: Tensor, kind: int) -> Tensor:
    return a.new_empty((a.shape[0], b.shape[0]), dtype=_check(a, b, kind))


def _check(a: Tensor, b: Tensor, kind: int) -> torch.dtype:
    return check_boxes(a, b, kind, _KINDS)


def _check_batched(a: Tensor, b: Tensor, offsets: Tensor, kind: int) -> torch.dtype:
    if offsets.ndim != 2 or offsets.shape[0] != 2 or offsets.shape[1] < 1 or offsets.dtype != torch.int64:
        raise ValueError(f"offsets: expected (2, B + 1) int64, got {tuple(offsets.shape)} {offsets.dtype}")
    if offsets.device != a.device:
        raise ValueError(f"offsets: expected the device of a ({a.device}), got {offsets.device}")
    return _check(a, b, kind)


def _batched_cpu(a: Tensor, b: Tensor, offsets: Tensor, total: int, kind: int) -> Tensor:
    dtype = _check_batched(a, b, offsets, kind)
    table = offsets.contiguous().numpy()
    sizes = np.diff(table)
    if (table[:, 0] != 0).any() or table[:, -1].tolist() != [len(a), len(b)] or (sizes < 0).any():
        raise ValueError(f"offsets: expected rows that rise from 0 to {len(a)} and {len(b)}, got {table.tolist()}")
    if int((sizes[0] * sizes[1]).sum()) != total:
        raise ValueError(f"total: expected {int((sizes[0] * sizes[1]).sum())} pairs, got {total}")
    array_a, array_b = kernel_arrays(a, b)
    return torch.from_numpy(cpu.batched_pairwise_overlap(array_a, array_b, table, kind)).to(dtype)


def _batched_cuda(a: Tensor, b: Tensor, offsets: Tensor, total: int, kind: int) -> Tensor:
    dtype = _check_batched(a, b, offsets, kind)
    return cuda.batched_pairwise_overlap(cuda_launch, a.to(dtype), b.to(dtype), offsets, total, kind)


def _batched_fake(a: Tensor, b: Tensor, offsets: Tensor, total: int, kind: int) -> Tensor:
    return a.new_empty(total, dtype=_check_batched(a, b, offsets, kind))


def _forget(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """A matrix is for assignment and suppression: its gradient would be N x M x 14 numbers, nearly all 0."""
    ctx.mark_non_differentiable(output)


def _no_gradient(ctx: Any, grad: Tensor) -> tuple[None, None, None]:
    return None, None, None


def _no_gradient_batched(ctx: Any, grad: Tensor) -> tuple[None, None, None, None, None]:
    return None, None, None, None, None


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

batched_pairwise_overlap = register(
    "batched_pairwise_overlap(Tensor a, Tensor b, Tensor offsets, SymInt total, int kind) -> Tensor",
    cpu=_batched_cpu,
    cuda=_batched_cuda,
    fake=_batched_fake,
    setup=_forget,
    backward=_no_gradient_batched,
)
"""As ``pairwise_overlap`` within each of B samples, in one launch: their matrices behind one another, (total,).

offsets (2, B + 1) int64, on the boxes' device: sample s has rows ``offsets[0, s]`` to ``offsets[0, s + 1]`` of a and
``offsets[1, s]`` to ``offsets[1, s + 1]`` of b. total: sum of the products of their numbers, which the host knows. Both
are checked on the CPU; on CUDA nothing that is not there is read or written, and what does not fit is left unset.
"""
