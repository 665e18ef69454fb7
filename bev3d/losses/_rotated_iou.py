"""Losses of the exact rotated overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._collapsed import collapse_penalty, known_boxes
from bev3d.losses._known import check_positive
from bev3d.losses._pair_loss import PairLossModule
from bev3d.losses._pairs import check_aligned_pair
from bev3d.losses._power import power
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d.overlap import (
    ciou_3d,
    ciou_bev,
    diou_3d,
    diou_bev,
    eiou_3d,
    eiou_bev,
    giou_3d,
    giou_bev,
    iou_3d,
    iou_bev,
)

__all__ = ["RotatedIouLoss", "rotated_iou_loss"]

Kind = Literal["iou", "log_iou", "giou", "diou", "ciou", "eiou", "focal_eiou", "alpha_iou"]
Space = Literal["bev", "3d"]
CiouAlpha = Literal["aaai", "tcyb"]

LEAST_IOU = 1e-6  # log_iou of boxes apart
LEAST_WEIGHT = 0.1  # focal_eiou of boxes apart

_OVERLAPS: dict[tuple[str, str], Callable[..., Tensor]] = {
    ("iou", "bev"): iou_bev,
    ("iou", "3d"): iou_3d,
    ("giou", "bev"): giou_bev,
    ("giou", "3d"): giou_3d,
    ("diou", "bev"): diou_bev,
    ("diou", "3d"): diou_3d,
    ("ciou", "bev"): ciou_bev,
    ("ciou", "3d"): ciou_3d,
    ("eiou", "bev"): eiou_bev,
    ("eiou", "3d"): eiou_3d,
}

# CIoU's pull on a length or width that has nearly vanished, times the target's diagonal: 4/π over a thousandth
_ASPECT_PULL = 1300.0


def rotated_iou_loss(
    pred: Tensor,
    target: Tensor,
    *,
    kind: Kind = "iou",
    space: Space = "3d",
    ciou_alpha: CiouAlpha = "aaai",
    power_of_iou: float = 3.0,
    focal_gamma: float = 0.5,
    reduction: Reduction = "none",
) -> Tensor:
    """Loss of the rotated overlap of aligned boxes.

    ============== ======================================= ============ =============================================
    kind           loss                                    range        source
    ============== ======================================= ============ =============================================
    ``iou``        1 - IoU                                 [0, 1]       no gradient where the boxes are apart
    ``log_iou``    -ln max(IoU, 1e-6)                      [0, 13.9]    UnitBox, Yu et al. 2016, 1608.01471
    ``giou``       1 - IoU + (C - U) / C                   [0, 2]       Rezatofighi et al., CVPR 2019, 1902.09630
    ``diou``       1 - IoU + d² / c²                       [0, 2]       Zheng et al., AAAI 2020, 1911.08287
    ``ciou``       1 - IoU + d² / c² + α v                 [0, 3]       the same; v of length and width, α held fixed
    ``eiou``       1 - IoU + d² / c² + Σ Δsize² / C_size²  [0, 4 or 5]  Zhang et al., Neurocomputing 2022, 2101.08158
    ``focal_eiou`` max(IoU^γ, 0.1) EIoU, the weight fixed  [0, 4 or 5]  the same
    ``alpha_iou``  1 - IoU^p                               [0, 1]       He et al., NeurIPS 2021, 2110.13675
    ============== ======================================= ============ =============================================

    U is the union, C the area (volume) and c the diagonal of the enclosing box, which is parallel to the target's
    sides; all terms as in :mod:`bev3d.overlap`, where value and gradient are found in one pass. The overlap is that
    of the rotated boxes: the "IoU losses" of several detectors leave the yaw out.
    Where a predicted size is below a thousandth of the target's smallest one (zero and negative ones too), a
    penalty that grows with the deficit is added, so that a collapsed box always grows again.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`; the velocity is not read.
        target: same leading shape. A pair whose target has a NaN among x ... yaw gives 0.
        kind: see the table.
        space: ``"bev"``, the footprints seen from above, or ``"3d"``, the volumes.
        ciou_alpha: ``"aaai"``, α = v / (1 - IoU + v), or ``"tcyb"`` (2005.03572), 0 where IoU is below 0.5.
        power_of_iou: p of ``alpha_iou``, above 0.
        focal_gamma: γ of ``focal_eiou``, above 0. Without its floor boxes apart would learn nothing.
        reduction: ``"none"``, ``"mean"`` over the known pairs, or ``"sum"``.

    Returns:
        (...), or a scalar; in the wider dtype of the two, float32 at least; inside it is float64. Equal boxes give 0
        with gradient 0; a prediction that is not finite gives NaN, so that divergence shows.

    Raises:
        ValueError: wrong shapes, devices, kind, space or reduction.
        TypeError: not floating-point tensors.
    """
    _check_options(kind, space, ciou_alpha, power_of_iou, focal_gamma)
    dtype = check_aligned_pair(pred, target)
    # in float64 whatever came: a loss within 1e-6, and a near-equal pair whose gradient does not round away
    known, pred, target = known_boxes(pred.double(), target.double())
    loss = _form(pred, target, kind, space, ciou_alpha, power_of_iou, focal_gamma)
    sizes = slice(3, 5 if space == "bev" else 6)
    # the pull of GIoU towards smaller boxes is below one over the target's smallest size
    slope = 1 / target[..., sizes].amin(dim=-1).clamp(min=1e-3)
    if kind == "ciou":
        slope = slope + _ASPECT_PULL / target[..., 3:5].norm(dim=-1).clamp(min=1e-3)
    loss = loss + collapse_penalty(pred[..., sizes], target[..., sizes], slope)
    loss = torch.where(pred.isfinite().all(dim=-1), loss, torch.nan)
    loss = torch.where(known, loss, 0.0)
    return reduce_loss(loss.to(dtype), reduction, known.sum().clamp(min=1))


class RotatedIouLoss(PairLossModule):
    """Mean of :func:`rotated_iou_loss` over the known pairs.

    Args:
        kind, space, ciou_alpha, power_of_iou, focal_gamma: as the function.
    """

    def __init__(
        self,
        kind: Kind = "iou",
        space: Space = "3d",
        *,
        ciou_alpha: CiouAlpha = "aaai",
        power_of_iou: float = 3.0,
        focal_gamma: float = 0.5,
    ) -> None:
        _check_options(kind, space, ciou_alpha, power_of_iou, focal_gamma)
        options = {"ciou_alpha": ciou_alpha, "power_of_iou": power_of_iou, "focal_gamma": focal_gamma}
        super().__init__(rotated_iou_loss, kind=kind, space=space, **options)


def _form(
    pred: Tensor, target: Tensor, kind: Kind, space: Space, ciou_alpha: CiouAlpha, power_of_iou: float, gamma: float
) -> Tensor:
    if kind in ("log_iou", "alpha_iou"):
        iou = _OVERLAPS["iou", space](pred, target)
        return -torch.log(iou.clamp(min=LEAST_IOU)) if kind == "log_iou" else 1 - power(iou, power_of_iou)
    if kind == "focal_eiou":
        weight = power(_OVERLAPS["iou", space](pred.detach(), target.detach()), gamma).clamp(min=LEAST_WEIGHT)
        return weight * (1 - _OVERLAPS["eiou", space](pred, target))
    loss = 1 - _OVERLAPS[kind, space](pred, target)
    if kind == "ciou" and ciou_alpha == "tcyb":
        far = _OVERLAPS["iou", space](pred.detach(), target.detach()) < 0.5
        loss = torch.where(far, 1 - _OVERLAPS["diou", space](pred, target), loss)
    return loss


def _check_options(kind: str, space: str, ciou_alpha: str, power_of_iou: float, focal_gamma: float) -> None:
    check_choice("kind", kind, get_args(Kind))
    check_choice("space", space, ("bev", "3d"))
    check_choice("ciou_alpha", ciou_alpha, ("aaai", "tcyb"))
    check_positive("power_of_iou", power_of_iou)
    check_positive("focal_gamma", focal_gamma)
