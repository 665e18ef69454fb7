"""Tversky losses of soft sets."""

from __future__ import annotations

from torch import Tensor

from bev3d.losses._known import check_positive
from bev3d.losses._power import power
from bev3d.losses._reduce import Reduction
from bev3d.losses._set_counts import Activation, Empty, Over, SetCounts, SetLoss, finish, set_counts

__all__ = ["FocalTverskyLoss", "TverskyLoss", "focal_tversky_loss", "tversky_loss"]


def tversky_loss(
    pred: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    activation: Activation = "softmax",
    over: Over = "sample",
    smooth: float = 1.0,
    empty: Empty = "ignore",
    ignore_index: int | None = None,
    reduction: Reduction = "none",
) -> Tensor:
    """Tversky loss (Salehi et al., MLMI 2017, 1706.05721): 1 - (TP + s) / (TP + alpha FP + beta FN + s).

    alpha = beta = 1/2 is Dice (with half its s), 1 and 1 Jaccard. Some libraries swap the two.

    Args:
        alpha: weight of false positives, at least 0.
        beta: weight of false negatives, at least 0; above alpha it favours recall.

    Other arguments, result and errors as :func:`bev3d.losses.dice_loss`.
    """
    counts = set_counts(
        pred, target, activation=activation, over=over, smooth=smooth, empty=empty, ignore_index=ignore_index
    )
    return finish(1 - _tversky(counts, alpha, beta, smooth), counts, empty, reduction)


def focal_tversky_loss(
    pred: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 4 / 3,
    activation: Activation = "softmax",
    over: Over = "sample",
    smooth: float = 1.0,
    empty: Empty = "ignore",
    ignore_index: int | None = None,
    reduction: Reduction = "none",
) -> Tensor:
    """Focal Tversky loss (Abraham and Khan, ISBI 2019, 1810.07842): (1 - Tversky)^(1 / gamma).

    With gamma above 1 the power is below 1: the gradient grows towards the optimum, at which it is taken as 0. Some
    libraries take gamma itself as the power, which is the opposite.

    Args:
        alpha, beta: as :func:`tversky_loss`.
        gamma: above 0.

    Other arguments, result and errors as :func:`bev3d.losses.dice_loss`.
    """
    check_positive("gamma", gamma)
    counts = set_counts(
        pred, target, activation=activation, over=over, smooth=smooth, empty=empty, ignore_index=ignore_index
    )
    rest = (1 - _tversky(counts, alpha, beta, smooth)).clamp(min=0)
    return finish(power(rest, 1 / gamma), counts, empty, reduction)


class TverskyLoss(SetLoss):
    """Mean of :func:`tversky_loss` over the scores that count; options as the function's."""

    def __init__(
        self,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        activation: Activation = "softmax",
        over: Over = "sample",
        smooth: float = 1.0,
        empty: Empty = "ignore",
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(tversky_loss, activation, over, smooth, empty, ignore_index, alpha=alpha, beta=beta)


class FocalTverskyLoss(SetLoss):
    """Mean of :func:`focal_tversky_loss` over the scores that count; options as the function's."""

    def __init__(
        self,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 4 / 3,
        activation: Activation = "softmax",
        over: Over = "sample",
        smooth: float = 1.0,
        empty: Empty = "ignore",
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(
            focal_tversky_loss, activation, over, smooth, empty, ignore_index, alpha=alpha, beta=beta, gamma=gamma
        )


def _tversky(counts: SetCounts, alpha: float, beta: float, smooth: float) -> Tensor:
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not value >= 0:
            raise ValueError(f"{name}: expected at least 0, got {value}")
    false_positive, false_negative = counts.predicted - counts.overlap, counts.labelled - counts.overlap
    return counts.score(counts.overlap, counts.overlap + alpha * false_positive + beta * false_negative, smooth)
