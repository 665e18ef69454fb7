"""Radius of the Gaussian that stands for an object."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor

from bev3d._check import check_choice

__all__ = ["RadiusKind", "gaussian_radius", "oriented_radii", "radius_rule"]

RoundKind = Literal["cornernet", "legacy", "sqrt_area"]
RadiusKind = Literal["cornernet", "legacy", "sqrt_area", "oriented"]
Values = TypeVar("Values", np.ndarray, Tensor)
_LARGEST_RADIUS = 2**31 - 1


def gaussian_radius(
    length_cells: Tensor,
    width_cells: Tensor,
    *,
    kind: RoundKind = "cornernet",
    min_overlap: float = 0.1,
    min_radius: float = 0,
) -> Tensor:
    """Radius, in cells and not yet floored, within which a shifted box still overlaps the object enough.

    With sum s = l + w, product p = l w and overlap o, a corner may move by r along both axes while the IoU stays
    at least o in each of three cases (Law and Deng 2018, arXiv:1808.01244), so r is the smallest of

    * one box shifted diagonally:  r² - s r + p (1 - o) / (1 + o) = 0
    * smaller box inside:          4 r² - 2 s r + (1 - o) p = 0
    * larger box around:           4 o r² + 2 o s r - (1 - o) p = 0

    Args:
        length_cells: (N,) or 0-dim, box length over cell size.
        width_cells: same shape.
        kind: ``cornernet``, the smaller root of the first two and the positive one of the third;
            ``legacy``, what CenterPoint, OpenPCDet, mmdet3d and their descendants compute: (b + sqrt(D)) / 2 in all
            three cases, which is no root of them and up to twice as large (CornerNet itself has mended it since);
            ``sqrt_area``, half the side of the square of the same area, sqrt(l w) / 2; takes no overlap.
        min_overlap: o in (0, 1).
        min_radius: lower bound, cells.

    Returns:
        Same shape as the sizes, floating point. Sizes of 0 have radius ``min_radius``.

    Raises:
        ValueError: unknown ``kind``, ``min_overlap`` outside (0, 1), ``min_radius`` < 0, shapes that differ.
    """
    check_choice("kind", kind, get_args(RoundKind))
    _check_bounds(min_overlap, min_radius)
    length, width = _sizes(length_cells, width_cells)
    return _radius(length, width, kind, min_overlap).clamp(min=min_radius)


def oriented_radii(
    length_cells: Tensor, width_cells: Tensor, *, min_overlap: float = 0.1, min_radius: float = 0
) -> Tensor:
    """Radii along the heading and across it, in cells and not yet floored, of an ellipse in the object's proportions.

    As :func:`gaussian_radius`, but the corners may move by t l along the length and t w along the width, the same
    share t of both. Its three cases are then, whatever the proportions,

    * one box shifted diagonally:  (1 - t)² / (2 - (1 - t)²) = o
    * smaller box inside:          (1 - 2 t)² = o
    * larger box around:           1 / (1 + 2 t)² = o

    of which the second always has the smallest root (by the means of 1 and o, of 1 and sqrt(o)):

        t = (1 - sqrt(o)) / 2,    r = t l along,    t w across

    For a square this is ``cornernet``. For a long object it reaches further along and less far across than the round
    one, which is bound by the width alone: a bus of 11.1 m x 2.94 m in cells of 0.6 m has 6.3 and 1.7, not 2.1.

    Args:
        length_cells: (N,) or 0-dim, box length over cell size.
        width_cells: same shape.
        min_overlap: o in (0, 1).
        min_radius: lower bound of both, cells.

    Returns:
        (N, 2) or (2,), floating point.

    Raises:
        ValueError: ``min_overlap`` outside (0, 1), ``min_radius`` < 0, shapes that differ.
    """
    _check_bounds(min_overlap, min_radius)
    sizes = torch.stack(_sizes(length_cells, width_cells), dim=-1)
    return (sizes * _share(min_overlap)).clamp(min=min_radius)


def radius_rule(
    radius: RadiusKind | Callable[[Tensor, Tensor], Tensor], min_overlap: float, min_radius: float
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Whole radii (N,) from NumPy sizes: max(min_radius, floor(r)), r by a named rule or by the user's callable.

    For ``oriented`` they are (N, 2), along the heading and across it.

    Raises:
        ValueError: as :func:`gaussian_radius`; later, a callable that returns another shape or a value that is
            not finite.
        TypeError: neither a name nor a callable.
    """
    if not callable(radius):
        if not isinstance(radius, str):
            raise TypeError(f"radius: expected a name or a callable, got {type(radius).__name__}")
        check_choice("radius", radius, get_args(RadiusKind))
    _check_bounds(min_overlap, min_radius)

    def whole(length: np.ndarray, width: np.ndarray) -> np.ndarray:
        if callable(radius):
            values = _called(radius, length, width)
        elif radius == "oriented":
            values = np.stack([length, width], axis=-1).clip(max=_LARGEST_RADIUS) * _share(min_overlap)
        else:
            values = _radius(length, width, radius, min_overlap)
        return np.maximum(np.floor(values), np.floor(min_radius)).astype(np.int64)

    return whole


