"""Rows for binary cross entropy."""

from __future__ import annotations

from typing import Any

import torch
from oracles.loss_case import LossCase
from torch import Tensor

from bev3d.losses import BinaryCrossEntropy, binary_cross_entropy


def _inputs(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    logits = 3 * torch.randn(4, 7, generator=rng, dtype=torch.float64)
    return logits.to(dtype), torch.rand(4, 7, generator=rng, dtype=torch.float64).to(dtype)


def _optimum(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    labels = (torch.rand(20, generator=rng) < 0.5).to(dtype)
    return 1e3 * (2 * labels - 1), labels


def _in_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    x, y = logits.double(), labels.double()
    return -y * x.sigmoid().log() - (1 - y) * (-x).sigmoid().log()


CASES = [
    LossCase(
        "binary_cross_entropy",
        binary_cross_entropy,
        BinaryCrossEntropy,
        _inputs,
        _in_probabilities,
        "the definition in float64 probabilities",
        logits=True,
        optimum=_optimum,
    )
]
