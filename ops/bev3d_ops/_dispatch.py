"""Which form of an operation runs: with its gradient beside it or without; on tensors or on arrays."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bev3d_ops._arrays import Array, kernel_arrays
from bev3d_ops._overlap_kinds import INTERSECTION_BEV, IOU_3D, IOU_BEV
from bev3d_ops.cpu import _overlap_pairwise as cpu_pairwise
from bev3d_ops.registered import _overlap_aligned as registered
from bev3d_ops.registered import _overlap_pairwise as registered_pairwise

__all__ = [
    "INTERSECTION_BEV",
    "IOU_3D",
    "IOU_BEV",
    "aligned_overlap",
    "batched_pairwise_overlap",
    "matched_overlap",
    "pairwise_overlap",
]


def pairwise_overlap(a: Array, b: Array, kind: int) -> Array:
    """Matrix (N, M) of overlaps of boxes a (N, >= 7) and b (M, >= 7); arrays or tensors of one kind and device."""
    if isinstance(a, Tensor):
        return registered_pairwise.pairwise_overlap(a.detach(), b.detach(), kind)
    array_a, array_b = kernel_arrays(a, b)
    return cpu_pairwise.pairwise_overlap(array_a, array_b, kind).astype(np.result_type(a.dtype, b.dtype), copy=False)


def batched_pairwise_overlap(a: Array, b: Array, offsets: np.ndarray, total: int, kind: int) -> Array:
    """Matrices of overlaps within each sample, one behind the other, (total,); offsets (2, B + 1) int64, checked."""
    if isinstance(a, Tensor):
        table = torch.from_numpy(offsets).to(a.device, non_blocking=True)
        return registered_pairwise.batched_pairwise_overlap(a.detach(), b.detach(), table, total, kind)
    array_a, array_b = kernel_arrays(a, b)
    values = cpu_pairwise.batched_pairwise_overlap(array_a, array_b, offsets, kind)
    return values.astype(np.result_type(a.dtype, b.dtype), copy=False)


def aligned_overlap(a: Tensor, b: Tensor, kind: int) -> Tensor:
    """Overlap (...) of aligned boxes a and b (..., >= 7), broadcastable, in their wider dtype; b is the target."""
    a, b = _seven(a), _seven(b)
    if a.ndim == b.ndim == 2 and a.shape == b.shape:  # a view of a view is one more step for autograd
        return _aligned_rows(a, b, kind)
    if a.shape != b.shape:
        a, b = torch.broadcast_tensors(a, b)
    return _aligned_rows(a.reshape(-1, 7), b.reshape(-1, 7), kind).reshape(a.shape[:-1])


def _aligned_rows(a: Tensor, b: Tensor, kind: int) -> Tensor:
    # without a GPU it is quicker to find the gradient of an IoU anew than to keep it
    if _is_tracked(a, b) and (kind > IOU_3D or a.device.type != "cpu" or not _can_be_kept(a, b)):
        value, _, _ = registered.overlap_aligned_with_gradient(a, b, kind)
        return value
    return registered.overlap_aligned(a, b, kind)


def matched_overlap(a: Tensor, b: Tensor, index_a: Tensor, index_b: Tensor, kind: int) -> Tensor:
    """Overlap (K,) of box ``index_a[k]`` of a (N, >= 7) with box ``index_b[k]`` of b (M, >= 7); indices int64."""
    if _is_tracked(a, b):
        return registered.overlap_matched_with_gradient(a, b, index_a, index_b, kind)[0]
    return registered.overlap_matched(a, b, index_a, index_b, kind)


def _seven(boxes: Tensor) -> Tensor:
    """Without velocities, apart from them: who changes those in place changes no box."""
    return boxes if boxes.shape[-1] == 7 else boxes[..., :7].contiguous()


def _can_be_kept(*boxes: Tensor) -> bool:
    """Tensors of torch.inference_mode() cannot, and a compiler sees none of them."""
    return torch.compiler.is_compiling() or not any(value.is_inference() for value in boxes)


def _is_tracked(a: Tensor, b: Tensor) -> bool:
    return torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)
