"""Rows for the heatmap focal loss."""

from __future__ import annotations

from typing import Any

import torch
from oracles.loss_case import LossCase
from torch import Tensor

from bev3d.losses import HeatmapFocalLoss, heatmap_focal_loss


def _inputs(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    logits = 3 * torch.randn(2, 3, 8, 8, generator=rng, dtype=torch.float64)
    heatmap = torch.rand(2, 3, 8, 8, generator=rng, dtype=torch.float64) ** 2
    heatmap[:, :, 2, 3] = 1
    return logits.to(dtype), heatmap.to(dtype)


def _in_probabilities(logits: Tensor, heatmap: Tensor) -> Tensor:
    """CornerNet's equation 1, in probabilities and double precision."""
    p, y = logits.double().sigmoid(), heatmap.double()
    q = (-logits.double()).sigmoid()
    return torch.where(y == 1, -(q**2) * p.log(), -((1 - y) ** 4) * p**2 * q.log())


CASES = [
    LossCase(
        "heatmap_focal_loss",
        heatmap_focal_loss,
        HeatmapFocalLoss,
        _inputs,
        _in_probabilities,
        "CornerNet (1808.01244) equation 1 in float64 probabilities",
        logits=True,
    )
]
