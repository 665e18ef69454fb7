"""Headings as a class with a residual."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._inputs import check_prediction, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d.losses._regression import smooth_l1

__all__ = ["BinResidualLoss", "MultibinLoss", "bin_residual_loss", "multibin_loss"]

FULL_TURN = 2 * math.pi


def multibin_loss(
    pred: Tensor,
    target: Tensor,
    *,
    overlap: float = 0.1,
    residual_weight: float = 0.4,
    reduction: Reduction = "none",
) -> Tensor:
    """MultiBin (Mousavian et al., CVPR 2017, 1612.00496, equations 3 and 4).

        CE(logits, nearest bin) + w (1 - mean over the bins that cover the heading of cos(theta - c_i - d_i))

    c_i are the centres of the bins, 0, 2 pi / n, ...; d_i is the angle of the predicted (sin, cos), made a unit
    vector. A bin covers the headings within half its width and ``overlap`` of that more. The paper leaves out the 1,
    which makes the optimum 0.

    Args:
        pred: (..., bins, 3): logit, sin, cos of each bin.
        target: (...) yaw in radians; NaN: unknown, does not count.
        overlap: in [0, 1].
        residual_weight: w, at least 0.
        reduction: ``"none"``, ``"mean"`` over the known headings, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least. A (sin, cos) of length 0 counts as a right angle, without gradient.

    Raises:
        ValueError: shapes that do not fit, options out of range, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    _check(pred, target, reduction, 3, "(..., bins, 3)")
    if not 0 <= overlap <= 1:
        raise ValueError(f"overlap: expected a number in [0, 1], got {overlap}")
    if residual_weight < 0:
        raise ValueError(f"residual_weight: expected at least 0, got {residual_weight}")
    values, yaw = in_float32(pred, target)
    known = ~yaw.isnan()
    bins = pred.shape[-2]
    away = _from_centres(torch.where(known, yaw, 0.0), bins)
    nearest = away.abs().argmin(-1, keepdim=True)
    class_term = -functional.log_softmax(values[..., 0], dim=-1).gather(-1, nearest)[..., 0]
    length = values[..., 1:].square().sum(-1)
    exists = length > 0
    length = torch.where(exists, length, torch.ones_like(length)).sqrt()
    agreement = (values[..., 1] * torch.sin(away) + values[..., 2] * torch.cos(away)) / length
    # the small constant takes a heading on a border into both of its bins, whatever the rounding
    covers = away.abs() <= math.pi / bins * (1 + overlap) + 1e-6
    mean_agreement = torch.where(covers, agreement, 0.0).sum(-1) / covers.sum(-1)
    loss = torch.where(known, class_term + residual_weight * (1 - mean_agreement), 0.0)
    return reduce_loss(loss, reduction, known.sum().clamp(min=1))


class MultibinLoss(LossModule):
    """Mean of :func:`multibin_loss` over the known headings.

    Args:
        overlap, residual_weight: as the function.
    """

    def __init__(self, *, overlap: float = 0.1, residual_weight: float = 0.4) -> None:
        super().__init__(multibin_loss, overlap=overlap, residual_weight=residual_weight)

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Known headings."""
        return (~target.isnan()).sum().clamp(min=1)


def bin_residual_loss(
    pred: Tensor,
    target: Tensor,
    *,
    residual_weight: float = 20.0,
    delta: float = 1.0,
    reduction: Reduction = "none",
) -> Tensor:
    """Class and residual of a heading, as F-PointNet regresses it (Qi et al., CVPR 2018, 1711.08488).

        CE(logits, nearest bin) + w Huber(r_k - r*_k),   r* = (theta - c_k) / (pi / n), k the nearest bin

    Residuals are in half bins, so that they lie in [-1, 1]. The authors' code uses 12 bins and weighs the residual
    by 20.

    Args:
        pred: (..., bins, 2): logit and normalised residual of each bin.
        target: (...) yaw in radians; NaN: unknown, does not count.
        residual_weight: w, at least 0.
        delta: point of change of Huber's loss, half bins.
        reduction: ``"none"``, ``"mean"`` over the known headings, or ``"sum"``.

    Returns, raises: as :func:`multibin_loss`.
    """
    _check(pred, target, reduction, 2, "(..., bins, 2)")
    if residual_weight < 0:
        raise ValueError(f"residual_weight: expected at least 0, got {residual_weight}")
    if not delta > 0:
        raise ValueError(f"delta: expected a number above 0, got {delta}")
    values, yaw = in_float32(pred, target)
    known = ~yaw.isnan()
    bins = pred.shape[-2]
    away = _from_centres(torch.where(known, yaw, 0.0), bins)
    nearest = away.abs().argmin(-1, keepdim=True)
    class_term = -functional.log_softmax(values[..., 0], dim=-1).gather(-1, nearest)[..., 0]
    residual = values[..., 1].gather(-1, nearest) - away.gather(-1, nearest) / (math.pi / bins)
    loss = class_term + residual_weight * delta * smooth_l1(residual[..., 0], delta)
    return reduce_loss(torch.where(known, loss, 0.0), reduction, known.sum().clamp(min=1))


class BinResidualLoss(LossModule):
    """Mean of :func:`bin_residual_loss` over the known headings.

    Args:
        residual_weight, delta: as the function.
    """

    def __init__(self, *, residual_weight: float = 20.0, delta: float = 1.0) -> None:
        super().__init__(bin_residual_loss, residual_weight=residual_weight, delta=delta)

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Known headings."""
        return (~target.isnan()).sum().clamp(min=1)


def _from_centres(yaw: Tensor, bins: int) -> Tensor:
    """(..., bins) angle from each centre to the heading, in [-pi, pi)."""
    # in float64: float32 loses digits of an angle of some turns
    centres = torch.arange(bins, dtype=torch.float64, device=yaw.device) * (FULL_TURN / bins)
    return (torch.remainder(yaw.double()[..., None] - centres + math.pi, FULL_TURN) - math.pi).to(yaw.dtype)


def _check(pred: Tensor, target: Tensor, reduction: Reduction, channels: int, expected: str) -> None:
    check_prediction("pred", pred)
    check_prediction("target", target)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if pred.ndim < 2 or pred.shape[-1] != channels or pred.shape[-2] < 1:
        raise ValueError(f"pred: expected shape {expected}, got {tuple(pred.shape)}")
    if pred.shape[:-2] != target.shape:
        raise ValueError(f"target: expected shape {tuple(pred.shape[:-2])} for pred, got {tuple(target.shape)}")
