"""What the coders share: checks, and the functions that NumPy and torch spell differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from bev3d._check import check_boxes, check_last_dim, check_positive_sizes

__all__ = [
    "Array",
    "absolute",
    "as_floats",
    "check_code",
    "check_encodable",
    "check_same_kind",
    "clip",
    "exp",
    "floor",
    "join",
    "log",
    "named_slices",
    "whole",
]

Array = Any  # np.ndarray or torch.Tensor, and the same out as in


def exp(value: Array) -> Array:
    """Element-wise exponential."""
    return torch.exp(value) if isinstance(value, torch.Tensor) else np.exp(value)


def log(value: Array) -> Array:
    """Element-wise natural logarithm."""
    return torch.log(value) if isinstance(value, torch.Tensor) else np.log(value)


def floor(value: Array) -> Array:
    """Largest whole number not above, in the same dtype."""
    return torch.floor(value) if isinstance(value, torch.Tensor) else np.floor(value)


def clip(value: Array, low: float, high: float) -> Array:
    """``value`` within [low, high]."""
    return value.clip(low, high)


def absolute(value: Array) -> Array:
    """Element-wise absolute value."""
    return abs(value)


def whole(value: Array) -> Array:
    """As int64."""
    return value.to(torch.int64) if isinstance(value, torch.Tensor) else value.astype(np.int64)


def as_floats(index: Array, like: Array) -> Array:
    """Whole numbers in the dtype of ``like``; times a Python number, torch would make float32 of them."""
    return index.to(like.dtype) if isinstance(like, torch.Tensor) else np.asarray(index).astype(like.dtype)


def join(columns: Sequence[Array]) -> Array:
    """Columns of shapes that broadcast, side by side in a new last dimension."""
    if isinstance(columns[0], torch.Tensor):
        return torch.stack(torch.broadcast_tensors(*columns), dim=-1)
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def named_slices(sizes: Mapping[str, int]) -> dict[str, slice]:
    """Slices of the last dimension, one after the other."""
    result, start = {}, 0
    for name, size in sizes.items():
        result[name] = slice(start, start + size)
        start += size
    return result


def check_encodable(boxes: Array) -> None:
    """Raise unless these are boxes with a logarithm: finite, of positive size. On CUDA values are not looked at."""
    check_boxes("boxes", boxes)
    if not isinstance(boxes, torch.Tensor) or boxes.device.type == "cpu":
        check_positive_sizes("boxes", boxes.reshape(-1, boxes.shape[-1]))


def check_same_kind(name: str, value: Array, other_name: str, other: Array) -> None:
    """Raise unless both are arrays or both are tensors, on one device, with leading dimensions that broadcast."""
    if isinstance(value, torch.Tensor) != isinstance(other, torch.Tensor):
        raise TypeError(f"{name}: expected a {type(other).__name__} as {other_name}, got {type(value).__name__}")
    if isinstance(value, torch.Tensor) and isinstance(other, torch.Tensor) and value.device != other.device:
        raise ValueError(f"{name}: expected the device of {other_name} ({other.device}), got {value.device}")
    try:
        np.broadcast_shapes(tuple(value.shape[:-1]), tuple(other.shape[:-1]))
    except ValueError:
        expected = f"leading dimensions that broadcast to {tuple(other.shape[:-1])} of {other_name}"
        raise ValueError(f"{name}: expected {expected}, got {tuple(value.shape)}") from None


def check_code(code: Array, slices: Mapping[str, slice]) -> None:
    """Raise unless the last dimension is that of the code, with or without its velocity."""
    most = slices["velocity"].stop
    check_last_dim("code", code, (most - 2, most))
