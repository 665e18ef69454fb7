"""Which implementation of an operation runs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bev3d_ops._arrays import Array, kernel_arrays
from bev3d_ops._overlap_kinds import INTERSECTION_BEV, IOU_3D, IOU_BEV
from bev3d_ops.cpu._overlap_aligned import aligned_overlap as aligned_overlap_cpu
from bev3d_ops.cpu._overlap_pairwise import pairwise_overlap as pairwise_overlap_cpu
from bev3d_ops.reference import _overlap as reference

__all__ = ["INTERSECTION_BEV", "IOU_3D", "IOU_BEV", "aligned_overlap", "pairwise_overlap"]

_ALIGNED_REFERENCE = {
    INTERSECTION_BEV: reference.aligned_intersection_bev,
    IOU_BEV: reference.aligned_iou_bev,
    IOU_3D: reference.aligned_iou_3d,
}

_PAIRS_AT_ONCE = 1 << 18  # on a GPU: bounds the memory of the reference's temporaries


def pairwise_overlap(a: Array, b: Array, kind: int) -> Array:
    """Matrix (N, M) of overlaps of boxes a (N, >= 7) and b (M, >= 7); arrays or tensors of one kind and device."""
    if isinstance(a, Tensor) and a.device.type != "cpu":
        return _pairwise_reference(a, b, kind)
    array_a, array_b = kernel_arrays(a, b)
    result = pairwise_overlap_cpu(array_a, array_b, kind)
    if isinstance(a, torch.Tensor):
        return torch.from_numpy(result).to(torch.promote_types(a.dtype, b.dtype))
    return result.astype(np.result_type(a.dtype, b.dtype), copy=False)


def aligned_overlap(a: Tensor, b: Tensor, kind: int) -> Tensor:
    """Overlap (...) of aligned boxes a and b (..., >= 7), broadcastable, in their wider dtype.

    On the CPU, and where no gradient is asked, the compiled kernel runs; else plain torch does.
    """
    dtype = torch.promote_types(a.dtype, b.dtype)
    tracked = torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)
    if tracked or a.device.type != "cpu" or b.device.type != "cpu" or torch.compiler.is_compiling():
        return _ALIGNED_REFERENCE[kind](a, b).to(dtype)
    a, b = torch.broadcast_tensors(a[..., :7], b[..., :7])
    array_a, array_b = kernel_arrays(a.reshape(-1, 7), b.reshape(-1, 7))
    return torch.from_numpy(aligned_overlap_cpu(array_a, array_b, kind)).to(dtype).reshape(a.shape[:-1])


@torch.no_grad()
def _pairwise_reference(a: Tensor, b: Tensor, kind: int) -> Tensor:
    dtype = torch.promote_types(a.dtype, b.dtype)
    rows = max(1, _PAIRS_AT_ONCE // max(len(b), 1))
    parts = [_ALIGNED_REFERENCE[kind](part[:, None], b[None]).to(dtype) for part in a.split(rows)]
    return torch.cat(parts) if parts else a.new_zeros((0, len(b)), dtype=dtype)
