"""Checks of what losses are given, and the precision they compute in.

Checks of values cost a device synchronisation on a GPU, so there, and in a compiled graph, they are left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = [
    "check_broadcast",
    "check_class_index",
    "check_prediction",
    "check_same_shape",
    "check_unit_interval",
    "in_float32",
]


def check_prediction(name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is a floating-point tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a torch tensor, got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name}: expected a floating-point dtype, got {value.dtype}")


def check_broadcast(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ``ValueError`` unless ``value`` broadcasts to the shape of ``other``."""
    try:
        fits = torch.broadcast_shapes(value.shape, other.shape) == other.shape
    except RuntimeError:
        fits = False
    if not fits:
        expected = f"a shape that broadcasts to {tuple(other.shape)} of {other_name}"
        raise ValueError(f"{name}: expected {expected}, got {tuple(value.shape)}")


def check_same_shape(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ``ValueError`` unless both have one shape."""
    if value.shape != other.shape:
        raise ValueError(f"{name}: expected shape {tuple(other.shape)} of {other_name}, got {tuple(value.shape)}")


def check_unit_interval(name: str, value: Tensor) -> None:
    """Raise ``ValueError`` where an entry lies outside [0, 1]; NaN passes, it marks what is unknown."""
    if _values_are_free(value) and value.numel():
        low, high = value.min().item(), value.max().item()
        if low < 0 or high > 1:
            raise ValueError(f"{name}: expected values in [0, 1], got values from {low:g} to {high:g}")


def check_class_index(name: str, value: Tensor, classes: int, ignore_index: int | None = None) -> None:
    """Raise unless ``value`` holds integers in [0, classes) or ``ignore_index``."""
    if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name}: expected integer class indices, got {value.dtype}")
    if _values_are_free(value) and value.numel():
        wrong = (value < 0) | (value >= classes)
        if ignore_index is not None:
            wrong = wrong & (value != ignore_index)
        if bool(wrong.any()):
            also = "" if ignore_index is None else f" or {ignore_index} (ignored)"
            first = value[wrong].flatten()[0].item()
            raise ValueError(f"{name}: expected class indices in [0, {classes}){also}, got {first}")


def in_float32(*values: Tensor) -> tuple[Tensor, ...]:
    """The tensors in their widest dtype, float32 at least: nothing is computed in half precision."""
    dtype = torch.float32
    for value in values:
        if value.is_floating_point():
            dtype = torch.promote_types(dtype, value.dtype)
    return tuple(value.to(dtype) for value in values)


def _values_are_free(value: Tensor) -> bool:
    return value.device.type == "cpu" and not torch.compiler.is_compiling()
