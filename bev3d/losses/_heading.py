"""Losses of a heading, and the targets of direction classes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._inputs import check_broadcast, check_prediction, in_float32
from bev3d.losses._known import ElementwiseModule, elementwise_loss
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d.losses._regression import LIDAR_BETA, smooth_l1

__all__ = [
    "DirectionLoss",
    "SinCosLoss",
    "SinDifferenceLoss",
    "VelocityLoss",
    "direction_loss",
    "direction_targets",
    "sin_cos_loss",
    "sin_difference_loss",
    "velocity_loss",
]

FULL_TURN = 2 * math.pi


def sin_difference_loss(
    pred: Tensor, target: Tensor, *, beta: float = LIDAR_BETA, reduction: Reduction = "none"
) -> Tensor:
    """Smooth L1 of sin(pred - target) (Yan et al., SECOND, Sensors 2018).

    Blind to a turn by pi, on purpose: front and back are left to :func:`direction_loss`. A heading that is off by a
    quarter turn has gradient 0.

    Args:
        pred: (...) radians.
        target: broadcasts to ``pred``; radians; NaN: unknown, does not count.
        beta: point of change of smooth L1.
        reduction: ``"none"``, ``"mean"`` over the known headings, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not broadcast, a negative beta, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    if beta < 0:
        raise ValueError(f"beta: expected at least 0, got {beta}")
    check_prediction("pred", pred)
    # float32 loses digits of an angle of some turns before the sine sees it
    loss = elementwise_loss(
        pred.double(), target.double(), reduction, lambda difference: smooth_l1(torch.sin(difference), beta)
    )
    return loss.to(in_float32(pred, target)[0].dtype)


class SinDifferenceLoss(ElementwiseModule):
    """Mean of :func:`sin_difference_loss` over the known headings.

    Args:
        beta: point of change of smooth L1.
    """

    def __init__(self, *, beta: float = LIDAR_BETA) -> None:
        super().__init__(sin_difference_loss, beta=beta)


def direction_targets(yaw: Tensor, *, bins: int = 2, offset: float = math.pi / 4) -> Tensor:
    """Class of a heading among equal sectors (Yan et al., SECOND, Sensors 2018).

        floor(((yaw - offset) mod 2 pi) / (2 pi / bins))

    Args:
        yaw: (...) radians, any; NaN: unknown.
        bins: number of sectors.
        offset: where the first sector begins. Published configurations use pi/4, so that no sector ends along or
            across the road, where most headings are.

    Returns:
        (...) int64 in [0, bins), -1 where the yaw is NaN.

    Raises:
        ValueError: fewer than one bin.
        TypeError: a yaw that is not a floating-point tensor.
    """
    check_prediction("yaw", yaw)
    if bins < 1:
        raise ValueError(f"bins: expected at least 1, got {bins}")
    known = ~yaw.isnan()
    turned = torch.remainder(torch.where(known, yaw, 0.0).double() - offset, FULL_TURN)
    # the remainder of a tiny negative angle rounds to the whole turn
    sector = (turned / (FULL_TURN / bins)).long().clamp(max=bins - 1)
    return torch.where(known, sector, -1)


def direction_loss(
    pred: Tensor, target: Tensor, *, offset: float = math.pi / 4, reduction: Reduction = "none"
) -> Tensor:
    """Cross entropy of the sector of a heading (Yan et al., SECOND, Sensors 2018).

    Args:
        pred: (..., bins) logits.
        target: (...) yaw in radians; NaN: unknown, does not count.
        offset: where the first sector begins, see :func:`direction_targets`.
        reduction: ``"none"``, ``"mean"`` over the known headings, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not fit, an unknown reduction.
        TypeError: not floating-point tensors.
    """
    check_prediction("pred", pred)
    check_prediction("target", target)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if pred.ndim < 1 or pred.shape[:-1] != target.shape:
        raise ValueError(f"pred: expected shape (*{tuple(target.shape)}, bins), got {tuple(pred.shape)}")
    (logits,) = in_float32(pred)
    sector = direction_targets(target, bins=pred.shape[-1], offset=offset)
    known = sector >= 0
    log_p = functional.log_softmax(logits, dim=-1).gather(-1, sector.clamp(min=0)[..., None])[..., 0]
    loss = torch.where(known, -log_p, 0.0)
    return reduce_loss(loss, reduction, known.sum().clamp(min=1))


