"""Rows for the rotated overlap and the corners: box by box in plain Python, the overlap by clipping a polygon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from oracles import exact_overlap
from oracles.loss_case import LossCase
from torch import Tensor

from bev3d import losses

KINDS = ("iou", "log_iou", "giou", "diou", "ciou", "eiou", "focal_eiou", "alpha_iou")
Box = list[float]


def _boxes(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """Overlapping in many ways, one pair apart, one unknown."""
    target = torch.randn(12, 7, generator=rng, dtype=torch.float64)
    target[:, 3:6] = 1 + 2 * torch.rand(12, 3, generator=rng, dtype=torch.float64)
    pred = target + 0.25 * torch.randn(12, 7, generator=rng, dtype=torch.float64).clamp(-2, 2)
    pred[8, :2] += 20
    target[10, 6] = torch.nan
    return pred.to(dtype), target.to(dtype)


def _smooth(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = _boxes(rng, dtype)
    return pred[:6], target[:6]


def _same(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    _, target = _boxes(rng, dtype)
    target = target[:8]
    return target.clone(), target


def _unknown(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = _boxes(rng, dtype)
    return pred, torch.full_like(target, torch.nan)


def _corners(box: Box, turn: float = 0.0) -> list[tuple[float, float, float]]:
    c, s = math.cos(box[6] + turn), math.sin(box[6] + turn)
    out = []
    for i in (0.5, -0.5):
        for j in (0.5, -0.5):
            for k in (0.5, -0.5):
                x, y = i * box[3], j * box[4]
                out.append((box[0] + c * x - s * y, box[1] + s * x + c * y, box[2] + k * box[5]))
    return out


def _enclosing(box: Box, wanted: Box) -> list[float]:
    """Extents, along the target's axes, of the box around both."""
    c, s = math.cos(wanted[6]), math.sin(wanted[6])
    local = []
    for x, y, z in _corners(box):
        dx, dy = x - wanted[0], y - wanted[1]
        local.append((c * dx + s * dy, c * dy - s * dx, z - wanted[2]))
    return [
        max(max(p[k] for p in local), wanted[3 + k] / 2) - min(min(p[k] for p in local), -wanted[3 + k] / 2)
        for k in range(3)
    ]


def _overlap(box: Box, wanted: Box, kind: str, space: str) -> float:
    dims = 2 if space == "bev" else 3
    iou = float(exact_overlap.iou_bev(box, wanted) if space == "bev" else exact_overlap.iou_3d(box, wanted))
    extents = _enclosing(box, wanted)[:dims]
    volumes = [math.prod(b[3 : 3 + dims]) for b in (box, wanted)]
    union = sum(volumes) / (1 + iou)
    shift = sum((box[k] - wanted[k]) ** 2 for k in range(dims))
    diou = 1 - iou + shift / sum(e * e for e in extents)
    sizes = sum(
        (box[3 + k] - wanted[3 + k]) ** 2 / max(extents[k], box[3 + k], wanted[3 + k]) ** 2 for k in range(dims)
    )
    v = 4 / math.pi**2 * (math.atan(wanted[3] / wanted[4]) - math.atan(box[3] / box[4])) ** 2
    return {
        "iou": 1 - iou,
        "log_iou": -math.log(max(iou, 1e-6)),
        "giou": 1 - iou + 1 - union / math.prod(extents),
        "diou": diou,
        "ciou": diou + v * v / (1 - iou + v),
        "eiou": diou + sizes,
        "focal_eiou": max(math.sqrt(iou), 0.1) * (diou + sizes),
        "alpha_iou": 1 - iou**3,
    }[kind]


def _huber(d: float) -> float:
    return d * d / 2 if abs(d) < 1 else abs(d) - 0.5


def _corner(box: Box, wanted: Box, variant: str) -> float:
    mine = _corners(box)
    straight, turned = ([math.dist(p, q) for p, q in zip(mine, _corners(wanted, t), strict=True)] for t in (0, math.pi))
    if variant == "per_box":
        return min(sum(straight), sum(turned))
    if variant == "per_corner":
        return sum(_huber(min(p, q)) for p, q in zip(straight, turned, strict=True)) / 8
    return min(
        sum(_huber(p[k] - q[k]) for p, q in zip(mine, _corners(wanted, turn), strict=True) for k in range(3))
        for turn in (0, math.pi)
    )


def each(function: Callable[[Box, Box], float]) -> Callable[..., Tensor]:
    def reference(pred: Tensor, target: Tensor) -> Tensor:
        pairs = zip(pred.double().tolist(), target.double().tolist(), strict=True)
        values = [0.0 if any(math.isnan(x) for x in wanted) else function(box, wanted) for box, wanted in pairs]
        return torch.tensor(values, dtype=torch.float64)

    return reference


CASES = [
    LossCase(
        f"rotated_iou_loss, {kind}, {space}",
        losses.rotated_iou_loss,
        lambda kind=kind, space=space: losses.RotatedIouLoss(kind, space),
        _boxes,
        each(lambda box, wanted, kind=kind, space=space: _overlap(box, wanted, kind, space)),
        "polygon clipping and the corners in the target's frame, box by box",
        options={"kind": kind, "space": space},
        smooth_inputs=_smooth,
        nothing_counts=_unknown,
        optimum=_same,
        constant_weights=kind in ("ciou", "focal_eiou"),
    )
    for kind in KINDS
    for space in ("bev", "3d")
] + [
    LossCase(
        f"corner_loss, {variant}",
        losses.corner_loss,
        lambda variant=variant: losses.CornerLoss(variant),
        _boxes,
        each(lambda box, wanted, variant=variant: _corner(box, wanted, variant)),
        "1711.08488 and lingvo, corner by corner",
        options={"variant": variant},
        smooth_inputs=_smooth,
        nothing_counts=_unknown,
        optimum=_same,
    )
    for variant in ("per_box", "per_corner", "huber_sum")
]
