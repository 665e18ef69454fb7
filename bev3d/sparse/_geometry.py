"""Shapes of what a sparse convolution writes, and whether it writes anything."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d.sparse._check import Three, three
from bev3d.sparse._tensor import Geometry

__all__ = ["output_shape", "reaches_anything"]


def output_shape(shape: Three, geometry: Geometry) -> Three:
    """Grid of the output: torch's conv3d formula, or the input's grid where the convolution is submanifold.

    Raises:
        ValueError: a kernel that is larger than the padded grid.
    """
    if geometry.submanifold:
        return shape
    g = geometry
    sizes = zip(shape, g.kernel_size, g.stride, g.padding, g.dilation, strict=True)
    return three("shape of the output", [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes], 1)


def reaches_anything(coordinates: Tensor, shape: Three, geometry: Geometry) -> bool:
    """Whether a site of the input reaches the output: those at the far end of a grid may reach nothing.

    The device is waited for only where a cell of the grid reaches nothing at all.
    """
    if geometry.submanifold or not len(coordinates):
        return len(coordinates) > 0
    g, to = geometry, output_shape(shape, geometry)
    reached = torch.ones(len(coordinates), dtype=torch.bool, device=coordinates.device)
    every = True
    for axis, size in enumerate(shape):
        k, s, p, d = (part[axis] for part in (g.kernel_size, g.stride, g.padding, g.dilation))
        steps = torch.arange(size)[:, None] + p - d * torch.arange(k)
        arrives = ((steps % s == 0) & (steps >= 0) & (steps < to[axis] * s)).any(dim=1)
        if not bool(arrives.all()):
            every = False
            reached &= arrives.to(coordinates.device)[coordinates[:, axis + 1].long()]
    return every or bool(reached.any())
