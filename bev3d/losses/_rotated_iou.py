"""Losses of the exact rotated overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._collapsed import collapse_penalty, known_boxes
from bev3d.losses._module import LossModule
from bev3d.losses._pairs import check_aligned_pair
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

Kind = Literal["iou", "giou", "diou", "ciou", "eiou"]
Space = Literal["bev", "3d"]

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
_KINDS = ("iou", "giou", "diou", "ciou", "eiou")

# CIoU's pull on a length or width that has nearly vanished, times the target's diagonal: 4/π over a thousandth
_ASPECT_PULL = 1300.0


def rotated_iou_loss(
    pred: Tensor,
    target: Tensor,
    *,
    kind: Kind = "iou",
    space: Space = "3d",
    reduction: Reduction = "none",
) -> Tensor:
    """One minus the rotated IoU, GIoU, DIoU, CIoU or EIoU of aligned boxes.

    ======== ======================================= =========== ==================================================
    kind     loss                                    range       source
    ======== ======================================= =========== ==================================================
    ``iou``  1 - IoU                                 [0, 1]      no gradient where the boxes are apart
    ``giou`` 1 - IoU + (C - U) / C                   [0, 2]      Rezatofighi et al., CVPR 2019, 1902.09630
    ``diou`` 1 - IoU + d² / c²                       [0, 2]      Zheng et al., AAAI 2020, 1911.08287
    ``ciou`` 1 - IoU + d² / c² + α v                 [0, 3]      the same; v of length and width, α held fixed
    ``eiou`` 1 - IoU + d² / c² + Σ Δsize² / C_size²  [0, 4 or 5] Zhang et al., Neurocomputing 2022, 2101.08158
    ======== ======================================= =========== ==================================================

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
        reduction: ``"none"``, ``"mean"`` over all pairs, or ``"sum"``.

    Returns:
        (...), or a scalar; in the wider dtype of the two, float32 at least. Equal boxes give 0 with gradient 0; a
        prediction that is not finite gives NaN, so that divergence shows.

    Raises:
        ValueError: wrong shapes, devices, kind, space or reduction.
        TypeError: not floating-point tensors.
    """
    check_choice("kind", kind, _KINDS)
    check_choice("space", space, ("bev", "3d"))
    dtype = check_aligned_pair(pred, target)
    known, pred, target = known_boxes(pred.to(dtype), target.to(dtype))
    loss = 1 - _OVERLAPS[kind, space](pred, target)
    sizes = slice(3, 5 if space == "bev" else 6)
    # the pull of GIoU towards smaller boxes is below one over the target's smallest size
    slope = 1 / target[..., sizes].amin(dim=-1).clamp(min=1e-3)
    if kind == "ciou":
        slope = slope + _ASPECT_PULL / target[..., 3:5].norm(dim=-1).clamp(min=1e-3)
    loss = loss + collapse_penalty(pred[..., sizes], target[..., sizes], slope)
    loss = torch.where(pred.isfinite().all(dim=-1), loss, torch.nan)
    loss = torch.where(known, loss, 0.0)
    return reduce_loss(loss, reduction)


class RotatedIouLoss(LossModule):
    """Mean of :func:`rotated_iou_loss`.

    Args:
        kind: ``"iou"``, ``"giou"``, ``"diou"``, ``"ciou"`` or ``"eiou"``.
        space: ``"bev"`` or ``"3d"``.
    """

    def __init__(self, kind: Kind = "iou", space: Space = "3d") -> None:
        check_choice("kind", kind, _KINDS)
        check_choice("space", space, ("bev", "3d"))
        super().__init__(rotated_iou_loss, kind=kind, space=space)
