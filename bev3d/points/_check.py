"""Checks that the functions on points share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d._check import check_same_device

__all__ = ["Array", "as_index", "as_tensors", "check_count", "check_points", "give_back"]

Array = Any  # np.ndarray or torch.Tensor, and the same out as in


def check_points(name: str, value: Array, columns: int = 3) -> None:
    """Raise unless ``value`` is a matrix of floats with at least ``columns`` columns."""
    if not isinstance(value, np.ndarray | torch.Tensor):
        raise TypeError(f"{name}: expected a NumPy array or a torch tensor, got {type(value).__name__}")
    if value.ndim != 2 or value.shape[1] < columns:
        raise ValueError(f"{name}: expected shape (P, >= {columns}), got {tuple(value.shape)}")
    floating = value.dtype.is_floating_point if isinstance(value, torch.Tensor) else value.dtype.kind == "f"
    if not floating or value.dtype.itemsize > 8:
        raise TypeError(f"{name}: expected a floating-point dtype of at most 64 bits, got {value.dtype}")


def as_tensors(first_name: str, first: Array, **others: Array | None) -> list[Any]:
    """All of them as tensors; arrays are not copied where they need not be.

    Raises:
        TypeError: arrays and tensors mixed.
        ValueError: tensors on different devices.
    """
    for name, value in others.items():
        if value is not None and isinstance(value, torch.Tensor) != isinstance(first, torch.Tensor):
            kind = "a torch tensor" if isinstance(first, torch.Tensor) else "a NumPy array"
            raise TypeError(f"{name}: expected {kind} as {first_name}, got {type(value).__name__}")
        if isinstance(value, torch.Tensor):
            check_same_device(name, value, first_name, first)
    return [_as_tensor(value) for value in (first, *others.values())]


def as_index(name: str, value: Array | None, expected: int) -> Array | None:
    """``value`` in int64, None where it is None.

    Raises:
        TypeError: not an array of whole numbers.
        ValueError: not of shape (expected,).
    """
    if value is None:
        return None
    if not isinstance(value, np.ndarray | torch.Tensor):
        raise TypeError(f"{name}: expected a NumPy array or a torch tensor, got {type(value).__name__}")
    if isinstance(value, torch.Tensor):
        whole = not (value.dtype.is_floating_point or value.dtype.is_complex or value.dtype == torch.bool)
    else:
        whole = value.dtype.kind in "iu"
    if not whole:
        raise TypeError(f"{name}: expected an integer dtype, got {value.dtype}")
    if tuple(value.shape) != (expected,):
        raise ValueError(f"{name}: expected shape ({expected},), got {tuple(value.shape)}")
    return value.to(torch.int64) if isinstance(value, torch.Tensor) else value.astype(np.int64, copy=False)


def check_count(name: str, value: Any, least: int) -> None:
    """Raise unless ``value`` is a whole number from ``least`` on; under a compiler it may be a symbol."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer | torch.SymInt):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name}: expected an integer >= {least}, got {value}")


def give_back(result: Tensor, given: Array) -> Array:
    """``result`` as the kind of array that was given."""
    return result if isinstance(given, torch.Tensor) else result.numpy()


def _as_tensor(value: Array | None) -> Tensor | None:
    if value is None or isinstance(value, torch.Tensor):
        return value
    # torch knows neither other byte orders nor negative strides, and warns of memory that it must not write to
    return torch.from_numpy(np.require(value, value.dtype.newbyteorder("="), ["C", "W"]))
