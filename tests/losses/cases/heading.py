"""Rows for the losses of a heading and of a velocity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from oracles.loss_case import LossCase
from torch import Tensor
from torch.nn import functional

from bev3d import losses


def _yaws(rng: torch.Generator, dtype: torch.dtype, count: int = 12) -> Tensor:
    yaw = 8 * torch.randn(count, generator=rng, dtype=torch.float64)
    yaw[3] = torch.nan
    return yaw.to(dtype)


def _angles(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.randn(12, generator=rng, dtype=torch.float64).to(dtype), _yaws(rng, dtype)


def _half_turns(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    yaw = torch.randn(12, generator=rng, dtype=torch.float64)
    turned = torch.where(torch.arange(12) % 2 == 0, yaw, yaw + math.pi)
    return yaw.to(dtype), turned.to(dtype)


def _channels(*shape: int) -> Any:
    def make(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
        values = torch.randn(12, *shape, generator=rng, dtype=torch.float64).to(dtype)
        return values, _yaws(rng, dtype)

    return make


def _unknown(*shape: int) -> Any:
    def make(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
        return torch.randn(5, *shape, generator=rng).to(dtype), torch.full((5,), torch.nan, dtype=dtype)

    return make


def _vectors(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    yaw = _yaws(rng, torch.float64)
    target = torch.stack([yaw.sin(), yaw.cos()], dim=-1)
    return torch.randn(12, 2, generator=rng, dtype=torch.float64).to(dtype), target.to(dtype)


def _same_vectors(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    target = torch.tensor([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0], [0.6, 0.8]], dtype=dtype)
    return target.clone(), target


def _velocities(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    target = 5 * torch.randn(12, 2, generator=rng, dtype=torch.float64)
    target[2], target[5, 1] = torch.nan, torch.nan
    return torch.randn(12, 2, generator=rng, dtype=torch.float64).to(dtype), target.to(dtype)


def _unknown_vectors(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.randn(5, 2, generator=rng).to(dtype), torch.full((5, 2), torch.nan, dtype=dtype)


def _sin_difference(pred: Tensor, target: Tensor) -> Tensor:
    """As SECOND encodes it: two products, each of one box's sine and the other's cosine."""
    known = ~target.isnan()
    p, t = pred.double(), torch.where(known, target, 0.0).double()
    loss = functional.smooth_l1_loss(p.sin() * t.cos(), p.cos() * t.sin(), beta=1 / 9, reduction="none")
    return torch.where(known, loss, 0.0)


def _direction(pred: Tensor, target: Tensor) -> Tensor:
    out = torch.zeros(len(target), dtype=torch.float64)
    for i, yaw in enumerate(target.tolist()):
        if math.isnan(yaw):
            continue
        turned = math.fmod(math.fmod(yaw - math.pi / 4, 2 * math.pi) + 2 * math.pi, 2 * math.pi)
        sector = int(turned / math.pi) % 2
        out[i] = functional.cross_entropy(pred[i].double(), torch.tensor(sector))
    return out


def _sin_cos(pred: Tensor, target: Tensor) -> Tensor:
    p, t = pred.double(), target.double()
    loss = functional.l1_loss(p, t, reduction="none").sum(-1) + 0.3 * (p.norm(dim=-1) ** 2 - 1) ** 2
    return torch.where(t.isnan().any(-1), 0.0, loss)


def _velocity(pred: Tensor, target: Tensor) -> Tensor:
    t = target.double()
    known = ~t.isnan()
    loss = functional.huber_loss(pred.double(), torch.where(known, t, 0.0), delta=4.0, reduction="none")
    return torch.where(known, loss, 0.0)


def _wrap(angle: float) -> float:
    return math.atan2(math.sin(angle), math.cos(angle))


def _multibin(pred: Tensor, target: Tensor) -> Tensor:
    """Box by box, bin by bin, with angles instead of products."""
    values, bins = pred.double().numpy(), pred.shape[1]
    out = []
    for row, yaw in zip(values, target.double().tolist(), strict=True):
        if math.isnan(yaw):
            out.append(0.0)
            continue
        away = [_wrap(yaw - 2 * math.pi * i / bins) for i in range(bins)]
        nearest = int(np.argmin(np.abs(away)))
        class_term = np.log(np.exp(row[:, 0]).sum()) - row[nearest, 0]
        covering = [i for i in range(bins) if abs(away[i]) <= math.pi / bins * 1.1]
        agreement = np.mean([math.cos(away[i] - math.atan2(row[i, 1], row[i, 2])) for i in covering])
        out.append(class_term + 0.4 * (1 - agreement))
    return torch.tensor(out, dtype=torch.float64)


def _bin_residual(pred: Tensor, target: Tensor) -> Tensor:
    values, bins = pred.double().numpy(), pred.shape[1]
    out = []
    for row, yaw in zip(values, target.double().tolist(), strict=True):
        if math.isnan(yaw):
            out.append(0.0)
            continue
        away = [_wrap(yaw - 2 * math.pi * i / bins) for i in range(bins)]
        nearest = int(np.argmin(np.abs(away)))
        class_term = np.log(np.exp(row[:, 0]).sum()) - row[nearest, 0]
        error = abs(row[nearest, 1] - away[nearest] * bins / math.pi)
        out.append(class_term + 20 * (error**2 / 2 if error < 1 else error - 0.5))
    return torch.tensor(out, dtype=torch.float64)


CASES = [
    LossCase(
        "sin_difference_loss",
        losses.sin_difference_loss,
        losses.SinDifferenceLoss,
        _angles,
        _sin_difference,
        "SECOND's encoding as two products",
        optimum=_half_turns,
        nothing_counts=_unknown(),
    ),
    LossCase(
        "direction_loss",
        losses.direction_loss,
        losses.DirectionLoss,
        _channels(2),
        _direction,
        "torch.nn.functional.cross_entropy, heading by heading",
        logits=True,
        nothing_counts=_unknown(2),
    ),
    LossCase(
        "sin_cos_loss",
        losses.sin_cos_loss,
        lambda: losses.SinCosLoss(unit_norm_weight=0.3),
        _vectors,
        _sin_cos,
        "torch.nn.functional.l1_loss and the norm",
        options={"unit_norm_weight": 0.3},
        optimum=_same_vectors,
        nothing_counts=_unknown_vectors,
    ),
    LossCase(
        "velocity_loss",
        losses.velocity_loss,
        lambda: losses.VelocityLoss(delta=4.0),
        _velocities,
        _velocity,
        "torch.nn.functional.huber_loss",
        options={"delta": 4.0},
        nothing_counts=_unknown_vectors,
    ),
    LossCase(
        "multibin_loss",
        losses.multibin_loss,
        losses.MultibinLoss,
        _channels(4, 3),
        _multibin,
        "1612.00496 equations 3 and 4 in angles, bin by bin",
        nothing_counts=_unknown(4, 3),
    ),
    LossCase(
        "bin_residual_loss",
        losses.bin_residual_loss,
        losses.BinResidualLoss,
        _channels(12, 2),
        _bin_residual,
        "1711.08488, heading by heading",
        nothing_counts=_unknown(12, 2),
    ),
]
