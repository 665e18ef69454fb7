"""Rows for moving sweeps."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from oracles.op_case import OpCase

from bev3d_ops.cuda import _sweeps as cuda
from bev3d_ops.reference._sweeps import transform_sweeps as sweeps_reference
from bev3d_ops.registered._sweeps import transform_sweeps


def _poses(rng: torch.Generator, count: int) -> torch.Tensor:
    """Rotations about all axes, positions of a city's map."""
    rotation, _ = torch.linalg.qr(torch.randn(count, 3, 3, generator=rng, dtype=torch.float64))
    poses = torch.eye(4, dtype=torch.float64).repeat(count, 1, 1)
    poses[:, :3, :3] = rotation
    poses[:, :3, 3] = 1000 * torch.randn(count, 3, generator=rng, dtype=torch.float64)
    return poses


def _sweeps(
    rng: torch.Generator,
    dtype: torch.dtype,
    offsets: tuple[int, ...] = (0, 20, 130, 130, 300),
    width: int = 5,
    columns: int = 4,
    broken: bool = False,
) -> tuple[Any, ...]:
    points = (20 * torch.randn(300, width, generator=rng, dtype=torch.float64)).to(dtype)
    points[:40, :2] = torch.rand(40, 2, generator=rng).to(dtype) * 2 - 1
    points[7, :2], points[8, 0], points[8, 1] = 1.0, 1.0, 0.5
    points[9, 0], points[9, 1] = 0.5, -1.0
    if broken:
        points[5, 1], points[6, 0], points[60, 3] = math.nan, math.inf, math.nan
    sweeps = len(offsets) - 1
    lags = 0.05 * torch.arange(sweeps, dtype=torch.float64)
    return points, torch.tensor(offsets), _poses(rng, sweeps), lags, columns, 1.0, 1 / 255


CASES = [
    OpCase(
        f"transform_sweeps {name}",
        transform_sweeps,
        inputs,
        reference=sweeps_reference,
        host=cuda.transform_sweeps,
        differentiable=(0,),
        # sums of thousands of metres, in another order
        # which takes one NaN for different from another
        opcheck_without=("test_aot_dispatch_dynamic",) if "none" in name else (),
        tolerances={torch.float32: (1e-6, 1e-5), torch.float64: (1e-13, 1e-11)},
    )
    for name, inputs in (
        ("of a sample", _sweeps),
        ("with points that are none", partial(_sweeps, broken=True)),
        ("with room to spare", partial(_sweeps, offsets=(0, 10, 250))),
        ("of coordinates alone", partial(_sweeps, offsets=(0, 100, 300), width=3, columns=3)),
        ("with every column", partial(_sweeps, offsets=(0, 300), width=7, columns=7)),
    )
]
