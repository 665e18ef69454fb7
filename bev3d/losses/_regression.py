"""Losses of a difference, component by component."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bev3d.losses._known import ElementwiseModule, check_positive, elementwise_loss
from bev3d.losses._reduce import Reduction

__all__ = [
    "BalancedL1Loss",
    "FocalL1Loss",
    "HuberLoss",
    "L1Loss",
    "L2Loss",
    "SmoothL1Loss",
    "balanced_l1_loss",
    "focal_l1_loss",
    "huber_loss",
    "l1_loss",
    "l2_loss",
    "smooth_l1",
    "smooth_l1_loss",
]

LIDAR_BETA = 1 / 9


def l1_loss(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """|d|, d = pred - target.

    Args:
        pred: (...), in the units of the target.
        target: broadcasts to ``pred``; NaN: unknown, that component does not count.
        reduction: ``"none"``, ``"mean"`` over the known components, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least; 0 with gradient 0 where pred equals target or the target is unknown.

    Raises:
        ValueError: shapes that do not broadcast, an option out of range, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    return elementwise_loss(pred, target, reduction, torch.abs)


class L1Loss(ElementwiseModule):
    """Mean of :func:`l1_loss` over the known components."""

    def __init__(self) -> None:
        super().__init__(l1_loss)


def l2_loss(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """d², without the half that some write. Arguments, result and errors as :func:`l1_loss`."""
    return elementwise_loss(pred, target, reduction, torch.square)


class L2Loss(ElementwiseModule):
    """Mean of :func:`l2_loss` over the known components."""

    def __init__(self) -> None:
        super().__init__(l2_loss)


def smooth_l1_loss(pred: Tensor, target: Tensor, *, beta: float = LIDAR_BETA, reduction: Reduction = "none") -> Tensor:
    """Smooth L1 (Girshick, ICCV 2015, 1504.08083, with a point of change b).

        |d| < b: d² / (2 b);   else |d| - b / 2

    LiDAR heads since SECOND use b = 1/9 (there written sigma = 3), PyTorch's default is 1. As b goes to 0 it
    becomes |d|, unlike Huber, which becomes 0.

    Args:
        beta: b, at least 0.

    Other arguments, result and errors as :func:`l1_loss`.
    """
    if beta < 0:
        raise ValueError(f"beta: expected at least 0, got {beta}")
    return elementwise_loss(pred, target, reduction, lambda difference: smooth_l1(difference, beta))


class SmoothL1Loss(ElementwiseModule):
    """Mean of :func:`smooth_l1_loss` over the known components.

    Args:
        beta: point of change.
    """

    def __init__(self, *, beta: float = LIDAR_BETA) -> None:
        super().__init__(smooth_l1_loss, beta=beta)


def huber_loss(pred: Tensor, target: Tensor, *, delta: float = 1.0, reduction: Reduction = "none") -> Tensor:
    """Huber's loss (Annals of Mathematical Statistics, 1964): delta times smooth L1 of beta = delta.

        |d| < delta: d² / 2;   else delta (|d| - delta / 2)

    Args:
        delta: point of change, above 0.

    Other arguments, result and errors as :func:`l1_loss`.
    """
    check_positive("delta", delta)
    return elementwise_loss(pred, target, reduction, lambda difference: delta * smooth_l1(difference, delta))


class HuberLoss(ElementwiseModule):
    """Mean of :func:`huber_loss` over the known components.

    Args:
        delta: point of change.
    """

    def __init__(self, *, delta: float = 1.0) -> None:
        super().__init__(huber_loss, delta=delta)


def balanced_l1_loss(
    pred: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    gamma: float = 1.5,
    beta: float = 1.0,
    reduction: Reduction = "none",
) -> Tensor:
    """Balanced L1 (Pang et al., CVPR 2019, 1904.02701, equation 10).

        |d| < b: (a/k) (k u + 1) ln(k u + 1) b - a |d|,   u = |d| / b,   k = e^(g/a) - 1
        else:    g |d| + b (g / k - a)

    Its gradient is a ln(k u + 1), up to g: inliers count more than in smooth L1, outliers no more than g. The paper
    has b = 1. For other b the common code divides by b in one of two places only, so that the gradient jumps
    at b; here it does not.

    Args:
        alpha: a, above 0; smaller lifts the inliers' gradient.
        gamma: g, above 0, the largest gradient.
        beta: b, above 0, the point of change.

    Other arguments, result and errors as :func:`l1_loss`.
    """
    for name, value in (("alpha", alpha), ("gamma", gamma), ("beta", beta)):
        check_positive(name, value)
    k = math.expm1(gamma / alpha)

    def balanced(difference: Tensor) -> Tensor:
        size = difference.abs()
        inlier = size.clamp(max=beta)  # what is not taken has a finite gradient too
        low = alpha * (beta / k * (k * inlier / beta + 1) * torch.log1p(k * inlier / beta) - inlier)
        return torch.where(size < beta, low, gamma * size + beta * (gamma / k - alpha))

    return elementwise_loss(pred, target, reduction, balanced)


class BalancedL1Loss(ElementwiseModule):
    """Mean of :func:`balanced_l1_loss` over the known components.

    Args:
        alpha, gamma, beta: as the function.
    """

    def __init__(self, *, alpha: float = 0.5, gamma: float = 1.5, beta: float = 1.0) -> None:
        super().__init__(balanced_l1_loss, alpha=alpha, gamma=gamma, beta=beta)


def focal_l1_loss(pred: Tensor, target: Tensor, *, beta: float = 0.8, reduction: Reduction = "none") -> Tensor:
    """Focal L1 (Zhang et al., 2101.08158, equation 13).

        x = |d| <= 1: -a x² (2 ln(b x) - 1) / 4;   else -a ln(b) x + a (2 ln(b) + 1) / 4,   a = e b

    Its gradient rises to 1 at x = 1/(e b) and falls to -a ln b beyond: examples that are nearly right count less.

    Args:
        beta: b in [1/e, 1], so that the gradient peaks below x = 1 and never points away.

    Other arguments, result and errors as :func:`l1_loss`.
    """
    if not 1 / math.e <= beta <= 1:
        raise ValueError(f"beta: expected a number in [1/e, 1], got {beta}")
    alpha, log_beta = math.e * beta, math.log(beta)

    def focal(difference: Tensor) -> Tensor:
        size = difference.abs()
        # 0 ln 0 is 0, and its derivative too
        inlier = torch.where((size > 0) & (size <= 1), size, torch.ones_like(size))
        low = -alpha * inlier.square() * (2 * (log_beta + inlier.log()) - 1) / 4
        high = -alpha * log_beta * size + alpha * (2 * log_beta + 1) / 4
        return torch.where(size > 1, high, torch.where(size > 0, low, 0 * size))

    return elementwise_loss(pred, target, reduction, focal)


class FocalL1Loss(ElementwiseModule):
    """Mean of :func:`focal_l1_loss` over the known components.

    Args:
        beta: in [1/e, 1].
    """

    def __init__(self, *, beta: float = 0.8) -> None:
        super().__init__(focal_l1_loss, beta=beta)


def smooth_l1(difference: Tensor, beta: float) -> Tensor:
    """d² / (2 b) below b in magnitude, |d| - b / 2 beyond; b = 0: |d|."""
    size = difference.abs()
    if beta == 0:
        return size
    return torch.where(size < beta, difference.square() / (2 * beta), size - beta / 2)
