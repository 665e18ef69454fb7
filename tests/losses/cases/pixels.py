"""Rows for Lovász and boundary losses."""

from __future__ import annotations

from typing import Any

import torch
from oracles.loss_case import LossCase
from torch import Tensor

from bev3d import losses


def _pixels(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    logits = (2 * torch.randn(3, 4, 5, 6, generator=rng, dtype=torch.float64)).to(dtype)
    labels = torch.randint(-1, 4, (3, 5, 6), generator=rng)
    labels[labels == 2] = 0  # a class that is nowhere
    return logits, labels


def _sure(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    labels = torch.arange(60).reshape(3, 20) % 4
    return 200 * torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).to(dtype) - 100, labels


def _all_ignored(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.randn(2, 4, 6, generator=rng).to(dtype), torch.full((2, 6), -1)


def _no_pixels(dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.zeros(2, 4, 0, dtype=dtype), torch.zeros(2, 0, dtype=torch.int64)


def _foreground(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    logits = (2 * torch.randn(3, 40, generator=rng, dtype=torch.float64)).to(dtype)
    return logits, torch.randint(-1, 2, (3, 40), generator=rng)


def _foreground_right(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    labels = torch.randint(0, 2, (3, 40), generator=rng)
    return (4.0 * labels - 2).to(dtype), labels


def _foreground_ignored(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.randn(3, 40, generator=rng).to(dtype), torch.full((3, 40), -1)


def _distances(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    mask = torch.rand(2, 3, 8, 9, generator=rng) < 0.4
    logits = torch.randn(2, 3, 8, 9, generator=rng, dtype=torch.float64)
    return logits.to(dtype), losses.signed_distance_map(mask).to(dtype)


def _extension(errors: list[float], truth: list[bool]) -> float:
    """The Lovász extension by its definition: a sum over growing sets of wrong pixels."""
    order = sorted(range(len(errors)), key=lambda i: -errors[i])
    foreground = {i for i, is_true in enumerate(truth) if is_true}
    wrong: set[int] = set()
    before, total = 0.0, 0.0
    for i in order:
        wrong.add(i)
        # of a prediction that is wrong exactly there: |truth and prediction| / |truth or prediction|
        loss = 1 - len(foreground - wrong) / len(foreground | wrong)
        total += errors[i] * (loss - before)
        before = loss
    return total


def _lovasz_softmax(pred: Tensor, target: Tensor) -> Tensor:
    p = pred.double().softmax(1).movedim(1, -1)[target != -1]
    labels = target[target != -1]
    out = torch.zeros(4, dtype=torch.float64)
    for c in range(4):
        truth = (labels == c).tolist()
        if any(truth):
            out[c] = _extension(((labels == c).double() - p[:, c]).abs().tolist(), truth)
    return out


def _lovasz_hinge(pred: Tensor, target: Tensor) -> Tensor:
    out = []
    for x, y in zip(pred.double(), target, strict=True):
        x, y = x[y != -1], y[y != -1]
        errors = (1 - x * (2 * y - 1)).clamp(min=0)
        out.append(_extension(errors.tolist(), (y == 1).tolist()))
    return torch.tensor(out, dtype=torch.float64)


CASES = [
    LossCase(
        "lovasz_softmax_loss",
        losses.lovasz_softmax_loss,
        losses.LovaszSoftmaxLoss,
        _pixels,
        _lovasz_softmax,
        "the Lovász extension by its definition",
        logits=True,
        empty=_no_pixels,
        nothing_counts=_all_ignored,
        optimum=_sure,
    ),
    LossCase(
        "lovasz_hinge_loss",
        losses.lovasz_hinge_loss,
        losses.LovaszHingeLoss,
        _foreground,
        _lovasz_hinge,
        "the Lovász extension by its definition",
        logits=True,
        nothing_counts=_foreground_ignored,
        optimum=_foreground_right,
    ),
    LossCase(
        "boundary_loss",
        losses.boundary_loss,
        losses.BoundaryLoss,
        _distances,
        lambda pred, distance: pred.double().exp() / pred.double().exp().sum(1, keepdim=True) * distance.double(),
        "1812.07032 equation 5",
        logits=True,
    ),
]