def _radius(length: Values, width: Values, kind: str, o: float) -> Values:
    """In the order of operations of the published code, so that ``legacy`` floors to the same cell counts."""
    if kind == "sqrt_area":
        return _sqrt(length * width) / 2
    total = length + width
    a1, b1, c1 = 1.0, total, width * length * (1 - o) / (1 + o)
    a2, b2, c2 = 4.0, 2 * total, (1 - o) * width * length
    a3, b3, c3 = 4 * o, -2 * o * total, (o - 1) * width * length
    quadratics = ((a1, b1, c1), (a2, b2, c2), (a3, b3, c3))
    root1, root2, root3 = (_sqrt(b * b - 4 * a * c) for a, b, c in quadratics)
    if kind == "legacy":
        return _smallest((b1 + root1) / 2, (b2 + root2) / 2, (b3 + root3) / 2)
    return _smallest((b1 - root1) / (2 * a1), (b2 - root2) / (2 * a2), (b3 + root3) / (2 * a3))


def _sqrt(value: Values) -> Values:
    """Of the positive part: for a small overlap, rounding can make the discriminant of a square negative."""
    # NumPy's root is correctly rounded; torch's may differ in the last bit, so targets are made with NumPy
    return torch.sqrt(value.clip(0)) if isinstance(value, Tensor) else np.sqrt(value.clip(0))


def _smallest(first: Values, second: Values, third: Values) -> Values:
    if isinstance(first, Tensor):
        return torch.minimum(torch.minimum(first, second), third)
    return np.minimum(np.minimum(first, second), third)


def _called(radius: Callable[[Tensor, Tensor], Tensor], length: np.ndarray, width: np.ndarray) -> np.ndarray:
    values: Any = radius(torch.from_numpy(length), torch.from_numpy(width))
    values = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if values.shape != length.shape:
        raise ValueError(f"radius: expected the callable to return shape {length.shape}, got {values.shape}")
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values))
        raise ValueError(f"radius: expected finite radii, but the callable gave {values[bad[0]]} for box {bad[0]}")
    return values


def _check_bounds(min_overlap: float, min_radius: float) -> None:
    if not 0 < min_overlap < 1:
        raise ValueError(f"min_overlap: expected a number in (0, 1), got {min_overlap}")
    if not min_radius >= 0:
        raise ValueError(f"min_radius: expected a number >= 0, got {min_radius}")


def _share(min_overlap: float) -> float:
    """Part of its length and width by which a box may shrink on either side."""
    return (1 - math.sqrt(min_overlap)) / 2


def _sizes(length_cells: Tensor, width_cells: Tensor) -> tuple[Tensor, Tensor]:
    length, width = _float(length_cells), _float(width_cells)
    if length.shape != width.shape:
        raise ValueError(f"width_cells: expected shape {tuple(length.shape)}, got {tuple(width.shape)}")
    return length, width


def _float(value: Tensor) -> Tensor:
    tensor = torch.as_tensor(value)
    return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())
