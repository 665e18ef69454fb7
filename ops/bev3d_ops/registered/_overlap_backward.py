"""The ways back through overlaps of pairs: through rows that were kept, and anew from the boxes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops.cpu import _overlap_aligned as cpu_aligned
from bev3d_ops.cuda import _overlap as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._expect import expect
from bev3d_ops.registered._library import register
from bev3d_ops.registered._overlap_check import check_aligned

__all__ = ["overlap_aligned_backward", "scale_rows"]


def _check_scaled(factors: Tensor, rows: list[Tensor]) -> None:
    expect("factors", factors, "(N,)", None)
    for row in rows:
        expect("rows", row, f"({factors.shape[0]}, 7)", factors.shape[0], 7, dtype=factors.dtype, beside=factors)


def _plain(*values: Tensor) -> list[np.ndarray]:
    return [value.detach().contiguous().numpy() for value in values]


def _scale_cpu(factors: Tensor, rows: list[Tensor]) -> list[Tensor]:
    if factors.dtype not in (torch.float32, torch.float64):
        return _scale_plain(factors, rows)
    (array,) = _plain(factors)
    arrays = cpu_aligned.scale_rows(array, _plain(*rows))
    return [torch.from_numpy(array) for array in arrays]


def _scale_plain(factors: Tensor, rows: list[Tensor]) -> list[Tensor]:
    return [factors[:, None] * row for row in rows]


def _scale_fake(factors: Tensor, rows: list[Tensor]) -> list[Tensor]:
    return [row.new_empty(row.shape) for row in rows]


def _check_backward(factors: Tensor, a: Tensor, b: Tensor, kind: int, wanted: list[bool]) -> None:
    check_aligned(a, b, kind)
    expect("factors", factors, "(N,)", a.shape[0], beside=a)


def _backward_cpu(factors: Tensor, a: Tensor, b: Tensor, kind: int, wanted: list[bool]) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(a.dtype, b.dtype)
    one, other = kernel_arrays(a, b)
    # not made contiguous: often one number expanded, with stride 0
    array = factors.detach().to(torch.float64 if one.dtype == np.float64 else torch.float32).numpy()
    grad_a, grad_b = cpu_aligned.aligned_overlap_backward(array, one, other, kind, (wanted[0], wanted[1]))
    return torch.from_numpy(grad_a).to(dtype), torch.from_numpy(grad_b).to(dtype)


def _backward_cuda(factors: Tensor, a: Tensor, b: Tensor, kind: int, wanted: list[bool]) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(a.dtype, b.dtype)
    _, *rows = cuda.aligned_overlap_with_gradient(cuda_launch, a.to(dtype), b.to(dtype), kind)
    factors = factors.to(dtype)[:, None]
    grad_a, grad_b = (factors * row if want else row.new_empty((0, 7)) for row, want in zip(rows, wanted, strict=True))
    return grad_a, grad_b


def _backward_fake(factors: Tensor, a: Tensor, b: Tensor, kind: int, wanted: list[bool]) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(a.dtype, b.dtype)
    grad_a, grad_b = (a.new_empty((a.shape[0] if want else 0, 7), dtype=dtype) for want in wanted)
    return grad_a, grad_b


scale_rows = register(
    "overlap_scale_rows(Tensor factors, Tensor[] rows) -> Tensor[]",
    cpu=_scale_cpu,
    cuda=_scale_plain,
    fake=_scale_fake,
    check=_check_scaled,
)
"""Row i of each of ``rows`` (N, 7) times ``factors[i]`` (N,), all of one dtype: the way back through saved rows."""

overlap_aligned_backward = register(
    "overlap_aligned_backward(Tensor factors, Tensor a, Tensor b, int kind, bool[2] wanted) -> (Tensor, Tensor)",
    cpu=_backward_cpu,
    cuda=_backward_cuda,
    fake=_backward_fake,
    check=_check_backward,
)
"""Derivatives of ``overlap_aligned`` by the seven columns of a and of b, (N, 7), row i times ``factors[i]`` (N,).

What is not wanted is (0, 7).
"""
