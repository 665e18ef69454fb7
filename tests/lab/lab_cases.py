"""Losses whose behaviour is known, and boxes to try them on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bev3d.lab import LabLoss, all_losses

LOSSES = all_losses()
TARGET = [0.0, 0, 0, 2, 1, 1, 0]


def made(function: Callable[[Tensor, Tensor], Tensor], name: str = "made") -> LabLoss:
    """A loss from a formula."""
    return LabLoss(name, name, "coordinates", f"{name}()", lambda pred, target, space: function(pred, target))


def boxes(*rows: list[float]) -> Tensor:
    """(N, 7) float64."""
    return torch.tensor(rows, dtype=torch.float64)


def changed(**values: float) -> list[float]:
    """The target with some columns changed."""
    columns = ("x", "y", "z", "l", "w", "h", "yaw")
    return [values.get(name, old) for name, old in zip(columns, TARGET, strict=True)]
