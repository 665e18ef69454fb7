"""Sparse convolution and pooling over pairs of rows: ``bev3d::sparse_conv``, ``bev3d::sparse_max_pool``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d_ops._sparse_check import check_conv, check_pairs, check_pool_grad, check_weight_grad
from bev3d_ops.cpu import _sparse_conv as cpu
from bev3d_ops.cpu import _sparse_pool as cpu_pool
from bev3d_ops.cuda import _sparse as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._library import register

__all__ = ["sparse_conv", "sparse_conv_weight_grad", "sparse_max_pool", "sparse_max_pool_grad"]


def _floats(value: Tensor) -> np.ndarray:
    """As an array of any strides, halves as float32."""
    value = value.detach()
    return value.numpy() if value.dtype in (torch.float32, torch.float64) else value.float().numpy()


def _rows(value: Tensor) -> np.ndarray:
    return _floats(value.contiguous())


def _indices(value: Tensor) -> np.ndarray:
    return value.contiguous().numpy()


def _conv_cpu(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    pair_in: Tensor,
    pair_out: Tensor,
    offsets: Tensor,
    out_count: int,
) -> Tensor:
    check_conv(features, weight, bias, pair_in, pair_out, offsets)
    matrices = weight.flatten(1, 3).permute(1, 2, 0)
    out = cpu.sparse_conv(
        _rows(features),
        _floats(matrices),
        None if bias is None else _floats(bias),
        _indices(pair_in),
        _indices(pair_out),
        _indices(offsets),
        out_count,
    )
    return torch.from_numpy(out).to(features.dtype)


def _weight_grad_cpu(
    features: Tensor, grad: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor, kernel_size: Sequence[int]
) -> Tensor:
    check_weight_grad(features, grad, pair_in, pair_out, offsets, kernel_size)
    sums = cpu.sparse_conv_weight_grad(
        _rows(features), _rows(grad), _indices(pair_in), _indices(pair_out), _indices(offsets)
    )
    out = torch.from_numpy(sums).permute(2, 0, 1).to(features.dtype)
    return out.reshape(out.shape[0], *kernel_size, out.shape[2]).contiguous()


def _pool_cpu(
    features: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor, out_count: int
) -> tuple[Tensor, Tensor]:
    check_pairs(pair_in, pair_out, offsets)
    best, winner = cpu_pool.sparse_max_pool(
        _rows(features), _indices(pair_in), _indices(pair_out), _indices(offsets), out_count
    )
    return torch.from_numpy(best).to(features.dtype), torch.from_numpy(winner)


def _pool_grad_cpu(
    grad: Tensor, winner: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor, in_count: int
) -> Tensor:
    check_pool_grad(grad, winner, pair_in, pair_out, offsets)
    out = cpu_pool.sparse_max_pool_grad(
        _rows(grad), _indices(winner), _indices(pair_in), _indices(pair_out), _indices(offsets), in_count
    )
    return torch.from_numpy(out).to(grad.dtype)


def _conv_fake(features: Tensor, weight: Tensor, *rest: Any) -> Tensor:
    return features.new_empty((rest[-1], weight.shape[0]))


def _weight_grad_fake(features: Tensor, grad: Tensor, *rest: Any) -> Tensor:
    return features.new_empty((grad.shape[1], *rest[-1], features.shape[1]))


def _pool_fake(features: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    best = features.new_empty((rest[-1], features.shape[1]))
    return best, torch.empty_like(best, dtype=torch.int32)


def _pool_grad_fake(grad: Tensor, *rest: Any) -> Tensor:
    return grad.new_empty((rest[-1], grad.shape[1]))


def _conv_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    features, weight, _, pair_in, pair_out, offsets, _ = inputs
    ctx.save_for_backward(features, weight, pair_in, pair_out, offsets)


def _conv_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    features, weight, pair_in, pair_out, offsets = ctx.saved_tensors
    to_features, to_weight, to_bias = ctx.needs_input_grad[:3]
    grad_features = grad_weight = None
    if to_features:
        swapped = weight.permute(4, 1, 2, 3, 0)
        grad_features = sparse_conv(grad, swapped, None, pair_out, pair_in, offsets, features.shape[0])
    if to_weight:
        grad_weight = sparse_conv_weight_grad(features, grad, pair_in, pair_out, offsets, weight.shape[1:4])
    return grad_features, grad_weight, grad.sum(0) if to_bias else None, None, None, None, None


def _pool_setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    features, pair_in, pair_out, offsets, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1], pair_in, pair_out, offsets)
    ctx.in_count = features.shape[0]


def _pool_backward(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    winner, pair_in, pair_out, offsets = ctx.saved_tensors
    return sparse_max_pool_grad(grad, winner, pair_in, pair_out, offsets, ctx.in_count), None, None, None, None


sparse_conv = register(
    "sparse_conv(Tensor features, Tensor weight, Tensor? bias, Tensor pair_in, Tensor pair_out, Tensor offsets, "
    "SymInt out_count) -> Tensor",
    cpu=_conv_cpu,
    cuda=partial(cuda.sparse_conv, cuda_launch),
    fake=_conv_fake,
    setup=_conv_setup,
    backward=_conv_backward,
)
"""out[o] = bias + sum over the offsets k and their pairs (i, o) of weight[:, k] features[i].

features (V_in, C_in); weight (C_out, kD, kH, kW, C_in), the offsets numbered with kW fastest; bias (C_out,) or None;
pair_in, pair_out (P,) int32; offsets (K + 1,) int64: the pairs of offset k are offsets[k] .. offsets[k + 1]. An output
row appears at most once in an offset. Returns (out_count, C_out). Halves are added up in float32.
"""

sparse_conv_weight_grad = register(
    "sparse_conv_weight_grad(Tensor features, Tensor grad, Tensor pair_in, Tensor pair_out, Tensor offsets, "
    "SymInt[] kernel_size) -> Tensor",
    cpu=_weight_grad_cpu,
    cuda=partial(cuda.sparse_conv_weight_grad, cuda_launch),
    fake=_weight_grad_fake,
)
"""Gradient (C_out, kD, kH, kW, C_in) of the weight, from features (V_in, C_in) and cotangents grad (V_out, C_out)."""

sparse_max_pool = register(
    "sparse_max_pool(Tensor features, Tensor pair_in, Tensor pair_out, Tensor offsets, SymInt out_count) "
    "-> (Tensor, Tensor)",
    cpu=_pool_cpu,
    cuda=partial(cuda.sparse_max_pool, cuda_launch),
    fake=_pool_fake,
    setup=_pool_setup,
    backward=_pool_backward,
)
"""(out_count, C) largest feature over all pairs of a row, and the int32 row it comes from: of equals the first in the
order of the offsets, NaN before all; 0 and -1 where no pair arrives."""

sparse_max_pool_grad = register(
    "sparse_max_pool_grad(Tensor grad, Tensor winner, Tensor pair_in, Tensor pair_out, Tensor offsets, "
    "SymInt in_count) -> Tensor",
    cpu=_pool_grad_cpu,
    cuda=partial(cuda.sparse_max_pool_grad, cuda_launch),
    fake=_pool_grad_fake,
)
"""(in_count, C): the cotangents grad (V_out, C) given to the rows that ``winner`` (V_out, C) names."""
