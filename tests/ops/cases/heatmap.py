"""Rows for splatting Gaussians; those for planes that exist already are in tests/targets."""

from __future__ import annotations

from typing import Any

import torch
from oracles.op_case import OpCase
from torch import Tensor

from bev3d_ops.cuda import _heatmap as cuda
from bev3d_ops.reference import _heatmap as reference
from bev3d_ops.reference import _heatmap_oriented as oriented
from bev3d_ops.registered._heatmap import splat_ellipses, splat_gaussians

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


def _ellipses(rng: torch.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """As above, with headings and centres in and beside the own cell."""
    plane, cells, _ = _objects(rng, count)
    radii = torch.randint(-1, 8, (count, 2), generator=rng)
    radii[:4] = torch.tensor([[2**31 - 1, 2], [100, 3], [0, 0], [1, 70]])[:count]
    angle = torch.rand(count, generator=rng, dtype=torch.float64) * 7 - 3
    centre = cells + torch.rand(count, 2, generator=rng, dtype=torch.float64) - 0.5
    return plane, cells, torch.cat([centre, radii, angle.cos()[:, None], angle.sin()[:, None]], dim=1)


def _ellipse_batch(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return (*_ellipses(rng, 60), 1.3, 0.7, 6, 23, 17)


def _no_ellipses(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return (*_ellipses(rng, 0), 1.0, 1.0, 2, 5, 4)


def _ellipses_reference(
    plane_index: Tensor, cells_xy: Tensor, shapes: Tensor, stretch_x: float, stretch_y: float, *shape: int
) -> Tensor:
    parts = (values.numpy() for values in (plane_index, *cells_xy.unbind(1), *shapes.split(2, dim=1)))
    planes = torch.zeros(shape)
    oriented.splat_ellipses(planes, oriented.Ellipses(*parts, (stretch_x, stretch_y)))
    return planes


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
CASES += [
    OpCase(
        name,
        splat_ellipses,
        inputs,
        reference=_ellipses_reference,
        host=cuda.splat_ellipses,
        dtypes=(torch.float32,),
        tolerances={torch.float32: (0.0, 1e-7)},
    )
    for name, inputs in (("splat_ellipses", _ellipse_batch), ("splat_ellipses_no_objects", _no_ellipses))
]
