"""Rows for the focal loss with gathered positives."""

from __future__ import annotations

from typing import Any

import torch
from oracles.loss_case import LossCase
from torch import Tensor

from bev3d import losses


def _objects(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    logits = 3 * torch.randn(2, 3, 6, 7, generator=rng, dtype=torch.float64)
    heatmap = torch.rand(2, 3, 6, 7, generator=rng, dtype=torch.float64) ** 2
    cell_index = torch.randint(0, 42, (2, 5), generator=rng)
    cell_index[:, 1] = cell_index[:, 0]  # two objects in one cell, of one class in the first sample
    class_index = torch.tensor([[0, 0, 2, 1, 2], [1, 2, 0, 0, 1]])
    mask = torch.tensor([[True, True, True, False, True], [True, True, False, False, True]])
    for b in range(2):
        for m in range(5):
            if mask[b, m]:
                heatmap[b, class_index[b, m]].view(-1)[cell_index[b, m]] = 1
    cell_index = torch.where(mask, cell_index, -9)
    return logits.to(dtype), heatmap.to(dtype), cell_index, class_index, mask


def _by_objects(logits: Tensor, heatmap: Tensor, cell_index: Tensor, class_index: Tensor, mask: Tensor) -> Tensor:
    p, y = logits.double().sigmoid(), heatmap.double()
    loss = -((1 - y) ** 4) * p**2 * (1 - p).log()
    for b, m in mask.nonzero().tolist():
        row, column = divmod(cell_index[b, m].item(), logits.shape[3])
        q = p[b, class_index[b, m], row, column]
        loss[b, class_index[b, m], row, column] -= (1 - q) ** 2 * q.log()
    return loss


CASES = [
    LossCase(
        "gathered_heatmap_focal_loss",
        losses.gathered_heatmap_focal_loss,
        losses.GatheredHeatmapFocalLoss,
        _objects,
        _by_objects,
        "its definition in float64 probabilities, object by object",
        logits=True,
        has_module_weight=False,
    )
]
