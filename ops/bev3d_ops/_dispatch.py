"""Which implementation of an operation runs."""

from __future__ import annotations

import numpy as np
import torch

from bev3d_ops._arrays import Array, kernel_arrays
from bev3d_ops.cpu._overlap_block import INTERSECTION_BEV, IOU_3D, IOU_BEV
from bev3d_ops.cpu._overlap_pairwise import pairwise_overlap as pairwise_overlap_cpu

__all__ = ["INTERSECTION_BEV", "IOU_3D", "IOU_BEV", "pairwise_overlap"]


def pairwise_overlap(a: Array, b: Array, kind: int) -> Array:
    """Matrix (N, M) of overlaps of boxes a (N, >= 7) and b (M, >= 7); arrays or tensors of one kind and device."""
    array_a, array_b = kernel_arrays(a, b)
    result = pairwise_overlap_cpu(array_a, array_b, kind)
    if isinstance(a, torch.Tensor):
        return torch.from_numpy(result).to(device=a.device, dtype=torch.promote_types(a.dtype, b.dtype))
    return result.astype(np.result_type(a.dtype, b.dtype), copy=False)
