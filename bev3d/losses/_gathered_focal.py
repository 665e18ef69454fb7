"""Heatmap focal loss whose positives are gathered at the objects."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._inputs import (
    check_class_index,
    check_prediction,
    check_same_shape,
    check_unit_interval,
    in_float32,
)
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["GatheredHeatmapFocalLoss", "gathered_heatmap_focal_loss"]


def gathered_heatmap_focal_loss(
    logits: Tensor,
    heatmap: Tensor,
    cell_index: Tensor,
    class_index: Tensor,
    mask: Tensor,
    *,
    alpha: float = 2.0,
    beta: float = 4.0,
    reduction: Reduction = "none",
) -> Tensor:
    """Focal loss of a heatmap: negatives dense, positives object by object (CenterPoint's FastFocalLoss, 2006.11275).

        sum over cells of (1 - y)^b softplus(x) sigmoid(x)^a + sum over objects of softplus(-x) sigmoid(-x)^a

    Two objects of one class in one cell count twice. Else it equals :func:`bev3d.losses.heatmap_focal_loss`.

    Args:
        logits: (B, C, H, W).
        heatmap: (B, C, H, W) in [0, 1]; 1 at the objects' cells; no gradient flows into it.
        cell_index: (B, M) int64, row * W + column.
        class_index: (B, M) int64.
        mask: (B, M) bool, the slots that hold an object; the others may hold anything.
        alpha: a. CenterPoint's 2.
        beta: b. CenterPoint's 4.
        reduction: ``"none"``, ``"mean"``: the sum over the number of objects, at least 1, or ``"sum"``.

    Returns:
        (B, C, H, W), each object's term at its cell, or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not fit, values or indices out of range, an unknown reduction.
        TypeError: predictions that are not floating-point tensors, a mask that is not bool.
    """
    _check(logits, heatmap, cell_index, class_index, mask)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    x, y = in_float32(logits, heatmap.detach())
    negative = -((1 - y) ** beta) * torch.exp(alpha * functional.logsigmoid(x)) * functional.logsigmoid(-x)
    flat = torch.where(mask, class_index * (logits.shape[2] * logits.shape[3]) + cell_index, 0)
    at_objects = x.flatten(1).gather(1, flat)
    positive = -torch.exp(alpha * functional.logsigmoid(-at_objects)) * functional.logsigmoid(at_objects)
    positive = torch.where(mask, positive, torch.zeros_like(positive))
    loss = negative.flatten(1).scatter_add(1, flat, positive).reshape(x.shape)
    return reduce_loss(loss, reduction, mask.sum().clamp(min=1))


class GatheredHeatmapFocalLoss(nn.Module):
    """:func:`gathered_heatmap_focal_loss`, summed over the number of objects or ``avg_factor``.

    Args:
        alpha, beta: as the function.
    """

    def __init__(self, *, alpha: float = 2.0, beta: float = 4.0) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(
        self,
        logits: Tensor,
        heatmap: Tensor,
        cell_index: Tensor,
        class_index: Tensor,
        mask: Tensor,
        *,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """See the function; ``avg_factor`` in place of the number of objects."""
        reduction: Reduction = "mean" if avg_factor is None else "sum"
        loss = gathered_heatmap_focal_loss(
            logits, heatmap, cell_index, class_index, mask, alpha=self.alpha, beta=self.beta, reduction=reduction
        )
        return loss if avg_factor is None else loss / avg_factor


def _check(logits: Tensor, heatmap: Tensor, cell_index: Tensor, class_index: Tensor, mask: Tensor) -> None:
    check_prediction("logits", logits)
    if logits.ndim != 4:
        raise ValueError(f"logits: expected shape (B, C, H, W), got {tuple(logits.shape)}")
    check_same_shape("heatmap", heatmap, "logits", logits)
    check_unit_interval("heatmap", heatmap)
    if mask.dtype != torch.bool:
        raise TypeError(f"mask: expected bool, got {mask.dtype}")
    if mask.ndim != 2 or mask.shape[0] != logits.shape[0]:
        raise ValueError(f"mask: expected shape ({logits.shape[0]}, M), got {tuple(mask.shape)}")
    limits = (
        ("cell_index", cell_index, logits.shape[2] * logits.shape[3]),
        ("class_index", class_index, logits.shape[1]),
    )
    for name, index, limit in limits:
        check_same_shape(name, index, "mask", mask)
        check_class_index(name, torch.where(mask, index, 0), limit if index.numel() else limit + 1)
