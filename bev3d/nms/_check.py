"""What the functions of this package accept."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bev3d._check import check_boxes, check_choice, check_same_device
from bev3d_ops._arrays import Array, kernel_arrays
from bev3d_ops.registered._nms import BEV, CIRCLE, DIOU

__all__ = ["Kind", "as_floats", "as_integers", "check_arrays", "check_count", "checked_kind"]

Kind = Literal["bev", "circle", "diou"]

_KINDS = {"bev": BEV, "circle": CIRCLE, "diou": DIOU}


def checked_kind(kind: Kind, threshold: float) -> int:
    """Number of the kind, whose threshold is one."""
    check_choice("kind", kind, tuple(_KINDS))
    if kind == "circle":
        if not 0 <= threshold < math.inf:
            raise ValueError(f"radius_m: expected a finite number of metres >= 0, got {threshold}")
    elif not 0 <= threshold <= 1:
        raise ValueError(f"threshold: expected {'an IoU' if kind == 'bev' else 'a DIoU'} in [0, 1], got {threshold}")
    return _KINDS[kind]


def check_count(name: str, value: int | None) -> None:
    """Raise unless ``value`` is None or a whole number of at least 1."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1):
        raise ValueError(f"{name}: expected None or a whole number >= 1, got {value!r}")


def check_arrays(boxes: Array, scores: Array, **integers: Array | None) -> None:
    """Raise unless these are boxes (N, 7 or 9), N floating-point scores and N integers each, on one device."""
    check_boxes("boxes", boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes: expected shape (N, 7 or 9), got {tuple(boxes.shape)}")
    for name, value in {"scores": scores, **integers}.items():
        if value is None:
            continue
        if not isinstance(value, np.ndarray | torch.Tensor):
            raise TypeError(f"{name}: expected a NumPy array or a torch tensor, got {type(value).__name__}")
        if tuple(value.shape) != (len(boxes),):
            raise ValueError(f"{name}: expected shape ({len(boxes)},) as boxes, got {tuple(value.shape)}")
        if not _has_kind(value, "f" if name == "scores" else "i"):
            expected = "a floating-point" if name == "scores" else "an integer"
            raise TypeError(f"{name}: expected {expected} dtype, got {value.dtype}")
        if isinstance(boxes, Tensor) and isinstance(value, Tensor):
            check_same_device(name, value, "boxes", boxes)
        elif isinstance(boxes, Tensor) != isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a {type(boxes).__name__} as boxes, got {type(value).__name__}")


def as_floats(value: Array) -> Tensor:
    """Detached; a NumPy array as the tensor of float32 or float64 that shares its memory where it can."""
    return value.detach() if isinstance(value, Tensor) else torch.from_numpy(kernel_arrays(value)[0])


def as_integers(value: Array | None) -> Tensor | None:
    """As int64."""
    if value is None or isinstance(value, Tensor):
        return None if value is None else value.detach().to(torch.int64)
    return torch.from_numpy(np.require(value, np.int64, ["C", "W"]))


def _has_kind(value: Array, kind: Literal["f", "i"]) -> bool:
    if isinstance(value, Tensor):
        floating = value.dtype.is_floating_point
        whole = not (floating or value.dtype.is_complex or value.dtype is torch.bool)
        return floating if kind == "f" else whole
    return value.dtype.kind == "f" if kind == "f" else value.dtype.kind in "iu"
