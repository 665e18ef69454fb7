"""Rows for the heatmap focal loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase

from bev3d_ops.cuda import _focal as cuda
from bev3d_ops.reference import _focal as reference
from bev3d_ops.registered._focal import heatmap_focal_map, heatmap_focal_sums

# the slope of a large logit is a difference of rounded numbers in no implementation, but each rounds on its own
TOLERANCES = {torch.float64: (1e-12, 1e-14)} | dict.fromkeys((torch.float32, *HALVES), (5e-6, 1e-7))
# loss and slope are float32 there, the gradient is rounded to the type of the logits
GRADIENTS = TOLERANCES | {torch.float16: (2e-3, 1e-4), torch.bfloat16: (1.6e-2, 1e-3)}


def _maps(rng: torch.Generator, dtype: torch.dtype, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    logits = torch.randn(count, generator=rng, dtype=torch.float64) * 6
    heatmap = torch.rand(count, generator=rng, dtype=torch.float64)
    heatmap[torch.rand(count, generator=rng) < 0.2] = 1
    heatmap[torch.rand(count, generator=rng) < 0.2] = 0
    logits[:6], heatmap[:6] = torch.tensor([[1e4, -1e4, 1e4, -1e4, 0, 0], [0, 0, 1, 1, 1, 0]])
    real = torch.float64 if dtype == torch.float64 else torch.float32
    return logits.to(dtype), heatmap.to(real)


def _row(
    rng: torch.Generator, dtype: torch.dtype, *, shape: tuple[int, ...], exponents: tuple[float, float], tail: tuple
) -> tuple[Any, ...]:
    logits, heatmap = _maps(rng, dtype, torch.Size(shape).numel())
    return logits.view(shape), heatmap.view(shape), *exponents, *tail


def _case(name: str, shape: tuple[int, ...], exponents: tuple[float, float], groups: int | None) -> OpCase:
    tail = (True,) if groups is None else (groups, True)
    op: Callable[..., Any] = heatmap_focal_map if groups is None else heatmap_focal_sums
    return OpCase(
        name,
        op,
        partial(_row, shape=shape, exponents=exponents, tail=tail),
        reference=reference.focal_map if groups is None else reference.focal_sums,
        host=cuda.focal_map if groups is None else cuda.focal_sums,
        differentiable=(0,),
        dtypes=FLOATS + HALVES,
        tolerances=GRADIENTS,
    )


CASES = [
    _case("heatmap_focal_map", (2, 3, 7, 11), (2.0, 4.0), None),
    _case("heatmap_focal_map_any_exponents", (2, 3, 7, 11), (1.5, 3.0), None),
    _case("heatmap_focal_sums", (2, 3, 41, 53), (2.0, 4.0), 1),
    _case("heatmap_focal_sums_by_sample", (3, 2, 47, 59), (2.0, 4.0), 3),
    _case("heatmap_focal_sums_any_exponents", (2, 3, 7, 11), (0.5, 1.0), 2),
]
