"""Rows for ODIoU, RDIoU and MGIoU: polygon clipping, loops over intervals, projections of corners."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from oracles import exact_overlap
from oracles.loss_case import LossCase
from torch import Tensor, nn

from bev3d import losses

Box = list[float]
Point = tuple[float, float, float]


def boxes(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """Near, apart in each direction, turned by a quarter and by a half, one in the other, and one unknown."""
    target = torch.rand(14, 7, generator=rng, dtype=torch.float64) * torch.tensor([20.0, 20, 2, 4, 1.5, 1, 6])
    target[:, 3:6] += 0.5
    pred = target + 0.2 * torch.randn(14, 7, generator=rng, dtype=torch.float64)
    pred[:, 3:6] = pred[:, 3:6].clamp(min=0.3)
    pred[8, 0] += 9.0
    pred[9, 2] += 4.0
    pred[10, 6] += 1.5
    pred[11, 6] += 3.1
    pred[12, 3:6] *= 3.0
    target[13, 2] = torch.nan
    return pred.to(dtype), target.to(dtype)


def near(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = boxes(rng, dtype)
    return pred[:8], target[:8]


def same(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    _, target = boxes(rng, dtype)
    return target[:13].clone(), target[:13]


def unknown(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = boxes(rng, dtype)
    return pred, torch.full_like(target, torch.nan)


def corners(box: Box) -> list[Point]:
    x, y, z, l, w, h, yaw = box  # noqa: E741
    signs = [(i, j, k) for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)]
    c, s = math.cos(yaw), math.sin(yaw)
    return [(x + i * l * c - j * w * s, y + i * l * s + j * w * c, z + k * h) for i, j, k in signs]


def normals(box: Box) -> list[Point]:
    c, s = math.cos(box[6]), math.sin(box[6])
    return [(c, s, 0.0), (-s, c, 0.0), (0.0, 0.0, 1.0)]


def shadow(box: Box, normal: Point, origin: Box) -> tuple[float, float]:
    """Where the corners fall on a line through the centre of ``origin``."""
    values = [sum(n * (p - o) for n, p, o in zip(normal, corner, origin, strict=False)) for corner in corners(box)]
    return min(values), max(values)


def odiou(box: Box, wanted: Box) -> float:
    diagonal = 0.0
    for normal in normals(wanted):
        (low, high), (wanted_low, wanted_high) = shadow(box, normal, wanted), shadow(wanted, normal, wanted)
        diagonal += (max(high, wanted_high) - min(low, wanted_low)) ** 2
    iou = float(exact_overlap.iou_3d(box, wanted, precise=True))
    turn = 1 - abs(math.cos(box[6] - wanted[6]))
    return 1 - iou + math.dist(box[:3], wanted[:3]) ** 2 / diagonal + 1.25 * turn


def rdiou(box: Box, wanted: Box) -> float:
    centres, sizes = [], []
    for k, normal in enumerate(normals(wanted)):
        offset = sum(n * (p - q) for n, p, q in zip(normal, box[:3], wanted[:3], strict=True))
        centres.append(offset / wanted[3 + k])
        sizes.append(box[3 + k] / wanted[3 + k])
    # sin a cos b and cos a sin b, as the paper has them
    centres.append(math.sin(box[6]) * math.cos(wanted[6]) - math.cos(box[6]) * math.sin(wanted[6]))
    sizes.append(1.0)
    shared, diagonal = 1.0, 0.0
    for centre, size in zip(centres, sizes, strict=True):
        shared *= max(0.0, min(centre + size / 2, 0.5) - max(centre - size / 2, -0.5))
        diagonal += (max(centre + size / 2, 0.5) - min(centre - size / 2, -0.5)) ** 2
    return 1 - shared / (math.prod(sizes) + 1 - shared) + sum(c * c for c in centres) / diagonal


def mgiou(box: Box, wanted: Box) -> float:
    total = 0.0
    for normal in normals(box) + normals(wanted):
        (low, high), (wanted_low, wanted_high) = shadow(box, normal, wanted), shadow(wanted, normal, wanted)
        shared = max(0.0, min(high, wanted_high) - max(low, wanted_low))
        union = high - low + wanted_high - wanted_low - shared
        spanned = max(high, wanted_high) - min(low, wanted_low)
        total += shared / union - (spanned - union) / spanned
    return (1 - total / 6) / 2


def _reference(scalar: Callable[[Box, Box], float]) -> Callable[..., Tensor]:
    def loss(pred: Tensor, target: Tensor) -> Tensor:
        pairs = zip(pred.double().tolist(), target.double().tolist(), strict=True)
        values = [0.0 if any(x != x for x in wanted) else scalar(box, wanted) for box, wanted in pairs]
        return torch.tensor(values, dtype=torch.float64)

    return loss


def _row(
    function: Callable[..., Tensor], module: type[nn.Module], scalar: Callable[[Box, Box], float], source: str
) -> LossCase:
    return LossCase(
        function.__name__,
        function,
        module,
        boxes,
        _reference(scalar),
        source,
        smooth_inputs=near,
        nothing_counts=unknown,
        optimum=same,
    )


CASES = [
    _row(losses.odiou_loss, losses.OdiouLoss, odiou, "polygon clipping in 60 digits, projected corners"),
    _row(losses.rdiou_loss, losses.RdiouLoss, rdiou, "the paper's four intervals, one after the other"),
    _row(losses.mgiou_3d_loss, losses.Mgiou3dLoss, mgiou, "projected corners and the definition of GIoU"),
]
