"""Losses of the overlap of axis-aligned boxes in two dimensions."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from bev3d._check import check_choice, check_last_dim
from bev3d.losses._collapsed import collapse_penalty
from bev3d.losses._inputs import check_prediction, check_same_shape, in_float32
from bev3d.losses._known import check_positive
from bev3d.losses._module import LossModule
from bev3d.losses._power import power
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["BoxIouLoss2d", "box_iou_loss_2d"]

Kind2d = Literal["iou", "log_iou", "giou", "diou", "ciou", "eiou", "focal_eiou", "alpha_iou", "siou"]
CiouAlpha = Literal["aaai", "tcyb"]

LEAST_IOU = 1e-6  # log_iou of boxes apart
LEAST_WEIGHT = 0.1  # focal_eiou of boxes apart


class _Pair(NamedTuple):
    """Attributes: IoU; union and enclosing area; w, h of both and of the enclosing box; squared distances."""

    iou: Tensor
    union: Tensor
    size: Tensor
    target_size: Tensor
    enclosing: Tensor
    shift: Tensor


def box_iou_loss_2d(
    pred: Tensor,
    target: Tensor,
    *,
    kind: Kind2d = "giou",
    ciou_alpha: CiouAlpha = "aaai",
    power_of_iou: float = 3.0,
    focal_gamma: float = 0.5,
    reduction: Reduction = "none",
) -> Tensor:
    """Loss of the overlap of aligned boxes x1, y1, x2, y2.

    ============== ============================================================ =======================================
    kind           loss                                                         source
    ============== ============================================================ =======================================
    ``iou``        1 - IoU                                                      no gradient where the boxes are apart
    ``log_iou``    -ln max(IoU, 1e-6)                                           UnitBox, Yu et al. 2016, 1608.01471
    ``giou``       1 - IoU + (C - U) / C                                        Rezatofighi et al. 2019, 1902.09630
    ``diou``       1 - IoU + d² / c²                                            Zheng et al. 2020, 1911.08287
    ``ciou``       DIoU + a v, v = 4/pi² (atan(w*/h*) - atan(w/h))²             Zheng et al. 2020, 1911.08287
    ``eiou``       DIoU + (w - w*)²/Cw² + (h - h*)²/Ch²                         Zhang et al. 2021, 2101.08158
    ``focal_eiou`` max(IoU^g, 0.1) EIoU, the weight a constant                  Zhang et al. 2021, 2101.08158
    ``alpha_iou``  1 - IoU^p                                                    He et al. 2021, 2110.13675
    ``siou``       1 - IoU + (distance cost + shape cost) / 2                   Gevorgyan 2022, 2205.12740
    ============== ============================================================ =======================================

    U is the union, C the area, Cw and Ch the sides and c the diagonal of the smallest enclosing box, d the distance of
    the centres; * marks the target. GIoU's second term is the share of the enclosing box that neither fills, not a
    distance. In CIoU, a = v / (1 - IoU + v) is a constant (``"aaai"``), and 0 below IoU 0.5 (``"tcyb"``, Zheng et
    al. 2021, 2005.03572, as in mmdet); the gradient of v is v's own, while the sign of dv/dw as printed in the paper,
    and copied from it, is turned. mmdet's "EIoU" is another loss. Without the floor of focal EIoU a batch of boxes all
    apart would learn nothing.

    A predicted side below a thousandth of the target's smaller one (zero and negative ones too) adds a penalty that
    makes it grow.

    Args:
        pred: (..., 4) x1, y1, x2, y2.
        target: same shape. A pair whose target has a NaN gives 0.
        kind: see the table.
        ciou_alpha: see above.
        power_of_iou: p of ``alpha_iou``, above 0.
        focal_gamma: g of ``focal_eiou``, above 0.
        reduction: ``"none"``, ``"mean"`` over the known pairs, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least, inside it is float64; 0 with gradient 0 for equal boxes.

    Raises:
        ValueError: wrong shapes, an unknown kind or reduction, an option out of range.
        TypeError: not floating-point tensors.
    """
    check_prediction("pred", pred)
    check_last_dim("pred", pred, (4,))
    check_last_dim("target", target, (4,))
    check_same_shape("target", target, "pred", pred)
    check_choice("kind", kind, get_args(Kind2d))
    check_choice("ciou_alpha", ciou_alpha, ("aaai", "tcyb"))
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    check_positive("power_of_iou", power_of_iou)
    check_positive("focal_gamma", focal_gamma)
    dtype = in_float32(pred, target)[0].dtype
    box, wanted = pred.double(), target.double()  # sides are differences of coordinates
    known = ~wanted.isnan().any(-1)
    box = torch.where(known[..., None], box, torch.zeros_like(box))
    wanted = torch.where(known[..., None], wanted, torch.zeros_like(wanted))
    pair = _measure(box, wanted)
    loss = _loss(pair, kind, ciou_alpha, power_of_iou, focal_gamma)
    smallest = pair.target_size.amin(-1).clamp(min=1e-3)
    loss = loss + collapse_penalty(pair.size, pair.target_size, 1 / smallest)
    return reduce_loss(torch.where(known, loss, 0.0).to(dtype), reduction, known.sum().clamp(min=1))


class BoxIouLoss2d(LossModule):
    """Mean of :func:`box_iou_loss_2d` over the known pairs.

    Args:
        kind, ciou_alpha, power_of_iou, focal_gamma: as the function.
    """

    def __init__(
        self,
        kind: Kind2d = "giou",
        *,
        ciou_alpha: CiouAlpha = "aaai",
        power_of_iou: float = 3.0,
        focal_gamma: float = 0.5,
    ) -> None:
        check_choice("kind", kind, get_args(Kind2d))
        super().__init__(
            box_iou_loss_2d, kind=kind, ciou_alpha=ciou_alpha, power_of_iou=power_of_iou, focal_gamma=focal_gamma
        )

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Pairs whose target has no NaN."""
        return (~target.isnan().any(-1)).sum().clamp(min=1)


