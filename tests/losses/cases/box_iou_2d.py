"""Rows for the overlap of boxes in two dimensions: every kind against scalars in mpmath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mpmath import asin as arcsin
from mpmath import atan, exp, fabs, log, mp, mpf, pi, sin, sqrt
from oracles.loss_case import LossCase
from torch import Tensor

from bev3d import losses

mp.dps = 30

KINDS = ("iou", "log_iou", "giou", "diou", "ciou", "eiou", "focal_eiou", "alpha_iou", "siou")


def _boxes(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """Overlapping, apart, one in the other, and one unknown."""
    corner = torch.rand(12, 2, generator=rng, dtype=torch.float64)
    target = torch.cat([corner, corner + 0.5 + torch.rand(12, 2, generator=rng, dtype=torch.float64)], dim=1)
    pred = target + 0.3 * torch.rand(12, 4, generator=rng, dtype=torch.float64) - 0.15
    pred[8] += 3.0
    pred[9] = target[9] + torch.tensor([0.1, 0.1, -0.1, -0.2])
    target[10, 1] = torch.nan
    return pred.to(dtype), target.to(dtype)


def _smooth(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = _boxes(rng, dtype)
    return pred[:8], target[:8]


def _same(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    _, target = _boxes(rng, dtype)
    target = target[:8]
    return target.clone(), target


def _unknown(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = _boxes(rng, dtype)
    return pred, torch.full_like(target, torch.nan)


def _scalar(kind: str, box: list[float], wanted: list[float]) -> Any:
    x1, y1, x2, y2 = map(mpf, box)
    u1, v1, u2, v2 = map(mpf, wanted)
    w, h, s, t = x2 - x1, y2 - y1, u2 - u1, v2 - v1
    inner = max(mpf(0), min(x2, u2) - max(x1, u1)) * max(mpf(0), min(y2, v2) - max(y1, v1))
    union = w * h + s * t - inner
    iou = inner / union
    cw, ch = max(x2, u2) - min(x1, u1), max(y2, v2) - min(y1, v1)
    dx, dy = (x1 + x2 - u1 - u2) / 2, (y1 + y2 - v1 - v2) / 2
    diou = 1 - iou + (dx**2 + dy**2) / (cw**2 + ch**2)
    eiou = diou + ((w - s) / cw) ** 2 + ((h - t) / ch) ** 2
    aspect = 4 / pi**2 * (atan(s / t) - atan(w / h)) ** 2
    sigma = sqrt(dx**2 + dy**2)
    angle = 1 - 2 * sin(arcsin(fabs(dy) / sigma) - pi / 4) ** 2
    siou = sum(1 - exp(-(2 - angle) * (d / c) ** 2) for d, c in ((dx, cw), (dy, ch)))
    siou += sum((1 - exp(-fabs(a - b) / max(a, b))) ** 4 for a, b in ((w, s), (h, t)))
    return {
        "iou": 1 - iou,
        "log_iou": -log(max(iou, mpf("1e-6"))),
        "giou": 1 - iou + (cw * ch - union) / (cw * ch),
        "diou": diou,
        "ciou": diou + aspect**2 / (1 - iou + aspect),
        "eiou": eiou,
        "focal_eiou": max(sqrt(iou), mpf("0.1")) * eiou,
        "alpha_iou": 1 - iou**3,
        "siou": 1 - iou + siou / 2,
    }[kind]


def _reference(kind: str) -> Callable[..., Tensor]:
    def loss(pred: Tensor, target: Tensor) -> Tensor:
        values = [
            0.0 if any(x != x for x in wanted) else float(_scalar(kind, box, wanted))
            for box, wanted in zip(pred.double().tolist(), target.double().tolist(), strict=True)
        ]
        return torch.tensor(values, dtype=torch.float64)

    return loss


CASES = [
    LossCase(
        f"box_iou_loss_2d, {kind}",
        losses.box_iou_loss_2d,
        lambda kind=kind: losses.BoxIouLoss2d(kind),
        _boxes,
        _reference(kind),
        "the definition in 30 digits (mpmath)",
        options={"kind": kind},
        # weights that are constants of the gradient are none of finite differences
        smooth_inputs=_smooth,
        optimum=_same,
        nothing_counts=_unknown,
        constant_weights=kind in ("ciou", "focal_eiou"),
    )
    for kind in KINDS
]
