"""The few array functions that NumPy and torch spell differently, so that each formula is written once."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch

__all__ = ["Array", "atan2", "concatenate", "cos", "sin", "stack"]

Array = TypeVar("Array", np.ndarray, torch.Tensor)


def cos(value: Array) -> Array:
    """Element-wise cosine."""
    return torch.cos(value) if isinstance(value, torch.Tensor) else np.cos(value)


def sin(value: Array) -> Array:
    """Element-wise sine."""
    return torch.sin(value) if isinstance(value, torch.Tensor) else np.sin(value)


def atan2(y: Array, x: Array) -> Array:
    """Angle of the vectors (x, y)."""
    return torch.atan2(y, x) if isinstance(y, torch.Tensor) else np.arctan2(y, x)


def stack(values: list[Array]) -> Array:
    """Stack along a new last dimension."""
    if isinstance(values[0], torch.Tensor):
        return torch.stack(values, dim=-1)
    return np.stack(values, axis=-1)


def concatenate(values: list[Array]) -> Array:
    """Join along the last dimension."""
    if isinstance(values[0], torch.Tensor):
        return torch.cat(values, dim=-1)
    return np.concatenate(values, axis=-1)
