"""A way back for predicted boxes whose size has reached zero."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["collapse_penalty", "known_boxes"]

_SMALLEST_PART = 1e-3


def collapse_penalty(size: Tensor, target_size: Tensor, slope: Tensor | float) -> Tensor:
    """Penalty that makes a collapsed size grow, and is 0 for every other.

        Σ_k slope * max(0, m/1000 - size_k),   m the smallest of the target's sizes

    Overlaps and distances have no gradient that leads out of a negative size, and one that vanishes, or even
    leads further in, at zero. ``slope`` has to exceed what they can have.

    Args:
        size, target_size: (..., K), metres.
        slope: (...) or a number, per metre.

    Returns:
        (...).
    """
    floor = _SMALLEST_PART * target_size.amin(dim=-1, keepdim=True).clamp(min=0)
    return slope * (floor - size).clamp(min=0).sum(dim=-1)


def known_boxes(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Take out, before any arithmetic, the pairs whose target has a NaN among its first seven columns.

    Returns:
        which pairs are known (...), and both arrays (..., 7) with zeros in place of the others.
    """
    pred, target = pred[..., :7], target[..., :7]
    known = ~target.isnan().any(dim=-1)
    keep = known[..., None]
    return known, torch.where(keep, pred, torch.zeros_like(pred)), torch.where(keep, target, torch.zeros_like(target))