class DirectionLoss(LossModule):
    """Mean of :func:`direction_loss` over the known headings.

    Args:
        offset: where the first sector begins, radians.
    """

    def __init__(self, *, offset: float = math.pi / 4) -> None:
        super().__init__(direction_loss, offset=offset)

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Known headings."""
        return (~target.isnan()).sum().clamp(min=1)


def sin_cos_loss(
    pred: Tensor, target: Tensor, *, unit_norm_weight: float = 0.0, reduction: Reduction = "none"
) -> Tensor:
    """L1 of a heading as (sin, cos), as CenterPoint regresses it (Yin et al., CVPR 2021, 2006.11275).

        |s - s*| + |c - c*| + w (s² + c² - 1)²

    The last term keeps the vector near the unit circle: the decoded atan2 does not need it, but without it the
    vector shrinks where the heading is ambiguous, and its direction becomes noise.

    Args:
        pred: (..., 2) sin, cos, of any length.
        target: (..., 2) sin, cos; NaN: unknown, does not count.
        unit_norm_weight: w, at least 0.
        reduction: ``"none"``, ``"mean"`` over the known headings, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least.

    Raises:
        ValueError: shapes that are not (..., 2) or do not broadcast, a negative weight, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    check_prediction("pred", pred)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if pred.ndim < 1 or pred.shape[-1] != 2:
        raise ValueError(f"pred: expected shape (..., 2), sin and cos, got {tuple(pred.shape)}")
    check_broadcast("target", target, "pred", pred)
    if unit_norm_weight < 0:
        raise ValueError(f"unit_norm_weight: expected at least 0, got {unit_norm_weight}")
    vector, wanted = in_float32(pred, target)
    known = _known_headings(pred, target)
    vector = torch.where(known[..., None], vector, torch.zeros_like(vector))
    wanted = torch.where(known[..., None], wanted, torch.zeros_like(wanted))
    loss = (vector - wanted).abs().sum(-1) + unit_norm_weight * (vector.square().sum(-1) - 1).square()
    return reduce_loss(torch.where(known, loss, 0.0), reduction, known.sum().clamp(min=1))


class SinCosLoss(LossModule):
    """Mean of :func:`sin_cos_loss` over the known headings.

    Args:
        unit_norm_weight: weight of the unit-norm term.
    """

    def __init__(self, *, unit_norm_weight: float = 0.0) -> None:
        super().__init__(sin_cos_loss, unit_norm_weight=unit_norm_weight)

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Known headings."""
        return _known_headings(pred, target).sum().clamp(min=1)


def velocity_loss(pred: Tensor, target: Tensor, *, delta: float | None = None, reduction: Reduction = "none") -> Tensor:
    """L1, or Huber, of the velocity in the plane; unknown components do not count.

    nuScenes gives no velocity to an object seen once, as NaN; a loss that multiplies by a mask keeps that NaN.

    Args:
        pred: (..., 2) vx, vy in metres per second.
        target: broadcasts to ``pred``; NaN: unknown.
        delta: point of change of Huber's loss, metres per second; None: L1.
        reduction: ``"none"``, ``"mean"`` over the known components, or ``"sum"``.

    Returns:
        (..., 2), or a scalar; float32 at least.

    Raises:
        ValueError: shapes that are not (..., 2) or do not broadcast, a delta that is not positive.
        TypeError: predictions that are not floating-point tensors.
    """
    check_prediction("pred", pred)
    if pred.ndim < 1 or pred.shape[-1] != 2:
        raise ValueError(f"pred: expected shape (..., 2), vx and vy, got {tuple(pred.shape)}")
    if delta is None:
        return elementwise_loss(pred, target, reduction, torch.abs)
    if not delta > 0:
        raise ValueError(f"delta: expected a number above 0, or None, got {delta}")
    return elementwise_loss(pred, target, reduction, lambda difference: delta * smooth_l1(difference, delta))


class VelocityLoss(ElementwiseModule):
    """Mean of :func:`velocity_loss` over the known components.

    Args:
        delta: point of change of Huber's loss; None: L1.
    """

    def __init__(self, *, delta: float | None = None) -> None:
        super().__init__(velocity_loss, delta=delta)


def _known_headings(pred: Tensor, target: Tensor) -> Tensor:
    return (~target.isnan()).all(-1).expand(pred.shape[:-1])
