"""Rows for splatting Gaussians; those for planes that exist already are in tests/targets."""

from __future__ import annotations

from typing import Any

import torch
from oracles.op_case import OpCase
from torch import Tensor

from bev3d_ops.cuda import _heatmap as cuda
from bev3d_ops.reference import _heatmap as reference
from bev3d_ops.registered._heatmap import splat_gaussians

# where there is no table, each takes the exponential of its own library
LAST_BIT = {torch.float32: (2e-7, 0.0)}


def _objects(rng: torch.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Some outside the planes, some of a plane that is none, some with no radius, some larger than any table."""
    plane = torch.randint(-1, 7, (count,), generator=rng)
    cells = torch.randint(-3, 26, (count, 2), generator=rng)
    radii = torch.randint(-1, 8, (count,), generator=rng)
    large = torch.tensor([2**62, 100, 64, 65])[:count]
    radii[:4], plane[:4] = large, torch.tensor([0, 5, 4, 5])[:count]
    cells[:4] = torch.tensor([[3, 4], [16, 22], [0, 0], [8, 22]])[:count]
    return plane, cells, radii


def _batch(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return (*_objects(rng, 60), 6, 23, 17)


def _no_objects(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return (*_objects(rng, 0), 2, 5, 4)


def _no_columns(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return (*_objects(rng, 60), 6, 23, 0)


CASES = [
    OpCase(
        name,
        splat_gaussians,
        inputs,
        reference=reference.splat_gaussians,
        host=cuda.splat_gaussians,
        dtypes=(torch.float32,),
        tolerances=LAST_BIT,
    )
    for name, inputs in (
        ("splat_gaussians", _batch),
        ("splat_gaussians_no_objects", _no_objects),
        ("splat_gaussians_no_columns", _no_columns),
    )
]
