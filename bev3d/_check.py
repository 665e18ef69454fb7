"""Argument checks whose messages name the argument, what is expected and what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

__all__ = ["check_boxes", "check_choice", "check_last_dim", "check_positive_sizes", "check_same_device"]

Array = Any  # np.ndarray or torch.Tensor


def check_last_dim(name: str, value: Array, allowed: Sequence[int]) -> None:
    """Raise unless ``value`` is an array or tensor of floats whose last dimension is one of ``allowed``."""
    if not isinstance(value, np.ndarray | torch.Tensor):
        raise TypeError(f"{name}: expected a NumPy array or a torch tensor, got {type(value).__name__}")
    floating = value.dtype.is_floating_point if isinstance(value, torch.Tensor) else value.dtype.kind == "f"
    if not floating:
        raise TypeError(f"{name}: expected a floating-point dtype, got {value.dtype}")
    if value.ndim < 1 or value.shape[-1] not in allowed:
        expected = " or ".join(f"(..., {size})" for size in allowed)
        raise ValueError(f"{name}: expected shape {expected}, got {tuple(value.shape)}")


def check_boxes(name: str, value: Array) -> None:
    """Raise unless ``value`` holds boxes of shape (..., 7) or (..., 9)."""
    check_last_dim(name, value, (7, 9))


def check_positive_sizes(name: str, boxes: Array) -> None:
    """Raise, naming the indices, where ground-truth boxes have a non-finite entry or a size that is not positive.

    Args:
        name: argument name for the message.
        boxes: (N, 7 or 9); the velocity columns may be NaN.
    """
    values = boxes.detach().cpu().numpy() if isinstance(boxes, torch.Tensor) else np.asarray(boxes)
    finite = np.isfinite(values[:, :7]).all(axis=1)
    positive = (values[:, 3:6] > 0).all(axis=1)
    for what, good in (("finite x, y, z, length, width, height, yaw", finite), ("sizes > 0", positive)):
        bad = np.flatnonzero(~good)
        if bad.size:
            shown = ", ".join(f"{i}: {np.array2string(values[i, :7], precision=3)}" for i in bad[:3])
            raise ValueError(f"{name}: expected {what}, but {bad.size} of {len(values)} boxes differ ({shown})")


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")


def check_same_device(name: str, value: torch.Tensor, other_name: str, other: torch.Tensor) -> None:
    """Raise unless both tensors are on one device."""
    if value.device != other.device:
        raise ValueError(f"{name}: expected the device of {other_name} ({other.device}), got {value.device}")
