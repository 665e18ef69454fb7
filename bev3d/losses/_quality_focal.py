"""Classification scores that carry a quality, and distributions over distances."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._binary_cross_entropy import entropy_of_logits
from bev3d.losses._inputs import check_broadcast, check_prediction, check_unit_interval, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._power import power
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = [
    "DistributionFocalLoss",
    "GeneralizedFocalLoss",
    "QualityFocalLoss",
    "VarifocalLoss",
    "distribution_focal_loss",
    "generalized_focal_loss",
    "quality_focal_loss",
    "varifocal_loss",
]


def quality_focal_loss(pred: Tensor, target: Tensor, *, beta: float = 2.0, reduction: Reduction = "none") -> Tensor:
    """Quality focal loss (Li et al., NeurIPS 2020, 2006.04388, equation 2).

        |y - s|^b BCE(x, y),   s = sigmoid(x)

    Args:
        pred: (...) logits x, one for each class.
        target: broadcasts to ``pred``; y in [0, 1], the IoU of a positive at its class, else 0. Taken as a constant.
        beta: b, at least 0.
        reduction: ``"none"``, ``"mean"`` over all entries, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least; 0 where the score equals the quality.

    Raises:
        ValueError: shapes that do not broadcast, a quality outside [0, 1], a negative beta, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    logits, quality = _scores(pred, target, beta, "beta", reduction)
    distance = power((quality - logits.sigmoid()).abs(), beta)
    entropy = entropy_of_logits(logits, quality)
    return reduce_loss(distance * entropy, reduction)


class QualityFocalLoss(LossModule):
    """Mean of :func:`quality_focal_loss`.

    Args:
        beta: focusing power.
    """

    def __init__(self, *, beta: float = 2.0) -> None:
        super().__init__(quality_focal_loss, beta=beta)


def varifocal_loss(
    pred: Tensor, target: Tensor, *, alpha: float = 0.75, gamma: float = 2.0, reduction: Reduction = "none"
) -> Tensor:
    """Varifocal loss (Zhang et al., CVPR 2021, 2008.13367, equation 2).

        q > 0: -q (q log p + (1 - q) log(1 - p));   q = 0: -a p^g log(1 - p)

    Unlike in focal loss, only negatives are weighed down; positives count with their quality.

    Args:
        pred: (...) logits.
        target: broadcasts to ``pred``; q in [0, 1], the IoU of a positive at its class, else 0. Taken as a constant.
        alpha: a, weight of negatives.
        gamma: g, at least 0.
        reduction: ``"none"``, ``"mean"`` over all entries, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not broadcast, a quality outside [0, 1], a negative gamma, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    logits, quality = _scores(pred, target, gamma, "gamma", reduction)
    positive = quality * entropy_of_logits(logits, quality)
    negative = -alpha * torch.exp(gamma * functional.logsigmoid(logits)) * functional.logsigmoid(-logits)
    return reduce_loss(torch.where(quality > 0, positive, negative), reduction)


class VarifocalLoss(LossModule):
    """Mean of :func:`varifocal_loss`.

    Args:
        alpha: weight of negatives.
        gamma: focusing power of negatives.
    """

    def __init__(self, *, alpha: float = 0.75, gamma: float = 2.0) -> None:
        super().__init__(varifocal_loss, alpha=alpha, gamma=gamma)


def distribution_focal_loss(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Distribution focal loss (Li et al., NeurIPS 2020, 2006.04388, equation 6).

        -((i + 1 - y) log S_i + (y - i) log S_(i+1)),   i = floor(y), S = softmax(pred)

    The distance y between the bins i and i + 1 is learnt as a distribution; no focusing factor is left in it.

    Args:
        pred: (..., reg_max + 1) logits of the bins 0 ... reg_max; published with reg_max 16.
        target: (...) y in [0, reg_max], in bins; reg_max itself is legal. NaN does not count.
        reduction: ``"none"``, ``"mean"`` over all entries, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least; its minimum is the entropy of y between its bins.

    Raises:
        ValueError: shapes that do not fit, a distance outside the bins, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    return generalized_focal_loss(pred, target, beta=0.0, reduction=reduction)


class DistributionFocalLoss(LossModule):
    """Mean of :func:`distribution_focal_loss`."""

    def __init__(self) -> None:
        super().__init__(distribution_focal_loss)


def generalized_focal_loss(pred: Tensor, target: Tensor, *, beta: float = 2.0, reduction: Reduction = "none") -> Tensor:
    """Generalized focal loss (Li et al., NeurIPS 2020, 2006.04388, equation 7).

        -|y - (i S_i + (i + 1) S_(i+1))|^b ((i + 1 - y) log S_i + (y - i) log S_(i+1)),   i = floor(y)

    With b = 0 it is the distribution focal loss; with two bins the quality focal loss of the difference of the
    logits. With many bins and logits of 1e4 the gradient itself is beyond the range of float16.

    Args:
        pred: (..., bins) logits, at least two bins.
        target: (...) y in [0, bins - 1], in bins. NaN does not count.
        beta: b, at least 0.
        reduction: ``"none"``, ``"mean"`` over all entries, or ``"sum"``.

    Returns, raises: as :func:`distribution_focal_loss`.
    """
    left, weight, counts = _bins(pred, target, beta, reduction)
    log_s = functional.log_softmax(pred.to(weight.dtype), dim=-1)
    low = log_s.gather(-1, left[..., None])[..., 0]
    high = log_s.gather(-1, left[..., None] + 1)[..., 0]
    loss = -((1 - weight) * low + weight * high)
    if beta > 0:
        estimate = left * low.exp() + (left + 1) * high.exp()
        loss = power((left + weight - estimate).abs(), beta) * loss
    return reduce_loss(torch.where(counts, loss, torch.zeros_like(loss)), reduction)


class GeneralizedFocalLoss(LossModule):
    """Mean of :func:`generalized_focal_loss`.

    Args:
        beta: focusing power.
    """

    def __init__(self, *, beta: float = 2.0) -> None:
        super().__init__(generalized_focal_loss, beta=beta)


def _scores(pred: Tensor, target: Tensor, power: float, name: str, reduction: Reduction) -> tuple[Tensor, ...]:
    """Logits and constant qualities of one shape."""
    check_prediction("pred", pred)
    check_broadcast("target", target, "pred", pred)
    check_unit_interval("target", target)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if power < 0:
        raise ValueError(f"{name}: expected at least 0, got {power}")
    logits, quality = in_float32(pred, target.detach())
    return logits, quality.expand_as(logits)


def _bins(pred: Tensor, target: Tensor, beta: float, reduction: Reduction) -> tuple[Tensor, Tensor, Tensor]:
    """Lower bin, share of the upper one, and whether the entry counts."""
    check_prediction("pred", pred)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if beta < 0:
        raise ValueError(f"beta: expected at least 0, got {beta}")
    if pred.ndim < 1 or pred.shape[-1] < 2:
        raise ValueError(f"pred: expected at least two bins, (..., bins), got {tuple(pred.shape)}")
    if tuple(target.shape) != tuple(pred.shape[:-1]):
        raise ValueError(f"target: expected shape {tuple(pred.shape[:-1])}, got {tuple(target.shape)}")
    last = pred.shape[-1] - 1
    counts = ~target.isnan()
    distance = torch.where(counts, target, torch.zeros_like(target)).detach()
    check_unit_interval(f"target / {last}", distance / last)
    _, distance = in_float32(pred, distance)
    left = distance.floor().clamp(0, last - 1)
    return left.long(), distance - left, counts
