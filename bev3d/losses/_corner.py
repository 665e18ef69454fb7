"""Losses of the distances between corresponding corners."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._pair_loss import PairLossModule
from bev3d.losses._pairs import check_aligned_pair
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d_ops.reference._corner import corner_loss as plain_corner_loss
from bev3d_ops.registered._corner import corner_loss as fused_corner_loss

__all__ = ["CornerLoss", "corner_loss"]

Variant = Literal["per_box", "per_corner", "huber_sum"]
_VARIANTS = ("per_box", "per_corner", "huber_sum")


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
    thousandth of the target's smallest size a penalty of 8 per metre of deficit is added, so that it grows. On the
    CPU and on CUDA one kernel gives the loss and the gradients of both boxes in one pass.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`; the velocity is not read.
        target: same leading shape. A pair whose target has a NaN among x ... yaw gives 0.
        variant: see the table.
        flip_invariant: False leaves P** out, so that a heading off by half a turn costs.
        reduction: ``"none"``, ``"mean"`` over the known pairs, or ``"sum"``.

    Returns:
        (...), or a scalar; in the wider dtype of the two, float32 at least, and computed in it. Equal boxes give
        0 with gradient 0. A prediction, or an unmasked target, that is not finite gives a loss that is not.

    Raises:
        ValueError: wrong shapes, devices, variant or reduction.
        TypeError: not floating-point tensors.
        RuntimeError: it is differentiated twice.
    """
    check_choice("variant", variant, _VARIANTS)
    dtype = check_aligned_pair(pred, target)
    shape = pred.shape[:-1]
    pred, target = (boxes[..., :7].to(dtype).reshape(-1, 7) for boxes in (pred, target))
    if pred.device.type in ("cpu", "cuda"):
        wants_slopes = torch.is_grad_enabled() and (pred.requires_grad or target.requires_grad)
        loss, _, _ = fused_corner_loss(pred, target, variant, flip_invariant, wants_slopes)
    else:
        loss = plain_corner_loss(pred, target, variant, flip_invariant)
    known = ~target.isnan().any(dim=-1)
    return reduce_loss(loss.reshape(shape), reduction, known.sum().clamp(min=1))


class CornerLoss(PairLossModule):
    """Mean of :func:`corner_loss` over the known pairs.

    Args:
        variant: ``"per_box"``, ``"per_corner"`` or ``"huber_sum"``.
        flip_invariant: whether a heading off by half a turn costs nothing.
    """

    def __init__(self, variant: Variant = "per_box", flip_invariant: bool = True) -> None:
        check_choice("variant", variant, _VARIANTS)
        super().__init__(corner_loss, variant=variant, flip_invariant=flip_invariant)
