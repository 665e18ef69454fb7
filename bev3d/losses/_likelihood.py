"""Regression with a predicted uncertainty."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._inputs import check_broadcast, check_prediction, in_float32
from bev3d.losses._known import ElementwiseModule, known_count
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d.losses._regression import LIDAR_BETA, smooth_l1

__all__ = [
    "GaussianNllLoss",
    "LaplaceNllLoss",
    "UncertaintySmoothL1Loss",
    "gaussian_nll_loss",
    "laplace_nll_loss",
    "uncertainty_smooth_l1_loss",
]

LEAST_LOG_SCALE = -10.0


def laplace_nll_loss(
    pred: Tensor,
    target: Tensor,
    log_scale: Tensor,
    *,
    least_log_scale: float = LEAST_LOG_SCALE,
    reduction: Reduction = "none",
) -> Tensor:
    """Negative log-likelihood of a Laplace distribution (Kendall and Gal, NeurIPS 2017, 1703.04977).

        |d| e^-s + s + ln 2,   d = pred - target, s = log of the scale

    Minimal at s = ln |d|: the scale learns the mean absolute error. Without a bound the loss has no minimum at
    d = 0; so s counts as ``least_log_scale`` where it is below, with the gradient of that point, so that it can
    come back.

    Args:
        pred: (...), in the units of the target.
        target: broadcasts to ``pred``; NaN: unknown, that component does not count.
        log_scale: broadcasts to ``pred``; s.
        least_log_scale: bound of s.
        reduction: ``"none"``, ``"mean"`` over the known components, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least; can be negative.

    Raises:
        ValueError: shapes that do not broadcast, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    difference, s, known = _prepare(pred, target, log_scale, least_log_scale, reduction)
    return _finish(difference.abs() * torch.exp(-s) + s + math.log(2), known, pred, target, reduction)


class LaplaceNllLoss(ElementwiseModule):
    """Mean of :func:`laplace_nll_loss` over the known components; called (pred, target, log_scale).

    Args:
        least_log_scale: bound of the log of the scale.
    """

    def __init__(self, *, least_log_scale: float = LEAST_LOG_SCALE) -> None:
        super().__init__(laplace_nll_loss, least_log_scale=least_log_scale)


def gaussian_nll_loss(
    pred: Tensor,
    target: Tensor,
    log_variance: Tensor,
    *,
    least_log_variance: float = 2 * LEAST_LOG_SCALE,
    reduction: Reduction = "none",
) -> Tensor:
    """Negative log-likelihood of a normal distribution (Kendall and Gal, NeurIPS 2017, 1703.04977).

        (d² e^-s + s + ln 2 pi) / 2,   d = pred - target, s = log of the variance

    PyTorch takes the variance itself, which a network must keep positive, and leaves ln 2 pi out by default.

    Args:
        log_variance: broadcasts to ``pred``; s.
        least_log_variance: bound of s.

    Other arguments, result and errors as :func:`laplace_nll_loss`.
    """
    difference, s, known = _prepare(pred, target, log_variance, least_log_variance, reduction)
    loss = (difference.square() * torch.exp(-s) + s + math.log(2 * math.pi)) / 2
    return _finish(loss, known, pred, target, reduction)


class GaussianNllLoss(ElementwiseModule):
    """Mean of :func:`gaussian_nll_loss` over the known components; called (pred, target, log_variance).

    Args:
        least_log_variance: bound of the log of the variance.
    """

    def __init__(self, *, least_log_variance: float = 2 * LEAST_LOG_SCALE) -> None:
        super().__init__(gaussian_nll_loss, least_log_variance=least_log_variance)


def uncertainty_smooth_l1_loss(
    pred: Tensor,
    target: Tensor,
    log_scale: Tensor,
    *,
    beta: float = LIDAR_BETA,
    least_log_scale: float = LEAST_LOG_SCALE,
    reduction: Reduction = "none",
) -> Tensor:
    """Smooth L1 weighed by a predicted uncertainty (after Kendall and Gal, NeurIPS 2017, 1703.04977).

        smooth_l1(d) e^-s + s

    Args:
        beta: point of change of smooth L1.

    Other arguments, result and errors as :func:`laplace_nll_loss`.
    """
    if beta < 0:
        raise ValueError(f"beta: expected at least 0, got {beta}")
    difference, s, known = _prepare(pred, target, log_scale, least_log_scale, reduction)
    return _finish(smooth_l1(difference, beta) * torch.exp(-s) + s, known, pred, target, reduction)


class UncertaintySmoothL1Loss(ElementwiseModule):
    """Mean of :func:`uncertainty_smooth_l1_loss` over the known components; called (pred, target, log_scale).

    Args:
        beta: point of change of smooth L1.
        least_log_scale: bound of the log of the scale.
    """

    def __init__(self, *, beta: float = LIDAR_BETA, least_log_scale: float = LEAST_LOG_SCALE) -> None:
        super().__init__(uncertainty_smooth_l1_loss, beta=beta, least_log_scale=least_log_scale)


def _prepare(
    pred: Tensor, target: Tensor, log_scale: Tensor, least: float, reduction: Reduction
) -> tuple[Tensor, Tensor, Tensor]:
    """Difference, bounded log of the scale, and which components are known."""
    check_prediction("pred", pred)
    check_prediction("log_scale", log_scale)
    check_broadcast("target", target, "pred", pred)
    check_broadcast("log_scale", log_scale, "pred", pred)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    real, wanted, s = in_float32(pred, target, log_scale)
    known = ~wanted.isnan()
    difference = torch.where(known, real, 0.0) - torch.where(known, wanted, 0.0)
    s = torch.where(known, s, 0.0)
    # the value of the bound, and the gradient as if s were there
    bounded = s + (s.clamp(min=least) - s).detach()
    return difference, bounded, known


def _finish(loss: Tensor, known: Tensor, pred: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
    return reduce_loss(torch.where(known, loss, 0.0), reduction, known_count(pred, target))
