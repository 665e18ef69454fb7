"""Dice and Jaccard losses of soft sets."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._known import check_positive
from bev3d.losses._power import power
from bev3d.losses._reduce import Reduction
from bev3d.losses._set_counts import Activation, Empty, Over, SetLoss, finish, set_counts

__all__ = [
    "DiceLoss",
    "JaccardLoss",
    "LogDiceLoss",
    "dice_loss",
    "jaccard_loss",
    "log_dice_loss",
]


def dice_loss(
    pred: Tensor,
    target: Tensor,
    *,
    denominator: Literal["sum", "squared"] = "sum",
    activation: Activation = "softmax",
    over: Over = "sample",
    smooth: float = 1.0,
    empty: Empty = "ignore",
    ignore_index: int | None = None,
    reduction: Reduction = "none",
) -> Tensor:
    """Soft Dice loss (Milletari et al., V-Net, 3DV 2016, 1606.04797).

        1 - (2 sum pg + s) / (sum p + sum g + s),   or squared: ... / (sum p² + sum g² + s)

    The two denominators are two losses: the squared one, V-Net's, has its optimum at p = g for soft labels too, the
    other only at p in {0, 1}.

    Args:
        pred: (B, C, ...) logits.
        target: (B, ...) class indices, or (B, C, ...) floating-point labels in [0, 1]; p and g are multiplied, so
            soft labels are legal.
        denominator: ``"sum"`` or ``"squared"``.
        activation: ``"softmax"`` over the classes, or ``"sigmoid"`` of each.
        over: what a sum runs over: the pixels of a ``"sample"`` (result (B, C)), of the ``"batch"`` (result (C,)), or
            ``"all"`` pixels and classes (result (1,)).
        smooth: s, added to numerator and denominator of the score.
        empty: a class without ground truth where the sum runs: ``"ignore"``, it does not count; ``"one"``, its score
            is 1 and it counts with loss 0; ``"zero"``, the formula decides, whose score is near 0.
        ignore_index: a class index whose pixels do not count.
        reduction: ``"none"``, ``"mean"`` over the scores that count, or ``"sum"``.

    Returns:
        One minus the score, of a shape that ``over`` says, or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not fit, labels out of range, an unknown choice, an option out of range.
        TypeError: predictions that are not floating-point tensors.
    """
    check_choice("denominator", denominator, ("sum", "squared"))
    counts = set_counts(
        pred, target, activation=activation, over=over, smooth=smooth, empty=empty, ignore_index=ignore_index
    )
    size = counts.predicted + counts.labelled if denominator == "sum" else counts.squares
    return finish(1 - counts.score(2 * counts.overlap, size, smooth), counts, empty, reduction)


def log_dice_loss(
    pred: Tensor,
    target: Tensor,
    *,
    gamma: float = 1.0,
    activation: Activation = "softmax",
    over: Over = "sample",
    smooth: float = 1.0,
    empty: Empty = "ignore",
    ignore_index: int | None = None,
    reduction: Reduction = "none",
) -> Tensor:
    """Logarithmic Dice (Wong et al., MICCAI 2018, 1809.00076): (-ln Dice)^gamma.

    Steeper than Dice where little overlaps. The paper has gamma = 0.3.

    Args:
        gamma: above 0.

    Other arguments, result and errors as :func:`dice_loss`.
    """
    check_positive("gamma", gamma)
    counts = set_counts(
        pred, target, activation=activation, over=over, smooth=smooth, empty=empty, ignore_index=ignore_index
    )
    score = counts.score(2 * counts.overlap, counts.predicted + counts.labelled, smooth)
    loss = -torch.log(score.clamp(min=torch.finfo(score.dtype).tiny, max=1))
    return finish(power(loss, gamma), counts, empty, reduction)


def jaccard_loss(
    pred: Tensor,
    target: Tensor,
    *,
    activation: Activation = "softmax",
    over: Over = "sample",
    smooth: float = 1.0,
    empty: Empty = "ignore",
    ignore_index: int | None = None,
    reduction: Reduction = "none",
) -> Tensor:
    """Soft Jaccard loss (Rahman and Wang, ISVC 2016): 1 - (sum pg + s) / (sum p + sum g - sum pg + s).

    Arguments, result and errors as :func:`dice_loss`.
    """
    counts = set_counts(
        pred, target, activation=activation, over=over, smooth=smooth, empty=empty, ignore_index=ignore_index
    )
    union = counts.predicted + counts.labelled - counts.overlap
    return finish(1 - counts.score(counts.overlap, union, smooth), counts, empty, reduction)


class DiceLoss(SetLoss):
    """Mean of :func:`dice_loss` over the scores that count; options as the function's."""

    def __init__(
        self,
        *,
        denominator: Literal["sum", "squared"] = "sum",
        activation: Activation = "softmax",
        over: Over = "sample",
        smooth: float = 1.0,
        empty: Empty = "ignore",
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(dice_loss, activation, over, smooth, empty, ignore_index, denominator=denominator)


class LogDiceLoss(SetLoss):
    """Mean of :func:`log_dice_loss` over the scores that count; options as the function's."""

    def __init__(
        self,
        *,
        gamma: float = 1.0,
        activation: Activation = "softmax",
        over: Over = "sample",
        smooth: float = 1.0,
        empty: Empty = "ignore",
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(log_dice_loss, activation, over, smooth, empty, ignore_index, gamma=gamma)


class JaccardLoss(SetLoss):
    """Mean of :func:`jaccard_loss` over the scores that count; options as the function's."""

    def __init__(
        self,
        *,
        activation: Activation = "softmax",
        over: Over = "sample",
        smooth: float = 1.0,
        empty: Empty = "ignore",
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(jaccard_loss, activation, over, smooth, empty, ignore_index)
