"""Sigmoid focal loss as OpenPCDet computes it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["openpcdet_sigmoid_focal_loss"]


def openpcdet_sigmoid_focal_loss(
    logits: Tensor, target: Tensor, weights: Tensor, *, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """OpenPCDet's SigmoidFocalClassificationLoss, unreduced.

    Wrong: for gamma below 1 the gradient is infinite, then NaN, where the sigmoid rounds to 0 or 1. Use
    :func:`bev3d.losses.focal_loss`.

    Args:
        logits: (B, N, C).
        target: (B, N, C) one-hot.
        weights: (B, N) weight of each anchor.
        alpha: weight of a positive.
        gamma: focusing power.

    Returns:
        (B, N, C).
    """
    p = logits.sigmoid()
    balance = target * alpha + (1 - target) * (1 - alpha)
    wrong = target * (1 - p) + (1 - target) * p
    entropy = logits.clamp(min=0) - logits * target + torch.log1p(torch.exp(-logits.abs()))
    return balance * wrong**gamma * entropy * weights[..., None]
