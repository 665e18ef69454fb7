"""Pairs of rows of sparse convolutions: ``bev3d::submanifold_pairs`` and ``bev3d::strided_pairs``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from bev3d_ops.cpu import _rulebook as cpu
from bev3d_ops.cuda import _rulebook as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._expect import expect, expect_below
from bev3d_ops.registered._library import register

__all__ = ["strided_pairs", "submanifold_pairs"]

Pairs = tuple[Tensor, Tensor, Tensor]
MOST_SITES = 2**31 - 1  # pairs are int32
_INTEGERS = (torch.int32, torch.int64)


def _check(coordinates: Tensor, *_: object) -> None:
    if coordinates.dtype not in _INTEGERS:
        raise TypeError(f"coordinates: expected torch.int32 or torch.int64, got {coordinates.dtype}")
    expect("coordinates", coordinates, "(V, 4)", None, 4, dtype=coordinates.dtype)
    expect_below("coordinates", coordinates, MOST_SITES)


def _array(coordinates: Tensor) -> np.ndarray:
    return np.ascontiguousarray(coordinates.numpy(), dtype=np.int64)


def _submanifold_cpu(
    coordinates: Tensor,
    batch_size: int,
    spatial_shape: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
) -> Pairs:
    a, b, c = cpu.submanifold_pairs(_array(coordinates), (batch_size, *spatial_shape), kernel_size, dilation)
    return torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(c)


def _strided_cpu(
    coordinates: Tensor,
    batch_size: int,
    spatial_shape: Sequence[int],
    out_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    limits = (batch_size, *spatial_shape)
    sites, a, b, c = cpu.strided_pairs(
        _array(coordinates), limits, out_shape, kernel_size, stride, padding, dilation, transposed
    )
    return torch.from_numpy(sites).to(coordinates.dtype), torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(c)


def _pairs_fake(coordinates: Tensor, kernel_size: Sequence[int]) -> Pairs:
    count = torch.library.get_ctx().new_dynamic_size()
    pair_in = coordinates.new_empty((count,), dtype=torch.int32)
    offsets = coordinates.new_empty((math.prod(kernel_size) + 1,), dtype=torch.int64)
    return pair_in, torch.empty_like(pair_in), offsets


def _submanifold_fake(
    coordinates: Tensor,
    batch_size: int,
    spatial_shape: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
) -> Pairs:
    return _pairs_fake(coordinates, kernel_size)


def _strided_fake(
    coordinates: Tensor,
    batch_size: int,
    spatial_shape: Sequence[int],
    out_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    count = torch.library.get_ctx().new_dynamic_size()
    return coordinates.new_empty((count, 4)), *_pairs_fake(coordinates, kernel_size)


submanifold_pairs = register(
    "submanifold_pairs(Tensor coordinates, SymInt batch_size, SymInt[] spatial_shape, SymInt[] kernel_size, "
    "SymInt[] dilation) -> (Tensor, Tensor, Tensor)",
    cpu=_submanifold_cpu,
    cuda=partial(cuda.submanifold_pairs, cuda_launch),
    fake=_submanifold_fake,
    check=_check,
)
"""Pairs of a convolution whose result has the sites of its input.

coordinates (V, 4) int32 or int64 batch, z, y, x, each site once, in any order; the lists are z, y, x. The output at o
reads the input at o + (k - kernel_size // 2) * dilation.

Returns pair_in, pair_out (P,) int32 and offsets (K + 1,) int64, see ``sparse_conv``; within an offset the pairs ascend
with the site. Raises ValueError for a site outside the shape or given twice.
"""

strided_pairs = register(
    "strided_pairs(Tensor coordinates, SymInt batch_size, SymInt[] spatial_shape, SymInt[] out_shape, "
    "SymInt[] kernel_size, SymInt[] stride, SymInt[] padding, SymInt[] dilation, bool transposed) "
    "-> (Tensor, Tensor, Tensor, Tensor)",
    cpu=_strided_cpu,
    cuda=partial(cuda.strided_pairs, cuda_launch),
    fake=_strided_fake,
    check=_check,
)
"""Pairs of a convolution whose result has every site that the input reaches, and these sites.

The input at i reaches o where o * stride = i + padding - k * dilation, or, transposed, o = i * stride - padding +
k * dilation, and o lies in ``out_shape``.

Returns out_coordinates (V_out, 4) in the dtype of ``coordinates``, ascending by batch, z, y, x, and then as
``submanifold_pairs``.
"""
