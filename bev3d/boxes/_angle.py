"""Angles on one branch."""

from __future__ import annotations

import math

import numpy as np
import torch

from bev3d.boxes._backend import Array

__all__ = ["wrap_angle"]


def wrap_angle(angle: Array, *, period: float = 2 * math.pi) -> Array:
    """Bring angles into [-period/2, period/2).

    Args:
        angle: any shape, radians.
        period: 2 pi, or pi for shapes that look the same when turned by half a turn.

    Returns:
        Same shape and dtype. An angle already inside comes back bit for bit; gradients pass unchanged.
    """
    half = period / 2
    if isinstance(angle, torch.Tensor):
        turns = torch.floor((angle.detach() + half) / period)
        wrapped = angle - turns * period
        # rounding can land on the open end itself
        return torch.where(
            wrapped >= half, wrapped - period, torch.where(wrapped < -half, -half + 0 * wrapped, wrapped)
        )
    turns = np.floor((angle + half) / period)
    wrapped = angle - turns * np.asarray(period, dtype=np.asarray(angle).dtype)
    return np.where(wrapped >= half, wrapped - period, np.maximum(wrapped, -half)).astype(np.asarray(angle).dtype)
