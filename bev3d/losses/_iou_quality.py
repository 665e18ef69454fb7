"""What a head that predicts the overlap of its own box is to learn."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._pairs import check_aligned_pair
from bev3d.overlap import iou_3d, iou_bev

__all__ = ["iou_quality_target"]


def iou_quality_target(
    pred: Tensor,
    target: Tensor,
    *,
    mode: Literal["iou", "centred"] = "iou",
    space: Literal["bev", "3d"] = "3d",
) -> Tensor:
    """True rotated IoU of each predicted box with its target, as a label: it has no gradient.

    ``"iou"`` is in [0, 1], a soft label for logits (binary cross entropy, quality or varifocal focal loss).
    ``"centred"`` is 2 IoU - 1 in [-1, 1], for a head that regresses by an L1 loss (CIA-SSD, Zheng et al.,
    AAAI 2021, 2012.03015; AFDetV2, Hu et al., AAAI 2022, 2112.09205); (output + 1) / 2 is the IoU again.

    The "IoU targets" of several detectors leave the yaw out, so that a box turned by 90 degrees is of quality 1.
    Where the label is taken without detaching it, the box head learns to please the IoU head.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`.
        target: same leading shape. A NaN among x ... yaw gives NaN, unknown, which the regression losses leave out.
        mode: see above.
        space: ``"3d"``, the volumes, or ``"bev"``, the footprints.

    Returns:
        (...), in the wider dtype of the two, float32 at least. A prediction that is not finite, or has a size that is
        not positive, overlaps nothing.

    Raises:
        ValueError: wrong shapes, devices, mode or space.
        TypeError: not floating-point tensors.
    """
    check_choice("mode", mode, ("iou", "centred"))
    check_choice("space", space, ("bev", "3d"))
    dtype = check_aligned_pair(pred, target)
    box, wanted = pred.detach()[..., :7].to(dtype), target.detach()[..., :7].to(dtype)
    iou = (iou_bev if space == "bev" else iou_3d)(box, wanted)
    iou = torch.where(wanted.isnan().any(dim=-1), torch.nan, iou)
    return 2 * iou - 1 if mode == "centred" else iou