def _measure(box: Tensor, wanted: Tensor) -> _Pair:
    size, target_size = box[..., 2:] - box[..., :2], wanted[..., 2:] - wanted[..., :2]
    shared = torch.minimum(box[..., 2:], wanted[..., 2:]) - torch.maximum(box[..., :2], wanted[..., :2])
    shared = shared.clamp(min=0)
    intersection = shared[..., 0] * shared[..., 1]
    positive, target_positive = size.clamp(min=0), target_size.clamp(min=0)
    union = positive.prod(-1) + target_positive.prod(-1) - intersection
    low = torch.minimum(torch.minimum(box[..., :2], box[..., 2:]), wanted[..., :2])
    high = torch.maximum(torch.maximum(box[..., 2:], box[..., :2]), wanted[..., 2:])
    shift = (box[..., :2] + box[..., 2:] - wanted[..., :2] - wanted[..., 2:]) / 2
    return _Pair(_over(intersection, union), union, size, target_size, high - low, shift)


def _loss(pair: _Pair, kind: Kind2d, ciou_alpha: CiouAlpha, power_of_iou: float, focal_gamma: float) -> Tensor:
    apart = 1 - pair.iou
    if kind == "iou":
        return apart
    if kind == "log_iou":
        return -torch.log(pair.iou.clamp(min=LEAST_IOU))
    if kind == "alpha_iou":
        return 1 - power(pair.iou, power_of_iou)
    if kind == "giou":
        area = pair.enclosing.prod(-1)
        return apart + _over(area - pair.union, area)
    if kind == "siou":
        return apart + _siou_costs(pair) / 2
    distance = apart + _over(pair.shift.square().sum(-1), pair.enclosing.square().sum(-1))
    if kind == "diou":
        return distance
    if kind == "ciou":
        return distance + _aspect_term(pair, ciou_alpha)
    sides = _over((pair.size - pair.target_size).square(), pair.enclosing.square()).sum(-1)
    if kind == "eiou":
        return distance + sides
    weight = power(pair.iou.detach(), focal_gamma).clamp(min=LEAST_WEIGHT)
    return weight * (distance + sides)


def _aspect_term(pair: _Pair, ciou_alpha: CiouAlpha) -> Tensor:
    """a v of CIoU; a box without extent has no aspect."""
    exists = (pair.size > 0).all(-1) & (pair.target_size > 0).all(-1)
    size = torch.where(exists[..., None], pair.size, torch.ones_like(pair.size))
    target_size = torch.where(exists[..., None], pair.target_size, torch.ones_like(pair.size))
    angle = torch.atan2(target_size[..., 0], target_size[..., 1]) - torch.atan2(size[..., 0], size[..., 1])
    v = 4 / math.pi**2 * angle.square()
    constant, iou = v.detach(), pair.iou.detach()
    alpha = _over(constant, 1 - iou + constant)
    if ciou_alpha == "tcyb":
        alpha = torch.where(iou < 0.5, torch.zeros_like(alpha), alpha)
    return alpha * v


def _siou_costs(pair: _Pair) -> Tensor:
    """Distance and shape cost of SIoU."""
    squares = pair.shift.square()
    # sin(2 a) of the angle a between the line of the centres and an axis
    angle = _over(2 * pair.shift.abs().prod(-1), squares.sum(-1))
    rate = (2 - angle)[..., None]
    distance = (1 - torch.exp(-rate * _over(squares, pair.enclosing.square()))).sum(-1)
    larger = torch.maximum(pair.size, pair.target_size)
    ratio = _over((pair.size - pair.target_size).abs(), larger)
    return distance + (1 - torch.exp(-ratio)).pow(4).sum(-1)


def _over(dividend: Tensor, divisor: Tensor) -> Tensor:
    """The quotient, 0 where there is nothing to divide by."""
    exists = divisor > 0
    return torch.where(exists, dividend / torch.where(exists, divisor, torch.ones_like(divisor)), 0.0)
