"""Overlap, Gaussian and corner losses: along the offset, the size and the yaw of a box."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bev3d import compat, losses
from bev3d.guide._curves import Curve, Panel, sweep

__all__ = ["box_iou_2d", "corner", "gaussian_box", "rotated_iou", "special_iou"]

Loss = Callable[[Tensor, Tensor], Tensor]
CAR = (0.0, 0.0, 0.0, 4.6, 1.9, 1.6, 0.0)


def box_iou_2d() -> list[Panel]:
    """A box of 2 x 2 and predictions moved, scaled and stretched."""

    def loss(kind: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        def of(shift: Tensor, width: Tensor, height: Tensor) -> Tensor:
            pred = torch.stack([shift - width / 2, -height / 2, shift + width / 2, height / 2], -1)
            target = torch.tensor([-1.0, -1, 1, 1], dtype=pred.dtype).expand_as(pred)
            return losses.box_iou_loss_2d(pred, target, kind=kind)  # type: ignore[arg-type]

        return of

    def moved(kind: str) -> Curve:
        return sweep(kind, lambda x: loss(kind)(x, torch.full_like(x, 2.0), torch.full_like(x, 2.0)), 0, 5)

    def scaled(kind: str) -> Curve:
        return sweep(kind, lambda s: loss(kind)(torch.zeros_like(s), 2 * s.exp2(), 2 * s.exp2()), -2, 2)

    def stretched(kind: str) -> Curve:
        return sweep(kind, lambda s: loss(kind)(torch.zeros_like(s), 2 * s.exp2(), 2 * (-s).exp2()), -2, 2)

    return [
        Panel("Moved sideways: apart from 2 on", "offset, the box being 2 wide", [
            moved(k) for k in ("iou", "giou", "diou", "siou", "alpha_iou", "focal_eiou")], (0, 2), (-0.1, 0.9)),
        Panel("Same centre, scaled", "log2 of the scale", [
            scaled(k) for k in ("iou", "eiou", "siou", "alpha_iou", "log_iou")], (0, 3), (-2.2, 2.2)),
        Panel("Same centre and area, stretched", "log2 of the stretch", [
            stretched(k) for k in ("iou", "giou", "ciou", "eiou", "siou")], (0, 2), (-1.6, 1.6)),
    ]  # fmt: skip


def rotated_iou() -> list[Panel]:
    """A car moved along its length, turned and scaled; the overlap without yaw in grey."""
    kinds = ("iou", "giou", "diou", "ciou", "eiou", "alpha_iou")

    def of(kind: str) -> Loss:
        return lambda pred, target: losses.rotated_iou_loss(pred, target, kind=kind, space="3d")  # type: ignore[arg-type]

    moved, turned, scaled = _three({kind: of(kind) for kind in kinds})
    unaware = _turned("without yaw", lambda p, t: 1 - compat.axis_aligned_iou_3d(p, t), other=True)
    return [
        Panel("Moved along its length of 4.6 m", "offset, metres", moved, (0, 2), (-0.1, 0.75)),
        Panel("Turned on the spot", "error of the yaw, degrees", [*turned, unaware], (-0.06, 1.2), (-2.5, 2.5)),
        Panel("Scaled about its centre", "log2 of the scale", scaled, (0, 2.2), (-2.2, 2.2)),
    ]


def special_iou() -> list[Panel]:
    """The same car, under the losses of three detectors, beside 1 - IoU."""
    moved, turned, scaled = _three(
        {
            "1 - IoU": losses.rotated_iou_loss,
            "odiou": losses.odiou_loss,
            "rdiou": losses.rdiou_loss,
            "mgiou_3d": losses.mgiou_3d_loss,
        }
    )
    return [
        Panel("Moved along its length of 4.6 m", "offset, metres", moved, (0, 2), (-0.1, 0.6)),
        Panel("Turned on the spot", "error of the yaw, degrees", turned, (-0.05, 2.1), (-2.5, 2.5)),
        Panel("Scaled about its centre", "log2 of the scale", scaled, (0, 1.2), (-2.2, 2.2)),
    ]


def gaussian_box() -> list[Panel]:
    """The same, of boxes as Gaussians; and a square box turned, to which they are blind."""
    kinds = ("gwd", "kld", "jd", "bd", "kfiou", "probiou")

    def of(kind: str) -> Loss:
        return lambda pred, target: losses.gaussian_box_loss(pred, target, kind=kind, space="bev")  # type: ignore

    moved, turned, scaled = _three({kind: of(kind) for kind in kinds})
    return [
        Panel("Moved along its length of 4.6 m", "offset, metres", moved),
        Panel("Turned on the spot", "error of the yaw, degrees", turned),
        Panel("Scaled about its centre", "log2 of the scale", scaled),
    ]


def corner() -> list[Panel]:
    """The three losses that are called corner loss; the first in metres over eight."""

    def of(variant: str, flip: bool) -> Loss:
        def loss(pred: Tensor, target: Tensor) -> Tensor:
            value = losses.corner_loss(pred, target, variant=variant, flip_invariant=flip)  # type: ignore[arg-type]
            return value if variant == "per_corner" else value / 8

        return loss

    names = {"per_box / 8": "per_box", "per_corner": "per_corner", "huber_sum / 8": "huber_sum"}
    moved, turned, _ = _three({name: of(variant, True) for name, variant in names.items()})
    without = [_turned(name, of(variant, False)) for name, variant in names.items()]
    return [
        Panel("Moved along its length", "offset, metres", moved),
        Panel("Turned: half a turn is free", "error of the yaw, degrees", turned),
        Panel("flip_invariant=False", "error of the yaw, degrees", without),
    ]


def _three(kinds: dict[str, Loss]) -> tuple[Sequence[Curve], Sequence[Curve], Sequence[Curve]]:
    return (
        [_moved(name, loss) for name, loss in kinds.items()],
        [_turned(name, loss) for name, loss in kinds.items()],
        [_scaled(name, loss) for name, loss in kinds.items()],
    )


def _pair(count: Tensor) -> tuple[list[Tensor], Tensor]:
    target = torch.tensor(CAR, dtype=count.dtype).expand(len(count), 7)
    return list(target.unbind(-1)), target


def _moved(name: str, loss: Loss) -> Curve:
    def along(x: Tensor) -> Tensor:
        columns, target = _pair(x)
        columns[0] = x
        return loss(torch.stack(columns, -1), target)

    return sweep(name, along, 0, 8)


def _turned(name: str, loss: Loss, *, other: bool = False) -> Curve:
    def along(yaw: Tensor) -> Tensor:
        columns, target = _pair(yaw)
        columns[6] = yaw
        return loss(torch.stack(columns, -1), target)

    curve = sweep(name, along, -math.pi, math.pi, steps=722, other=other)
    return Curve(name, curve.at * 180 / math.pi, curve.value, curve.slope, other)


def _scaled(name: str, loss: Loss) -> Curve:
    def along(s: Tensor) -> Tensor:
        columns, target = _pair(s)
        for k in (3, 4, 5):
            columns[k] = columns[k] * s.exp2()
        return loss(torch.stack(columns, -1), target)

    return sweep(name, along, -2, 2)
