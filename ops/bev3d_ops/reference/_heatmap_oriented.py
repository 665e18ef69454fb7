"""Elliptical Gaussians along a heading, in plain torch: what the compiled kernel must equal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Ellipses", "check_ellipses", "shapes_of", "splat_ellipses"]


class Ellipses(NamedTuple):
    """Of each of N objects where and how it is drawn.

    Attributes:
        plane: (N,) int64, its plane; one that is none draws nothing.
        column, row: (N,) int64, its own cell; one outside the map draws nothing.
        centre: (N, 2) float64, column and row about which the Gaussian lies; the middle of a cell is a whole number.
        radii: (N, 2) whole numbers, along the heading and across it; one below 0 draws nothing.
        direction: (N, 2) float64, cosine and sine of the heading.
        stretch: what a step of a column and one of a row are worth, in the unit of the radii.
    """

    plane: NDArray[np.int64]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    centre: NDArray[np.float64]
    radii: NDArray[np.int64] | NDArray[np.float64]
    direction: NDArray[np.float64]
    stretch: tuple[float, float]


def splat_ellipses(planes: Tensor, ellipses: Ellipses) -> None:
    """Raise ``planes`` (P, H, W), in place, to the maximum of itself and one Gaussian per object.

    With (u, v) a cell's distance from the centre along the heading and across it, and sigma = (2 r + 1) / 6 of either:
    exp(-u² / (2 sigma_u²) - v² / (2 sigma_v²)) for |u| <= 3 sigma_u and |v| <= 3 sigma_v, in float64 before it is
    rounded; 0 beyond; and 1 in the object's own cell, wherever in it the centre is.
    """
    count, rows, columns = planes.shape
    y, x = torch.meshgrid(torch.arange(rows).double(), torch.arange(columns).double(), indexing="ij")
    scale_x, scale_y = ellipses.stretch
    for i, plane in enumerate(ellipses.plane.tolist()):
        column, row = int(ellipses.column[i]), int(ellipses.row[i])
        along, across = ellipses.radii[i].tolist()
        if not (0 <= plane < count and 0 <= column < columns and 0 <= row < rows and along >= 0 and across >= 0):
            continue
        cosine, sine = ellipses.direction[i].tolist()
        dx, dy = (x - float(ellipses.centre[i, 0])) * scale_x, (y - float(ellipses.centre[i, 1])) * scale_y
        u, v = dx * cosine + dy * sine, dy * cosine - dx * sine
        sigma_u, sigma_v = (2 * along + 1) / 6, (2 * across + 1) / 6
        gaussian = torch.exp(-(u * u / (2 * sigma_u * sigma_u) + v * v / (2 * sigma_v * sigma_v)))
        gaussian[(u.abs() > along + 0.5) | (v.abs() > across + 0.5)] = 0
        gaussian[row, column] = 1
        torch.maximum(planes[plane], gaussian.to(planes.dtype), out=planes[plane])


def shapes_of(ellipses: Ellipses) -> NDArray[np.float64]:
    """(N, 6) float64: centre, radii and direction side by side, as the registered operation takes them."""
    return np.concatenate([ellipses.centre, ellipses.radii, ellipses.direction], axis=1, dtype=np.float64)


def check_ellipses(plane_index: Tensor, cells_xy: Tensor, shapes: Tensor, stretch_x: float, stretch_y: float) -> None:
    """Raise unless shapes, types and the device are those of the registered ``splat_ellipses``."""
    if shapes.ndim != 2 or shapes.shape[1] != 6 or shapes.dtype != torch.float64:
        raise ValueError(f"shapes: expected (N, 6) float64, got {tuple(shapes.shape)} {shapes.dtype}")
    count = shapes.shape[0]
    for name, value, shape in (("plane_index", plane_index, (count,)), ("cells_xy", cells_xy, (count, 2))):
        if tuple(value.shape) != shape or value.dtype != torch.int64:
            raise ValueError(f"{name}: expected {shape} int64, as shapes, got {tuple(value.shape)} {value.dtype}")
        if value.device != shapes.device:
            raise ValueError(f"{name}: expected the device of shapes ({shapes.device}), got {value.device}")
    if not (stretch_x > 0 and stretch_y > 0):
        raise ValueError(f"stretch_x, stretch_y: expected numbers > 0, got {stretch_x} and {stretch_y}")
