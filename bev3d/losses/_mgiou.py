"""GIoU averaged over the projections onto the boxes' own axes."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d.losses._intervals import in_frame, interval_overlap
from bev3d.losses._pair_loss import PairLossModule, pair_loss
from bev3d.losses._reduce import Reduction

__all__ = ["Mgiou3dLoss", "mgiou_3d_loss"]

_SMALLEST_SIZE = 1e-6  # metres, of a target


def mgiou_3d_loss(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Marginalised GIoU loss (Le et al. 2025, 2504.16443).

        (1 - MGIoU) / 2,   MGIoU = mean over the six face normals n of both boxes of GIoU_n
        GIoU_n = (length shared - gap) / length spanned   of the boxes' projections onto n

    On a line GIoU needs no union: what is spanned is the union where the projections touch, and the gap is what is
    spanned by neither where they do not. The normals are the three of each box, as in the paper's code; z is one of
    both and counts twice, like the other two where the boxes are parallel. (Its text drops parallel normals, which
    would let the weights jump at equal yaws.) Every box has a gradient, however far; half a turn costs nothing.

    The paper's code projects onto edges that are not normalised, which changes no quotient, but makes 0 / 0 of an edge
    of length 0 (NaN). Here the normals are unit vectors from the yaws, and where a predicted size is below a thousandth
    of the target's smallest one (zero and negative ones too) a penalty is added that makes it grow.

    Args:
        pred: (..., 7 or 9), see :class:`bev3d.boxes.Box`; the velocity is not read.
        target: same leading shape. A pair whose target has a NaN among x ... yaw gives 0. Sizes below 1e-6 m
            count as 1e-6 m.
        reduction: ``"none"``, ``"mean"`` over the known pairs, or ``"sum"``.

    Returns:
        (...) in [0, 1] for boxes of positive size, or a scalar; in the wider dtype of the two, float32 at least; inside
        it is float64. Equal boxes give 0 with gradient 0; a prediction that is not finite gives NaN.

    Raises:
        ValueError: wrong shapes, devices or reduction.
        TypeError: not floating-point tensors.
    """
    return pair_loss(pred, target, _halved_mgiou, "3d", reduction)


class Mgiou3dLoss(PairLossModule):
    """Mean of :func:`mgiou_3d_loss` over the known pairs."""

    def __init__(self) -> None:
        super().__init__(mgiou_3d_loss)


def _halved_mgiou(pred: Tensor, target: Tensor) -> Tensor:
    between = pred[..., :3] - target[..., :3]
    l, w, h = pred[..., 3:6].clamp(min=0).unbind(-1)  # noqa: E741
    target_l, target_w, target_h = target[..., 3:6].clamp(min=_SMALLEST_SIZE).unbind(-1)
    angle = pred[..., 6] - target[..., 6]
    s, c = angle.sin().abs(), angle.cos().abs()
    along, across, up = in_frame(between, target[..., 6])
    own_along, own_across, _ = in_frame(between, pred[..., 6])
    # what each box covers of the other's two horizontal normals
    length = torch.stack([l * c + w * s, l * s + w * c, l, w, h, h], dim=-1)
    turned = [target_l * c + target_w * s, target_l * s + target_w * c]
    target_length = torch.stack([target_l, target_w, *turned, target_h, target_h], dim=-1)
    offset = torch.stack([along, across, own_along, own_across, up, up], dim=-1)
    shared, spanned = interval_overlap(length, target_length, offset)
    return (1 - shared / spanned).mean(dim=-1) / 2
