"""How central a point lies in its box, as a target and a loss; objectness."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d._check import check_boxes, check_choice
from bev3d.losses._binary_cross_entropy import entropy_of_logits
from bev3d.losses._inputs import check_broadcast, check_prediction, check_unit_interval, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = [
    "CenternessLoss",
    "ObjectnessLoss",
    "centerness_loss",
    "centerness_target",
    "objectness_loss",
]


def centerness_target(points: Tensor, boxes: Tensor) -> Tensor:
    """Centre-ness of a point in its box (Tian et al., FCOS, ICCV 2019, 1904.01355, equation 3; here in 3D).

        (product over length, width, height of min(front, back) / max(front, back)) ^ (1/3)

    It re-weights: a detector multiplies its score by the predicted centre-ness, so that boxes guessed from the rim
    of an object rank behind those from its middle. In two dimensions the paper takes the square root of two factors.

    Args:
        points: (..., 3 or more) x, y, z in metres.
        boxes: (..., 7 or 9), broadcastable but for the last dimension; each point's own box.

    Returns:
        (...) in [0, 1], float32 at least: 1 at the centre, 0 on the surface and outside, and where a size is not
        positive or a value is not finite. Not differentiable: a target.

    Raises:
        ValueError: wrong last dimensions, shapes that do not broadcast.
        TypeError: not floating-point tensors.
    """
    check_prediction("points", points)
    if points.ndim < 1 or points.shape[-1] < 3:
        raise ValueError(f"points: expected shape (..., 3 or more), got {tuple(points.shape)}")
    check_boxes("boxes", boxes)
    with torch.no_grad():
        xyz, box = in_float32(points[..., :3], boxes[..., :7])
        shift = xyz - box[..., :3]
        c, s = torch.cos(box[..., 6]), torch.sin(box[..., 6])
        along = torch.stack(
            [c * shift[..., 0] + s * shift[..., 1], c * shift[..., 1] - s * shift[..., 0], shift[..., 2]], dim=-1
        ).abs()
        half = box[..., 3:6] / 2
        near, far = half - along, half + along
        inside = ((near > 0) & near.isfinite()).all(-1)
        ratio = torch.where(inside[..., None], near / far, 0.0)
        return ratio.prod(-1).pow(1 / 3)


def centerness_loss(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Binary cross entropy of a predicted centre-ness (Tian et al., FCOS, ICCV 2019, 1904.01355).

    Args:
        pred: (...) logits.
        target: broadcasts to ``pred``; in [0, 1], see :func:`centerness_target`; NaN: does not count.
        reduction: ``"none"``, ``"mean"`` over the entries that count, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least; its minimum is the entropy of the target, not 0.

    Raises:
        ValueError: shapes that do not broadcast, targets outside [0, 1], an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    return _masked_entropy(pred, target, ~target.isnan(), reduction)


class CenternessLoss(LossModule):
    """Mean of :func:`centerness_loss` over the entries that count."""

    def __init__(self) -> None:
        super().__init__(centerness_loss)

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Entries that are not NaN."""
        return (~target.isnan()).expand(pred.shape).sum().clamp(min=1)


def objectness_loss(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Binary cross entropy of "there is an object" (Ren et al., Faster R-CNN, 1506.01497).

    Args:
        pred: (...) logits.
        target: broadcasts to ``pred``; 1 object, 0 none, in between soft, -1 does not count.
        reduction: ``"none"``, ``"mean"`` over the entries that count, or ``"sum"``.

    Returns, raises: as :func:`centerness_loss`.
    """
    return _masked_entropy(pred, target, target != -1, reduction)


class ObjectnessLoss(LossModule):
    """Mean of :func:`objectness_loss` over the entries that count."""

    def __init__(self) -> None:
        super().__init__(objectness_loss)

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Entries that are not -1."""
        return (target != -1).expand(pred.shape).sum().clamp(min=1)


def _masked_entropy(pred: Tensor, target: Tensor, counts: Tensor, reduction: Reduction) -> Tensor:
    check_prediction("pred", pred)
    check_broadcast("target", target, "pred", pred)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    logits, labels = in_float32(pred, target)
    labels = torch.where(counts, labels, torch.zeros_like(labels))
    check_unit_interval("target", labels)
    loss = entropy_of_logits(logits, labels)
    return reduce_loss(torch.where(counts, loss, 0.0), reduction, counts.expand(pred.shape).sum().clamp(min=1))
