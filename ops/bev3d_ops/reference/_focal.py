"""Heatmap focal loss in plain torch: what the compiled kernels must equal.

With t = -x where y = 1 and x elsewhere, w = 1 or (1 - y)^beta, both cases of the loss are w h(t):

    h(t) = softplus(t) sigmoid(t)^alpha        h'(t) = sigmoid(t)^alpha (sigmoid(t) + alpha sigmoid(-t) softplus(t))
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["check_maps", "focal_loss", "focal_map", "focal_slope", "focal_sums"]


def focal_loss(logits: Tensor, heatmap: Tensor, alpha: float, beta: float) -> Tensor:
    """Loss of every element, differentiable in the logits as often as wanted.

    Args:
        logits, heatmap: one shape, real numbers of one precision.
        alpha, beta: exponents >= 0.
    """
    # exp(alpha log sigmoid) keeps the slope finite at 0, where sigmoid^alpha may not be
    _, t, weight = _cases(logits, heatmap, beta)
    return weight * functional.logsigmoid(-t).neg() * torch.exp(alpha * functional.logsigmoid(t))


def focal_slope(logits: Tensor, heatmap: Tensor, alpha: float, beta: float) -> Tensor:
    """Derivative of :func:`focal_loss` by the logits, in closed form."""
    positive, t, weight = _cases(logits, heatmap, beta)
    log_p, log_q = functional.logsigmoid(t), functional.logsigmoid(-t)
    slope = weight * torch.exp(alpha * log_p) * (torch.exp(log_p) - alpha * torch.exp(log_q) * log_q)
    return torch.where(positive, -slope, slope)


def focal_map(logits: Tensor, heatmap: Tensor, alpha: float, beta: float, slope: bool = True) -> tuple[Tensor, Tensor]:
    """Loss and slope of every element, both of the shape of ``logits``; float32 for half precision.

    Args:
        logits: any shape and floating dtype.
        heatmap: same shape, any floating dtype.
        alpha, beta: exponents >= 0.
        slope: whether the slope is wanted; without it the second result is empty.
    """
    x, y = _real(logits, heatmap)
    return focal_loss(x, y, alpha, beta), focal_slope(x.detach(), y, alpha, beta) if slope else x.new_empty(0)


def focal_sums(
    logits: Tensor, heatmap: Tensor, alpha: float, beta: float, groups: int = 1, slope: bool = True
) -> tuple[Tensor, Tensor]:
    """As :func:`focal_map`, with the loss summed over each of ``groups`` equal parts of the memory: (groups,)."""
    loss, steep = focal_map(logits, heatmap, alpha, beta, slope)
    if not loss.numel():
        return loss.sum().expand(groups), steep
    return loss.reshape(groups, -1).sum(1, dtype=torch.float64).to(loss.dtype), steep


def check_maps(logits: Tensor, heatmap: Tensor, groups: int = 1) -> None:
    """Raise unless the shapes are equal and ``groups`` divides them."""
    if heatmap.shape != logits.shape:
        raise ValueError(f"heatmap: expected shape {tuple(logits.shape)}, as logits, got {tuple(heatmap.shape)}")
    if heatmap.device != logits.device:
        raise ValueError(f"heatmap: expected the device of logits ({logits.device}), got {heatmap.device}")
    if groups < 1 or logits.numel() % groups:
        raise ValueError(f"groups: expected a divisor of {logits.numel()} elements, got {groups}")


def _real(logits: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return logits.to(dtype), heatmap.detach().to(dtype)


def _cases(logits: Tensor, heatmap: Tensor, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    positive = heatmap == 1
    return positive, torch.where(positive, -logits, logits), torch.where(positive, 1.0, (1 - heatmap) ** beta)
