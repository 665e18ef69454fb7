"""The losses that take part: whatever kinds bev3d.losses has when the laboratory opens."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

import bev3d.losses
from bev3d._errors import UserError
from bev3d.boxes import Box
from bev3d.losses import corner_loss, rotated_iou_loss, smooth_l1_loss

__all__ = ["FAMILIES", "LabLoss", "absent_losses", "all_losses", "choose_losses", "encoded_difference"]

FAMILIES = {
    "overlap": "Overlap",
    "gaussian": "Boxes as Gaussians",
    "coordinates": "Corners and coordinates",
}
_TITLES = {
    "iou": "IoU",
    "log_iou": "log IoU",
    "giou": "GIoU",
    "diou": "DIoU",
    "ciou": "CIoU",
    "eiou": "EIoU",
    "siou": "SIoU",
    "focal_eiou": "focal EIoU",
    "alpha_iou": "α-IoU",
    "odiou": "ODIoU",
    "rdiou": "RDIoU",
    "mgiou": "MGIoU",
    "gwd": "GWD",
    "kld": "KLD",
    "jd": "JD",
    "bd": "BD",
    "kfiou": "KFIoU",
    "probiou": "ProbIoU",
}
# single functions, with the name that they have in bev3d.losses; all see the boxes in 3D
_SINGLE = {"odiou": "odiou_loss", "rdiou": "rdiou_loss", "mgiou": "mgiou_3d_loss"}
_CORNERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("corner", "corner", {"variant": "per_box"}),
    ("corner_huber", "corner Huber", {"variant": "huber_sum"}),
    ("corner_heading", "corner heading", {"variant": "per_box", "flip_invariant": False}),
)
_GAUSSIANS = ("gwd", "kld", "jd", "bd", "kfiou", "probiou")
_SMALLEST_PART = 1e-3  # of the target's size, below which the logarithm of a size goes on as its tangent


@dataclass(frozen=True)
class LabLoss:
    """A loss under test.

    Attributes:
        name: on the command line and in lab.json.
        title: in tables and pictures.
        family: key of :data:`FAMILIES`.
        call: how the loss is called, to be read.
        function: (pred (N, 7), target (N, 7), space) to the loss of each pair (N,).
    """

    name: str
    title: str
    family: str
    call: str
    function: Callable[[Tensor, Tensor, str], Tensor]


def all_losses() -> dict[str, LabLoss]:
    """Every loss of boxes that :mod:`bev3d.losses` has now, by name."""
    found = [_of_kind(rotated_iou_loss, kind, "overlap") for kind in _kinds(rotated_iou_loss)]
    for name, function in _SINGLE.items():
        loss = getattr(bev3d.losses, function, None)
        if loss is not None:
            found.append(LabLoss(name, _TITLES[name], "overlap", f"{function}()", partial(_whole, loss)))
    gaussian = getattr(bev3d.losses, "gaussian_box_loss", None)
    if gaussian is not None:
        found += [_of_kind(gaussian, kind, "gaussian") for kind in _kinds(gaussian)]
    for name, title, options in _CORNERS:
        call = "corner_loss(" + ", ".join(f"{key}={value!r}" for key, value in options.items()) + ")"
        found.append(LabLoss(name, title, "coordinates", call, partial(_whole, partial(corner_loss, **options))))
    for name, title, sine in (("smooth_l1", "smooth L1", False), ("sine_l1", "smooth L1 sin", True)):
        call = f"smooth_l1_loss() of the encoded box, yaw as {'sin Δ' if sine else 'Δ'}"
        found.append(LabLoss(name, title, "coordinates", call, partial(_encoded_l1, sine)))
    return {loss.name: loss for loss in found}


def absent_losses() -> list[str]:
    """Names of losses that belong here and that :mod:`bev3d.losses` does not have."""
    return [name for name in (*_GAUSSIANS, *_SINGLE) if name not in all_losses()]


def choose_losses(names: Sequence[str]) -> dict[str, LabLoss]:
    """The losses of these names, in the order of :func:`all_losses`; all where there are none.

    Raises:
        UserError: an unknown name.
    """
    known = all_losses()
    for name in names:
        if name not in known:
            raise UserError(f"losses: expected names among {', '.join(known)}, got '{name}'")
    return {name: loss for name, loss in known.items() if not names or name in names}


def _kinds(function: Callable[..., Any]) -> tuple[str, ...]:
    return typing.get_args(typing.get_type_hints(function)["kind"])


def _of_kind(function: Callable[..., Tensor], kind: str, family: str) -> LabLoss:
    def loss(pred: Tensor, target: Tensor, space: str) -> Tensor:
        return function(pred, target, kind=kind, space=space)

    return LabLoss(kind, _TITLES.get(kind, kind), family, f"{function.__name__}(kind={kind!r})", loss)


def _whole(function: Callable[..., Tensor], pred: Tensor, target: Tensor, space: str) -> Tensor:
    return function(pred, target)


def _encoded_l1(sine: bool, pred: Tensor, target: Tensor, space: str) -> Tensor:
    difference = encoded_difference(pred, target, sine=sine)
    return smooth_l1_loss(difference, torch.zeros_like(difference)).sum(dim=-1)


def encoded_difference(pred: Tensor, target: Tensor, *, sine: bool) -> Tensor:
    """What an anchor head regresses (SECOND, Sensors 2018), with the target as the anchor.

        Δx / d, Δy / d, Δz / h, ln l/l*, ln w/w*, ln h/h*, Δ or sin Δ,   d the diagonal of the target's footprint

    Args:
        pred, target: (..., 7).
        sine: the sine of the difference of the yaws, and not the difference.

    Returns:
        (..., 7), 0 for equal boxes. It does not change when both boxes are scaled.
    """
    diagonal = target[..., Box.BEV_SIZE].norm(dim=-1, keepdim=True)
    unit = torch.cat([diagonal, diagonal, target[..., Box.HEIGHT, None]], dim=-1)
    offset = (pred[..., Box.CENTRE] - target[..., Box.CENTRE]) / unit
    part = pred[..., Box.SIZE] / target[..., Box.SIZE]
    low = part < _SMALLEST_PART
    tangent = torch.log(torch.full_like(part, _SMALLEST_PART)) + part / _SMALLEST_PART - 1
    size = torch.where(low, tangent, torch.where(low, 1.0, part).log())
    turn = pred[..., Box.YAW, None] - target[..., Box.YAW, None]
    return torch.cat([offset, size, turn.sin() if sine else turn], dim=-1)
