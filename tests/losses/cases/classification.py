"""Rows for cross entropy, the focal losses and their relatives with a quality."""

from __future__ import annotations

from typing import Any

import torch
from oracles.loss_case import LossCase
from torch import Tensor
from torch.nn import functional

from bev3d import losses


def _logits(rng: torch.Generator, dtype: torch.dtype, *shape: int) -> Tensor:
    return (3 * torch.randn(*shape, generator=rng, dtype=torch.float64)).to(dtype)


def _pixels(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    labels = torch.randint(-1, 5, (2, 6, 7), generator=rng)
    return _logits(rng, dtype, 2, 5, 6, 7), labels


def _all_ignored(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _logits(rng, dtype, 2, 5, 6), torch.full((2, 6), -1)


def _binary(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _logits(rng, dtype, 6, 8), torch.randint(-1, 2, (6, 8), generator=rng).to(dtype)


def _binary_ignored(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _logits(rng, dtype, 6, 8), torch.full((6, 8), -1.0, dtype=dtype)


def _quality(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    quality = torch.rand(6, 8, generator=rng, dtype=torch.float64)
    quality[:, :4] = 0
    return _logits(rng, dtype, 6, 8), quality.to(dtype)


def _quality_optimum(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    quality = 0.1 + 0.8 * torch.rand(9, generator=rng, dtype=torch.float64)
    return torch.logit(quality).to(dtype), quality.to(dtype)


def _distances(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    distance = 16 * torch.rand(11, generator=rng, dtype=torch.float64)
    distance[:3] = torch.tensor([0.0, 16.0, 7.0])
    return _logits(rng, dtype, 11, 17), distance.to(dtype)


def _few_bins(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    distance = 2 * torch.rand(11, generator=rng, dtype=torch.float64)
    distance[:3] = torch.tensor([0.0, 2.0, 1.0])
    return _logits(rng, dtype, 11, 3), distance.to(dtype)


def _unknown_distances(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _logits(rng, dtype, 3, 17), torch.full((3,), torch.nan, dtype=dtype)


def _cross_entropy(pred: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(pred, target, ignore_index=-1, reduction="none", label_smoothing=0.1)


def _focal(pred: Tensor, target: Tensor) -> Tensor:
    """Equation 5 in probabilities."""
    p, y = pred.double().sigmoid(), target.double()
    p_t = torch.where(y == 1, p, (-pred.double()).sigmoid())
    a_t = torch.where(y == 1, 0.25, 0.75)
    return torch.where(y == -1, 0.0, -a_t * (1 - p_t) ** 2 * p_t.log())


def _softmax_focal(pred: Tensor, target: Tensor) -> Tensor:
    weights = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.5], dtype=torch.float64)
    labels = target.clamp(min=0)
    p = pred.double().softmax(1).gather(1, labels[:, None])[:, 0]
    return torch.where(target == -1, 0.0, -weights[labels] * (1 - p) ** 1.5 * p.log())


def _qfl(pred: Tensor, target: Tensor) -> Tensor:
    s, y = pred.double().sigmoid(), target.double()
    return -((y - s) ** 2) * ((1 - y) * (1 - s).log() + y * s.log())


def _vfl(pred: Tensor, target: Tensor) -> Tensor:
    p, q = pred.double().sigmoid(), target.double()
    return torch.where(q > 0, -q * (q * p.log() + (1 - q) * (1 - p).log()), -0.75 * p**2 * (1 - p).log())


def _dfl(pred: Tensor, target: Tensor) -> Tensor:
    """As a cross entropy with the soft label that puts y between its bins."""
    bins = torch.arange(pred.shape[1], dtype=torch.float64)
    soft = (1 - (bins - target.double()[:, None]).abs()).clamp(min=0)
    return functional.cross_entropy(pred.double(), soft, reduction="none")


def _gfl(pred: Tensor, target: Tensor) -> Tensor:
    bins = torch.arange(pred.shape[1], dtype=torch.float64)
    s = pred.double().softmax(1)
    left = target.double().floor().clamp(max=pred.shape[1] - 2)
    near = ((bins >= left[:, None]) & (bins <= left[:, None] + 1)).double()
    estimate = (bins * s * near).sum(1)
    return (target.double() - estimate).abs() ** 2 * _dfl(pred, target)


CLASS_WEIGHTS = [0.5, 1.0, 2.0, 0.25, 1.5]

CASES = [
    LossCase(
        "cross_entropy",
        losses.cross_entropy,
        lambda: losses.CrossEntropy(label_smoothing=0.1),
        _pixels,
        _cross_entropy,
        "torch.nn.functional.cross_entropy",
        options={"label_smoothing": 0.1},
        logits=True,
        nothing_counts=_all_ignored,
    ),
    LossCase(
        "focal_loss",
        losses.focal_loss,
        losses.FocalLoss,
        _binary,
        _focal,
        "RetinaNet (1708.02002) equation 5 in float64 probabilities",
        logits=True,
        nothing_counts=_binary_ignored,
    ),
    LossCase(
        "focal_loss, gamma 0.5, no alpha",
        losses.focal_loss,
        lambda: losses.FocalLoss(gamma=0.5, alpha=-1),
        _binary,
        None,
        "",
        options={"gamma": 0.5, "alpha": -1},
        logits=True,
    ),
    LossCase(
        "softmax_focal_loss",
        losses.softmax_focal_loss,
        lambda: losses.SoftmaxFocalLoss(gamma=1.5, alpha=CLASS_WEIGHTS),
        _pixels,
        _softmax_focal,
        "its definition in float64 probabilities",
        options={"gamma": 1.5, "alpha": CLASS_WEIGHTS},
        logits=True,
        nothing_counts=_all_ignored,
    ),
    LossCase(
        "quality_focal_loss",
        losses.quality_focal_loss,
        losses.QualityFocalLoss,
        _quality,
        _qfl,
        "2006.04388 equation 2 in float64 probabilities",
        logits=True,
        optimum=_quality_optimum,
    ),
    LossCase(
        "varifocal_loss",
        losses.varifocal_loss,
        losses.VarifocalLoss,
        _quality,
        _vfl,
        "2008.13367 equation 2 in float64 probabilities",
        logits=True,
    ),
    LossCase(
        "distribution_focal_loss",
        losses.distribution_focal_loss,
        losses.DistributionFocalLoss,
        _distances,
        _dfl,
        "torch.nn.functional.cross_entropy with the soft label between two bins",
        logits=True,
        nothing_counts=_unknown_distances,
    ),
    LossCase(
        "generalized_focal_loss",
        losses.generalized_focal_loss,
        losses.GeneralizedFocalLoss,
        _few_bins,
        _gfl,
        "2006.04388 equation 7 in float64 probabilities",
        logits=True,
    ),
]
