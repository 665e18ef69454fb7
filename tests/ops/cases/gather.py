"""Rows for gathering."""

from __future__ import annotations

from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase

from bev3d_ops.cuda import _gather as cuda
from bev3d_ops.reference._gather import gather_cells as gather_reference
from bev3d_ops.registered._gather import gather_cells, scatter_cells


def _maps(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    maps = torch.randn(2, 3, 40, generator=rng).to(dtype)
    # with collisions, and outside the map on both sides
    cell_index = torch.randint(-3, 44, (2, 25), generator=rng)
    return maps, cell_index


def _grads(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    maps, cell_index = _maps(rng, dtype)
    return torch.randn(2, 25, 3, generator=rng).to(maps.dtype), cell_index, 40


def _scatter_reference(grad: torch.Tensor, cell_index: torch.Tensor, cells: int) -> torch.Tensor:
    inside = (cell_index >= 0) & (cell_index < cells)
    one_hot = torch.nn.functional.one_hot(torch.where(inside, cell_index, 0), cells) * inside[..., None]
    return torch.einsum("bmc,bmk->bck", grad.double(), one_hot.double()).to(grad.dtype)


CASES = [
    OpCase(
        "gather_cells",
        gather_cells,
        _maps,
        reference=gather_reference,
        host=cuda.gather_cells,
        differentiable=(0,),
        dtypes=FLOATS + HALVES,
    ),
    OpCase(
        "scatter_cells",
        scatter_cells,
        _grads,
        reference=_scatter_reference,
        host=cuda.scatter_cells,
        differentiable=(0,),
        dtypes=FLOATS + HALVES,
    ),
]
