"""Rows for the losses of a difference, with and without a predicted uncertainty."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from oracles.loss_case import LossCase
from torch import Tensor
from torch.nn import functional

from bev3d import losses


def _pair(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred = torch.randn(8, 9, generator=rng, dtype=torch.float64)
    target = pred + torch.randn(8, 9, generator=rng, dtype=torch.float64)
    target[::3, 7:] = torch.nan
    return pred.to(dtype), target.to(dtype)


def _same(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred = torch.randn(8, 9, generator=rng).to(dtype)
    return pred, pred.clone()


def _unknown(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = _same(rng, dtype)
    return pred, torch.full_like(target, torch.nan)


def _with_scale(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return *_pair(rng, dtype), torch.randn(8, 9, generator=rng, dtype=torch.float64).to(dtype)


def _unknown_with_scale(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return *_unknown(rng, dtype), torch.randn(8, 9, generator=rng).to(dtype)


def known(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The reference where the target is known, 0 elsewhere, in float64."""

    def masked(pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        out = torch.zeros(pred.shape, dtype=torch.float64)
        mask = ~target.isnan()
        out[mask] = function(pred[mask].double(), target[mask].double(), *(value[mask].double() for value in more))
        return out

    return masked


def _integrated(gradient: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """The loss as the integral of its published gradient from 0 to |d| (Gauss-Legendre, in pieces)."""
    import numpy as np

    nodes, weights = (torch.from_numpy(value) for value in np.polynomial.legendre.leggauss(60))

    def loss(pred: Tensor, target: Tensor) -> Tensor:
        size = (pred - target).abs()
        total = torch.zeros_like(size)
        edges = [0.0, *(2.0**-k for k in range(30, -1, -1)), 64.0]
        for low, high in itertools.pairwise(edges):
            a, b = size.clamp(max=low), size.clamp(max=high)
            x = a[:, None] + (b - a)[:, None] * (nodes + 1) / 2
            total = total + (b - a) / 2 * (weights * gradient(x)).sum(1)
        return total

    return loss


def _balanced_gradient(x: Tensor) -> Tensor:
    k = math.exp(3.0) - 1
    return torch.where(x < 1, 0.5 * torch.log(k * x + 1), torch.full_like(x, 1.5))


def _focal_l1_gradient(x: Tensor) -> Tensor:
    alpha, beta = math.e * 0.8, 0.8
    return torch.where(x <= 1, -alpha * x * torch.log(beta * x), torch.full_like(x, -alpha * math.log(beta)))


def _row(
    name: str, module: Callable[[], Any], reference: Callable[..., Tensor], source: str, **options: float
) -> LossCase:
    return LossCase(
        name,
        getattr(losses, name),
        module,
        _pair,
        known(reference),
        source,
        options=options,
        optimum=_same,
        nothing_counts=_unknown,
    )


def _with_uncertainty(name: str, module: Callable[[], Any], reference: Callable[..., Tensor], source: str) -> LossCase:
    return LossCase(
        name,
        getattr(losses, name),
        module,
        _with_scale,
        known(reference),
        source,
        differentiable=(0, 2),
        nothing_counts=_unknown_with_scale,
    )


CASES = [
    _row(
        "l1_loss",
        losses.L1Loss,
        lambda p, t: functional.l1_loss(p, t, reduction="none"),
        "torch.nn.functional.l1_loss",
    ),
    _row(
        "l2_loss",
        losses.L2Loss,
        lambda p, t: functional.mse_loss(p, t, reduction="none"),
        "torch.nn.functional.mse_loss",
    ),
    _row(
        "smooth_l1_loss",
        losses.SmoothL1Loss,
        lambda p, t: functional.smooth_l1_loss(p, t, beta=1 / 9, reduction="none"),
        "torch.nn.functional.smooth_l1_loss",
    ),
    _row(
        "huber_loss",
        lambda: losses.HuberLoss(delta=0.7),
        lambda p, t: functional.huber_loss(p, t, delta=0.7, reduction="none"),
        "torch.nn.functional.huber_loss",
        delta=0.7,
    ),
    _row(
        "balanced_l1_loss",
        losses.BalancedL1Loss,
        _integrated(_balanced_gradient),
        "integral of 1904.02701's equation 9",
    ),
    _row("focal_l1_loss", losses.FocalL1Loss, _integrated(_focal_l1_gradient), "integral of 2101.08158's gradient"),
    _with_uncertainty(
        "laplace_nll_loss",
        losses.LaplaceNllLoss,
        lambda p, t, s: -torch.distributions.Laplace(p, s.exp()).log_prob(t),
        "torch.distributions.Laplace",
    ),
    _with_uncertainty(
        "gaussian_nll_loss",
        losses.GaussianNllLoss,
        lambda p, t, s: functional.gaussian_nll_loss(p, t, s.exp(), full=True, reduction="none"),
        "torch.nn.functional.gaussian_nll_loss",
    ),
    _with_uncertainty(
        "uncertainty_smooth_l1_loss",
        losses.UncertaintySmoothL1Loss,
        lambda p, t, s: functional.smooth_l1_loss(p, t, beta=1 / 9, reduction="none") / s.exp() + s,
        "torch.nn.functional.smooth_l1_loss",
    ),
]
