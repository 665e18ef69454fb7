"""Regression targets with unknown components, marked by NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._inputs import check_broadcast, check_prediction, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["ElementwiseModule", "check_positive", "elementwise_loss", "known_count"]


def elementwise_loss(
    pred: Tensor, target: Tensor, reduction: Reduction, of_difference: Callable[[Tensor], Tensor]
) -> Tensor:
    """``of_difference(pred - target)``, exactly 0 with gradient 0 where the target is NaN, reduced over the others."""
    check_prediction("pred", pred)
    check_broadcast("target", target, "pred", pred)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    real, wanted = in_float32(pred, target)
    known = ~wanted.isnan()
    difference = torch.where(known, real, 0.0) - torch.where(known, wanted, 0.0)
    loss = torch.where(known, of_difference(difference), 0.0)
    return reduce_loss(loss, reduction, known_count(pred, target))


def known_count(pred: Tensor, target: Tensor) -> Tensor:
    """Components of the target that are not NaN, as often as they meet a prediction; at least 1."""
    return (~target.isnan()).expand(pred.shape).sum().clamp(min=1)


class ElementwiseModule(LossModule):
    """A loss of components, whose mean is over the known ones."""

    def count(self, pred: Tensor, target: Tensor, *more: Any) -> Tensor:
        """Known components."""
        return known_count(pred, target)


def check_positive(name: str, value: float) -> None:
    """Raise unless a number is above 0."""
    if not value > 0:
        raise ValueError(f"{name}: expected a number above 0, got {value}")
