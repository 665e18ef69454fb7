"""Rows for the corner losses."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from oracles.op_case import OpCase
from torch import Tensor

from bev3d_ops.cpu._corner import VARIANTS
from bev3d_ops.cuda import _corner as cuda
from bev3d_ops.reference._corner import corner_loss as corner_reference
from bev3d_ops.registered._corner import corner_loss


def _pairs(rng: torch.Generator, dtype: torch.dtype, variant: str, flip_invariant: bool) -> tuple[Any, ...]:
    """More than one block, near and far, equal, turned, collapsed, unknown and large-yawed boxes."""
    count = 150
    target = torch.randn(count, 7, generator=rng, dtype=torch.float64) * torch.tensor([30.0, 30, 2, 0.4, 0.4, 0.4, 2])
    target[:, 3:6] = target[:, 3:6].exp() * torch.tensor([4.0, 2, 1.5])
    spread = torch.tensor([0.01, 0.3, 3.0])[torch.arange(count) % 3, None]
    pred = target + spread * torch.randn(count, 7, generator=rng, dtype=torch.float64)
    pred[:, 3:6] = target[:, 3:6] * (0.3 * torch.randn(count, 3, generator=rng, dtype=torch.float64)).exp()
    pred[0:4] = target[0:4]
    pred[4:12, 6] = target[4:12, 6] + math.pi + 0.1
    pred[12, 3], pred[13, 4], pred[14, 3:6] = -2.0, 0.0, -1.0
    target[15, 3], target[16, 5], target[17, 3:6] = -1.0, -0.5, 1.0
    pred[17, 3:6] = 1e-4
    target[20, 2] = target[21, 6] = target[22, 4] = math.nan
    pred[22, 0] = math.nan  # of an unknown pair: 0
    target[23, :2] = torch.tensor([math.inf, -math.inf])
    target[23, 2] = target[24, 0] = math.nan
    target[24, 6] = math.inf
    pred[140, 6] += 40 * math.pi
    pred[25, 6], target[25, 6] = 2e5 + 0.5, 2e5
    return pred.to(dtype), target.to(dtype), variant, flip_invariant, True


def _reference(pred: Tensor, target: Tensor, variant: str, flip_invariant: bool, _: bool) -> tuple[Tensor, ...]:
    """The loss, and what autograd makes of it."""
    loss = corner_reference(pred, target, variant, flip_invariant)
    with torch.enable_grad():
        boxes = pred.detach().requires_grad_(), target.detach().requires_grad_()
        slopes = torch.autograd.grad(corner_reference(*boxes, variant, flip_invariant).sum(), boxes)
    return loss, *slopes


CASES = [
    OpCase(
        f"corner_loss {variant} {'either heading' if flip else 'one heading'}",
        corner_loss,
        partial(_pairs, variant=variant, flip_invariant=flip),
        reference=_reference,
        host=cuda.corner_loss,
        differentiable=(0, 1),
        # yaws of tens of radians and lengths of tens of metres, whose difference is rounded
        tolerances={torch.float32: (2e-4, 2e-4), torch.float64: (1e-11, 1e-11)},
    )
    for variant in VARIANTS
    for flip in (True, False)
]
