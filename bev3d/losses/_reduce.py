"""Reduction of a loss map, in one place."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bev3d._check import check_choice

__all__ = ["Reduction", "reduce_loss", "weighted_mean"]

Reduction = Literal["none", "mean", "sum"]


def reduce_loss(loss: Tensor, reduction: Reduction, count: Tensor | None = None) -> Tensor:
    """Apply ``reduction``; the mean of an empty map is 0 with its graph kept, not NaN.

    Args:
        loss: unreduced map, 0 where an entry does not count.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        count: 0-dim, at least 1, what the mean divides by where entries are left out; None: all entries.
    """
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.sum() / (max(loss.numel(), 1) if count is None else count)


def weighted_mean(loss: Tensor, weight: Tensor | None, avg_factor: Tensor | float | None) -> Tensor:
    """Sum of ``weight * loss`` over ``avg_factor``, or over the number of elements where that is None.

    Args:
        loss: unreduced map.
        weight: broadcasts to ``loss``; entries of weight 0 do not count, even where the loss is not finite.
        avg_factor: positive normaliser, such as the number of positives (at least 1).
    """
    if weight is not None:
        try:
            weight = torch.as_tensor(weight, dtype=loss.dtype, device=loss.device).expand_as(loss)
        except RuntimeError as error:
            raise ValueError(
                f"weight: expected a shape that broadcasts to {tuple(loss.shape)}, got {tuple(weight.shape)}"
            ) from error
        loss = torch.where(weight != 0, loss * weight, torch.zeros_like(loss))
    return loss.sum() / (max(loss.numel(), 1) if avg_factor is None else avg_factor)
