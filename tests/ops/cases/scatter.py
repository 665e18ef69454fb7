"""Rows for sums and maxima by segment."""

from __future__ import annotations

import math
from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase

from bev3d_ops.cuda import _scatter as cuda
from bev3d_ops.reference import _scatter as reference
from bev3d_ops.registered import _scatter as ops

COUNT = 20


def _sums(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """Whole numbers, so that a sum is exact in every dtype; rows left out, segments that are empty."""
    features = torch.randint(-3, 4, (90, 5), generator=rng).to(dtype)
    index = torch.randint(-3, COUNT, (90,), generator=rng)
    index[index == 7] = -1
    return features, index, COUNT


def _maxima(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """Ties and infinities; without ties the rule of the first row would never show."""
    features, index, count = _sums(rng, dtype)
    features[5], features[6] = -math.inf, math.inf
    index[index == 11] = -1
    features[60:63, 3], index[60:63] = -math.inf, 11  # a segment of nothing but -inf
    return features, index, count


def _nans(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """A NaN before, between and after numbers, and two of them."""
    features, index, count = _maxima(rng, dtype)
    index[:12] = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    features[[0, 4, 8, 9, 11], 2] = math.nan
    return features, index, count


def _nothing(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.zeros((0, 5), dtype=dtype), torch.zeros(0, dtype=torch.int64), 3


def _no_segments(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.ones((4, 5), dtype=dtype), torch.full((4,), -1), 0


def _rows(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    features, index, count = _sums(rng, dtype)
    return features[:count].clone(), index


def _rows_and_numbers(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.randn((90, 5), generator=rng).to(dtype), torch.randint(-1, 9, (90,), generator=rng)


def _strided_rows_and_numbers(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """The fake promises rows behind one another; more of them than float16 can count."""
    values, numbers = _rows_and_numbers(rng, dtype)
    numbers[3] = 100_000
    return (10_000 * values).t().contiguous().t(), numbers


def _divide_reference(values: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    wide = values.to(torch.promote_types(values.dtype, torch.float32))
    rows = [row / number if number > 1 else row for row, number in zip(wide, numbers.tolist(), strict=True)]
    return torch.stack(rows).to(values.dtype)


def _sources(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    features, index, count = _maxima(rng, dtype)
    source = reference.scatter_max(features, index, count)[1]
    return torch.randn(source.shape, generator=rng).to(dtype), source, index


def _spread_reference(grad: torch.Tensor, source: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """From each value to the row it came from; the index is not needed for it."""
    out = grad.new_zeros((len(index), grad.shape[1]))
    for segment, channel in ((source >= 0) & (source < len(index))).nonzero().tolist():
        out[source[segment, channel], channel] = grad[segment, channel]
    return out


def _case(
    name: str, op: str, inputs: Any, differentiable: tuple[int, ...] = (), without: tuple[str, ...] = ()
) -> OpCase:
    oracle = getattr(reference, op, _spread_reference)
    return OpCase(
        name,
        getattr(ops, op),
        inputs,
        reference=oracle,
        host=getattr(cuda, op),
        differentiable=differentiable,
        dtypes=FLOATS + HALVES,
        opcheck_without=without,
    )


CASES = [
    _case("scatter_sum", "scatter_sum", _sums, (0,)),
    _case("scatter_sum_of_nothing", "scatter_sum", _nothing),
    _case("scatter_sum_into_nothing", "scatter_sum", _no_segments),
    _case("scatter_max", "scatter_max", _maxima, (0,)),
    # this check of torch's holds that NaN differs from NaN
    _case("scatter_max_of_nans", "scatter_max", _nans, (0,), ("test_aot_dispatch_dynamic",)),
    _case("scatter_max_of_nothing", "scatter_max", _nothing),
    _case("scatter_max_into_nothing", "scatter_max", _no_segments),
    _case("gather_rows", "gather_rows", _rows, (0,)),
    _case("spread_max", "spread_max", _sources),
    *(
        OpCase(
            name,
            ops.divide_rows,
            inputs,
            reference=_divide_reference,
            differentiable=(0,),
            dtypes=FLOATS + HALVES,
        )
        for name, inputs in (("divide_rows", _rows_and_numbers), ("divide_strided_rows", _strided_rows_and_numbers))
    ),
]
