"""Hard negatives: which negatives a classification loss counts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._inputs import check_class_index, check_prediction, check_same_shape, in_float32
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d.losses._regression import smooth_l1

__all__ = ["MultiboxLoss", "hard_negative_mining", "multibox_loss"]


def hard_negative_mining(
    loss: Tensor, positive: Tensor, *, ratio: float = 3.0, ignored: Tensor | None = None
) -> Tensor:
    """Positives, and for each positive of a sample its ``ratio`` hardest negatives (Liu et al., SSD, 1512.02325).

    Args:
        loss: (B, N) how hard each anchor is; taken as a constant.
        positive: (B, N) bool.
        ratio: negatives for each positive of the same sample, rounded down.
        ignored: (B, N) bool, neither; None: nothing is ignored.

    Returns:
        (B, N) bool. A sample without positives keeps no negative. Among equals the first wins.

    Raises:
        ValueError: shapes that differ, a negative ratio.
        TypeError: masks that are not bool.
    """
    check_prediction("loss", loss)
    if loss.ndim != 2:
        raise ValueError(f"loss: expected shape (B, N), got {tuple(loss.shape)}")
    if not ratio >= 0:
        raise ValueError(f"ratio: expected at least 0, got {ratio}")
    for name, mask in (("positive", positive), ("ignored", ignored)):
        if mask is not None:
            check_same_shape(name, mask, "loss", loss)
            if mask.dtype != torch.bool:
                raise TypeError(f"{name}: expected bool, got {mask.dtype}")
    candidates = ~positive if ignored is None else ~(positive | ignored)
    hardness = torch.where(candidates, loss.detach(), -torch.inf)
    order = hardness.argsort(dim=1, descending=True, stable=True)
    place = torch.arange(loss.shape[1], device=loss.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, place)
    wanted = (positive.sum(dim=1, keepdim=True) * ratio).floor()
    return positive | (candidates & (rank < wanted))


def multibox_loss(
    logits: Tensor,
    labels: Tensor,
    boxes: Tensor,
    box_targets: Tensor,
    *,
    ratio: float = 3.0,
    box_weight: float = 1.0,
    beta: float = 1.0,
    reduction: Reduction = "none",
) -> Tensor:
    """SSD's loss (Liu et al., ECCV 2016, 1512.02325): classes of mined anchors and boxes of the positives.

        CE(logits, label) on positives and the ``ratio`` N hardest negatives + w sum smooth_l1 on positives

    Args:
        logits: (B, N, C) with class 0 the background.
        labels: (B, N) class indices; 0 background, -1 does not count.
        boxes: (B, N, D) encoded boxes.
        box_targets: (B, N, D); NaN: that component does not count.
        ratio: negatives for each positive of a sample.
        box_weight: w.
        beta: point of change of smooth L1.
        reduction: ``"none"``, ``"mean"``: the sum over the number of positives, at least 1, as in the paper, or
            ``"sum"``.

    Returns:
        (B, N), or a scalar; float32 at least. A batch without positives gives 0 with its graph kept.

    Raises:
        ValueError: shapes that do not fit, labels or options out of range, an unknown reduction.
        TypeError: predictions that are not floating-point tensors, labels that are not integers.
    """
    _check(logits, labels, boxes, box_targets, beta, reduction)
    scores, real, wanted = in_float32(logits, boxes, box_targets)
    positive = labels > 0
    entropy = -functional.log_softmax(scores, dim=-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    chosen = hard_negative_mining(entropy, positive, ratio=ratio, ignored=labels < 0)
    counts = positive[..., None] & ~wanted.isnan()
    difference = torch.where(counts, real, 0.0) - torch.where(counts, wanted, 0.0)
    loss = torch.where(chosen, entropy, 0.0) + box_weight * smooth_l1(difference, beta).sum(-1)
    return reduce_loss(loss, reduction, positive.sum().clamp(min=1))


class MultiboxLoss(torch.nn.Module):
    """:func:`multibox_loss`, summed over the number of positives or ``avg_factor``.

    Args:
        ratio, box_weight, beta: as the function.
    """

    def __init__(self, *, ratio: float = 3.0, box_weight: float = 1.0, beta: float = 1.0) -> None:
        super().__init__()
        self.ratio, self.box_weight, self.beta = ratio, box_weight, beta

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        boxes: Tensor,
        box_targets: Tensor,
        *,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """See the function; ``avg_factor`` in place of the number of positives."""
        options = {"ratio": self.ratio, "box_weight": self.box_weight, "beta": self.beta}
        if avg_factor is None:
            return multibox_loss(logits, labels, boxes, box_targets, **options, reduction="mean")
        return multibox_loss(logits, labels, boxes, box_targets, **options, reduction="sum") / avg_factor


def _check(
    logits: Tensor, labels: Tensor, boxes: Tensor, box_targets: Tensor, beta: float, reduction: Reduction
) -> None:
    check_prediction("logits", logits)
    check_prediction("boxes", boxes)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if not beta >= 0:
        raise ValueError(f"beta: expected at least 0, got {beta}")
    if logits.ndim != 3:
        raise ValueError(f"logits: expected shape (B, N, C), got {tuple(logits.shape)}")
    if labels.shape != logits.shape[:2]:
        raise ValueError(f"labels: expected shape {tuple(logits.shape[:2])}, got {tuple(labels.shape)}")
    check_class_index("labels", labels, logits.shape[2], -1)
    if boxes.ndim != 3 or boxes.shape[:2] != logits.shape[:2]:
        raise ValueError(f"boxes: expected shape (*{tuple(logits.shape[:2])}, D), got {tuple(boxes.shape)}")
    check_same_shape("box_targets", box_targets, "boxes", boxes)
