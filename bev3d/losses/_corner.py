"""Losses of the distances between corresponding corners."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.boxes import Box, corners_3d
from bev3d.losses._collapsed import collapse_penalty, known_boxes
from bev3d.losses._module import LossModule
from bev3d.losses._pairs import check_aligned_pair
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["CornerLoss", "corner_loss"]

Variant = Literal["per_box", "per_corner", "huber_sum"]
_VARIANTS = ("per_box", "per_corner", "huber_sum")

# Above the slope by a size of every variant: eight corners, half a size each, two axes at most.
_GROWTH_SLOPE = 8.0


def corner_loss(
    pred: Tensor,
    target: Tensor,
    *,
    variant: Variant = "per_box",
    flip_invariant: bool = True,
    reduction: Reduction = "none",
) -> Tensor:
    """Distances between the eight corners P of the prediction and those of the target, P*, in metres.

    With P** the corners of the target turned by half a turn, and h(d) = d²/2 for d <= 1, d - 1/2 beyond (Huber):

    ============== ================================================ ===============================================
    variant        loss                                             source
    ============== ================================================ ===============================================
    ``per_box``    min(Σ_i ‖P_i - P*_i‖, Σ_i ‖P_i - P**_i‖)         Qi et al., CVPR 2018, 1711.08488, equation 4
    ``per_corner`` 1/8 Σ_i h(min(‖P_i - P*_i‖, ‖P_i - P**_i‖))      the code of that paper; OpenPCDet, mmdet3d
    ``huber_sum``  min(Σ_ik h(P_ik - P*_ik), Σ_ik h(P_ik - P**_ik)) lingvo: over corners i and coordinates k
    ============== ================================================ ===============================================

    ``per_corner`` lets each corner choose its own heading, which no box can follow. Corners are taken relative to
    the target's centre, so that far boxes lose no digits. A negative predicted size counts as 0; below a
    thousandth of the target's smallest size a penalty of 8 per metre of deficit is added, so that it grows.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`; the velocity is not read.
        target: same leading shape. A pair whose target has a NaN among x ... yaw gives 0.
        variant: see the table.
        flip_invariant: False leaves P** out, so that a heading off by half a turn costs.
        reduction: ``"none"``, ``"mean"`` over all boxes, or ``"sum"``.

    Returns:
        (...), or a scalar; in the wider dtype of the two, float32 at least, and computed in it. Equal boxes give
        0 with gradient 0.

    Raises:
        ValueError: wrong shapes, devices, variant or reduction.
        TypeError: not floating-point tensors.
    """
    check_choice("variant", variant, _VARIANTS)
    dtype = check_aligned_pair(pred, target)
    known, pred, target = known_boxes(pred.to(dtype), target.to(dtype))
    own = _offsets(pred) + (pred - target)[..., None, Box.CENTRE]
    to_target = own - _offsets(target)
    to_flipped = own - _offsets(_half_turn(target)) if flip_invariant else to_target
    loss = _combine(to_target, to_flipped, variant)
    loss = loss + collapse_penalty(pred[..., Box.SIZE], target[..., Box.SIZE], _GROWTH_SLOPE)
    return reduce_loss(torch.where(known, loss, torch.zeros_like(loss)), reduction)


class CornerLoss(LossModule):
    """Mean of :func:`corner_loss`.

    Args:
        variant: ``"per_box"``, ``"per_corner"`` or ``"huber_sum"``.
        flip_invariant: whether a heading off by half a turn costs nothing.
    """

    def __init__(self, variant: Variant = "per_box", flip_invariant: bool = True) -> None:
        check_choice("variant", variant, _VARIANTS)
        super().__init__(corner_loss, variant=variant, flip_invariant=flip_invariant)


def _combine(to_target: Tensor, to_flipped: Tensor, variant: Variant) -> Tensor:
    """Loss (...) from the differences of the corners (..., 8, 3)."""
    if variant == "huber_sum":
        return torch.minimum(_huber(to_target).sum(dim=(-2, -1)), _huber(to_flipped).sum(dim=(-2, -1)))
    near, flipped = _norm(to_target), _norm(to_flipped)
    if variant == "per_corner":
        return _huber(torch.minimum(near, flipped)).mean(dim=-1)
    return torch.minimum(near.sum(dim=-1), flipped.sum(dim=-1))


def _offsets(boxes: Tensor) -> Tensor:
    """Corners (..., 8, 3) relative to the centre; a negative size counts as 0."""
    parts = [torch.zeros_like(boxes[..., Box.CENTRE]), boxes[..., Box.SIZE].clamp(min=0), boxes[..., 6:7]]
    return corners_3d(torch.cat(parts, dim=-1))


def _half_turn(boxes: Tensor) -> Tensor:
    return torch.cat([boxes[..., :6], boxes[..., 6:7] + math.pi], dim=-1)


def _norm(vectors: Tensor) -> Tensor:
    """Euclidean norm over the last dimension, whose gradient at 0 is 0 and not NaN."""
    squared = vectors.square().sum(dim=-1)
    moved = squared != 0  # true of NaN, so that it stays
    return torch.where(moved, squared, torch.ones_like(squared)).sqrt() * moved


def _huber(value: Tensor) -> Tensor:
    size = value.abs()
    return torch.where(size <= 1, value.square() / 2, size - 0.5)
