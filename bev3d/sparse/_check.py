"""Checks that the functions for sparse tensors share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bev3d._check import check_same_device

__all__ = ["Sizes", "Three", "check_coordinates", "check_features", "three"]

Three = tuple[int, int, int]
"""Of z, y and x."""

Sizes = int | Sequence[int]
"""One number for z, y and x, or three."""


def three(name: str, value: Sizes, least: int) -> Three:
    """``value`` for z, y and x.

    Raises:
        TypeError: not integers.
        ValueError: not one or three, or below ``least``.
    """
    values = (value, value, value) if isinstance(value, int) else tuple(value)
    if not all(isinstance(part, int) and not isinstance(part, bool) for part in values):
        raise TypeError(f"{name}: expected an integer or three, got {value!r}")
    if len(values) != 3 or min(values) < least:
        raise ValueError(f"{name}: expected an integer or three (z, y, x), each >= {least}, got {value!r}")
    return values


def check_coordinates(coordinates: Tensor) -> None:
    """Raise unless ``coordinates`` is a tensor (V, 4) of int32 or int64."""
    if not isinstance(coordinates, Tensor):
        raise TypeError(f"coordinates: expected a torch tensor, got {type(coordinates).__name__}")
    if coordinates.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"coordinates: expected dtype int32 or int64, got {coordinates.dtype}")
    if coordinates.ndim != 2 or coordinates.shape[1] != 4:
        raise ValueError(f"coordinates: expected shape (V, 4), batch, z, y, x, got {tuple(coordinates.shape)}")
    if len(coordinates) >= 2**31:
        raise ValueError(f"coordinates: expected fewer than 2**31 rows, got {len(coordinates)}")


def check_features(features: Tensor, sites: Tensor, sites_name: str) -> None:
    """Raise unless ``features`` is a floating-point tensor (V, C) with a row for each of ``sites``, on its device."""
    if not isinstance(features, Tensor):
        raise TypeError(f"features: expected a torch tensor, got {type(features).__name__}")
    if not features.dtype.is_floating_point:
        raise TypeError(f"features: expected a floating-point dtype, got {features.dtype}")
    if features.ndim != 2 or len(features) != len(sites):
        raise ValueError(
            f"features: expected shape ({len(sites)}, C), a row for each row of {sites_name}, "
            f"got {tuple(features.shape)}"
        )
    check_same_device("features", features, sites_name, sites)
