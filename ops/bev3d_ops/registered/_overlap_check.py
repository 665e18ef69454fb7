"""What the operations on overlaps take."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from bev3d_ops._overlap_kinds import KINDS

__all__ = ["check_aligned", "check_boxes"]


def check_boxes(a: Tensor, b: Tensor, kind: int, kinds: Collection[int] = tuple(KINDS.values())) -> torch.dtype:
    """The wider dtype of boxes a (N, >= 7) and b (M, >= 7); raises unless they are, on one device, and kind fits."""
    for name, value in (("a", a), ("b", b)):
        if value.ndim != 2 or value.shape[1] < 7:
            raise ValueError(f"{name}: expected shape (N, 7) or wider, got {tuple(value.shape)}")
        if not value.dtype.is_floating_point:
            raise TypeError(f"{name}: expected a floating-point dtype, got {value.dtype}")
    if b.device != a.device:
        raise ValueError(f"b: expected the device of a ({a.device}), got {b.device}")
    if kind not in kinds:
        raise ValueError(f"kind: expected one of {', '.join(map(str, kinds))}, got {kind}")
    return torch.promote_types(a.dtype, b.dtype)


def check_aligned(a: Tensor, b: Tensor, kind: int) -> torch.dtype:
    """As :func:`check_boxes`, for as many boxes of each."""
    if a.shape[0] != b.shape[0]:
        raise ValueError(f"b: expected as many boxes as a ({a.shape[0]}), got {b.shape[0]}")
    return check_boxes(a, b, kind)
