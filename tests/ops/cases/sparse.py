"""Rows for sparse convolution: rulebooks, convolution, pooling."""

from __future__ import annotations

from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase

from bev3d_ops.cuda import _rulebook as cuda_rulebook
from bev3d_ops.cuda import _sparse as cuda
from bev3d_ops.reference import _sparse as reference
from bev3d_ops.registered._rulebook import strided_pairs, submanifold_pairs
from bev3d_ops.registered._sparse import (
    sparse_conv,
    sparse_conv_weight_grad,
    sparse_max_pool,
    sparse_max_pool_grad,
)

BATCH, SHAPE, KERNEL = 2, [4, 6, 5], [3, 2, 3]
STEPS = {"stride": [2, 1, 3], "padding": [1, 0, 2], "dilation": [1, 2, 1]}
OUT_SHAPE = {False: [2, 4, 3], True: [7, 8, 11]}
IN_CHANNELS, OUT_CHANNELS = 5, 20  # one below, one between the widths of a vector


def _sites(rng: torch.Generator) -> torch.Tensor:
    """In no order, some on every border."""
    dense = torch.rand(BATCH, *SHAPE, generator=rng) < 0.4
    sites = dense.nonzero()
    return sites[torch.randperm(len(sites), generator=rng)].to(torch.int32)


def _submanifold(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _sites(rng).to(dtype), BATCH, SHAPE, KERNEL, [1, 2, 1]


def _strided(transposed: bool) -> Any:
    def inputs(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
        return _sites(rng).to(dtype), BATCH, SHAPE, OUT_SHAPE[transposed], KERNEL, *STEPS.values(), transposed

    return inputs


def _pairs(rng: torch.Generator) -> tuple[Any, ...]:
    arguments = _strided(False)(rng, torch.int32)
    sites, *pairs = reference.strided_pairs(*arguments)
    return len(arguments[0]), len(sites), pairs


def _conv(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    in_count, out_count, pairs = _pairs(rng)
    features = torch.randn(in_count, IN_CHANNELS, generator=rng).to(dtype)
    weight = (torch.randn(OUT_CHANNELS, *KERNEL, IN_CHANNELS, generator=rng) / 8).to(dtype)
    bias = torch.randn(OUT_CHANNELS, generator=rng).to(dtype)
    return features, weight, bias, *pairs, out_count


def _weight_grad(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    features, _, _, *pairs, out_count = _conv(rng, dtype)
    return features, torch.randn(out_count, OUT_CHANNELS, generator=rng).to(dtype), *pairs, KERNEL


def _pool(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    in_count, out_count, pairs = _pairs(rng)
    # few values, so that many are equal; all negative, as nothing may lose to a zero that is not there
    features = -torch.randint(1, 4, (in_count, 3), generator=rng).to(dtype)
    return features, *pairs, out_count


def _pool_with_nan(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    features, *rest = _pool(rng, dtype)
    features[::7] = torch.nan
    features[1::7] = -torch.inf
    return features, *rest


def _pool_grad(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    features, *pairs, out_count = _pool(rng, dtype)
    _, winner = reference.sparse_max_pool(features, *pairs, out_count)
    return torch.randn(winner.shape, generator=rng).to(dtype), winner, *pairs, len(features)


def _pool_grad_reference(grad: torch.Tensor, winner: torch.Tensor, *rest: Any) -> torch.Tensor:
    out = torch.zeros(rest[-1], grad.shape[1], dtype=torch.float64)
    return out.scatter_add(0, winner.long(), grad.double()).to(grad.dtype)


INDICES = (torch.int32, torch.int64)
# sums of some 40 products of order 1
SUMS = {
    torch.float32: (1e-5, 1e-5),
    torch.float64: (1e-13, 1e-13),
    torch.float16: (4e-3, 4e-3),
    torch.bfloat16: (3e-2, 3e-2),
}

CASES = [
    OpCase(
        "submanifold_pairs",
        submanifold_pairs,
        _submanifold,
        reference=reference.submanifold_pairs,
        host=cuda_rulebook.submanifold_pairs,
        dtypes=INDICES,
        static=False,
    ),
    *(
        OpCase(
            f"{'transposed' if transposed else 'strided'}_pairs",
            strided_pairs,
            _strided(transposed),
            reference=reference.strided_pairs,
            host=cuda_rulebook.strided_pairs,
            dtypes=INDICES,
            static=False,
        )
        for transposed in (False, True)
    ),
    OpCase(
        "sparse_conv",
        sparse_conv,
        _conv,
        reference=reference.sparse_conv,
        host=cuda.sparse_conv,
        differentiable=(0, 1, 2),
        dtypes=FLOATS + HALVES,
        tolerances=SUMS,
    ),
    OpCase(
        "sparse_conv_weight_grad",
        sparse_conv_weight_grad,
        _weight_grad,
        reference=reference.sparse_conv_weight_grad,
        host=cuda.sparse_conv_weight_grad,
        dtypes=FLOATS + HALVES,
        tolerances=SUMS,
    ),
    OpCase(
        "sparse_max_pool",
        sparse_max_pool,
        _pool,
        reference=reference.sparse_max_pool,
        host=cuda.sparse_max_pool,
        differentiable=(0,),
        dtypes=FLOATS + HALVES,
    ),
    OpCase(
        "sparse_max_pool_nan",
        sparse_max_pool,
        _pool_with_nan,
        reference=reference.sparse_max_pool,
        host=cuda.sparse_max_pool,
        dtypes=FLOATS + HALVES,
        opcheck_without=("test_aot_dispatch_dynamic",),  # it finds NaN unequal to NaN
    ),
    OpCase(
        "sparse_max_pool_grad",
        sparse_max_pool_grad,
        _pool_grad,
        reference=_pool_grad_reference,
        host=cuda.sparse_max_pool_grad,
        dtypes=FLOATS + HALVES,
        tolerances=SUMS,
    ),
]
