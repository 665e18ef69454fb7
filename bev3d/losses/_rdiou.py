"""The overlap loss in which rotation is a dimension of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d.losses._intervals import in_frame, interval_overlap
from bev3d.losses._pair_loss import PairLossModule, pair_loss
from bev3d.losses._reduce import Reduction

__all__ = ["RdiouLoss", "rdiou_loss"]

_SMALLEST_SIZE = 1e-6  # metres, of a target


def rdiou_loss(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Rotation-decoupled IoU loss (Sheng et al., ECCV 2022, 2207.09332).

        1 - RDIoU + ρ² / c²,   RDIoU = I / (V + V* - I)

    Each box is four intervals: (u, l), (v, w), (z, h) and, for the rotation, one of length 1 about sin Δ (prediction)
    or 0 (target), Δ the difference of the yaws. I is the product of the four lengths shared, V and V* those of the
    lengths, ρ the distance of the four centres and c the diagonal of the four lengths spanned. So the yaw never changes
    how lengths overlap, which makes the loss smooth where the true IoU is steep; it is no IoU: a quarter turn of a cube
    gives RDIoU 0. Half a turn costs nothing, a heading needs another loss.

    The paper computes on the residuals to an anchor, and its code doubles those of y and z ("empirically") and caps
    log sizes: none of that is left without anchors. Here u, v, z are the offset of the centres along the **target's**
    heading, across it and up, and all lengths are in units of the target's sizes, so that the loss does not change
    when both boxes move, turn or scale together.

    Where a predicted size is below a thousandth of the target's smallest one (zero and negative ones too) a penalty is
    added that makes it grow.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`; the velocity is not read.
        target: same leading shape. A pair whose target has a NaN among x ... yaw gives 0.
        reduction: ``"none"``, ``"mean"`` over the known pairs, or ``"sum"``.

    Returns:
        (...) in [0, 2] for boxes of positive size, or a scalar; in the wider dtype of the two, float32 at least; inside
        it is float64. Equal boxes give 0 with gradient 0; a prediction that is not finite gives NaN.

    Raises:
        ValueError: wrong shapes, devices or reduction.
        TypeError: not floating-point tensors.
    """
    return pair_loss(pred, target, _rdiou, "3d", reduction)


class RdiouLoss(PairLossModule):
    """Mean of :func:`rdiou_loss` over the known pairs."""

    def __init__(self) -> None:
        super().__init__(rdiou_loss)


def _rdiou(pred: Tensor, target: Tensor) -> Tensor:
    unit = target[..., 3:6].clamp(min=_SMALLEST_SIZE)
    size = pred[..., 3:6].clamp(min=0) / unit
    offset = torch.stack(in_frame(pred[..., :3] - target[..., :3], target[..., 6]), dim=-1) / unit
    rotation = (pred[..., 6] - target[..., 6]).sin()[..., None]
    one = torch.ones_like(rotation)
    length, offset = torch.cat([size, one], dim=-1), torch.cat([offset, rotation], dim=-1)
    shared, spanned = interval_overlap(length, torch.ones_like(length), offset)
    intersection = shared.clamp(min=0).prod(dim=-1)
    # the target is a cube of side 1
    union = size.prod(dim=-1) + 1 - intersection
    return 1 - intersection / union + offset.square().sum(dim=-1) / spanned.square().sum(dim=-1)
