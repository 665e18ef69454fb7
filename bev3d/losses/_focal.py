"""Focal loss, of independent logits and of a softmax."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._cross_entropy import check_classes_first, count_labelled
from bev3d.losses._inputs import check_broadcast, check_prediction, check_unit_interval, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["FocalLoss", "SoftmaxFocalLoss", "focal_loss", "softmax_focal_loss"]

IGNORED = -1


def focal_loss(
    pred: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reduction: Reduction = "none",
) -> Tensor:
    """Sigmoid focal loss (Lin et al., ICCV 2017, 1708.02002).

        -a_t (1 - p_t)^g log p_t,   p_t = p and a_t = a for a positive, 1 - p and 1 - a for a negative

    a = 0.25 weighs positives *down*, to a third of a negative: with g = 2 the easy negatives lose so much of their
    weight that the paper's best a is below a half. A soft label y mixes the two terms with y and 1 - y.

    The powers are taken of the log-sigmoid: any logit has a finite loss and gradient, for g < 1 too, where the
    derivative of (1 - p)^g at p = 1 is infinite and torchvision's form gives NaN.

    Args:
        pred: (...) logits, one for each class.
        target: broadcasts to ``pred``; 0, 1, in between, or -1: does not count.
        alpha: a in [0, 1]; negative: no weighing.
        gamma: g, at least 0; 0 is weighted cross entropy.
        reduction: ``"none"``, ``"mean"`` over the entries that count, or ``"sum"``. Detectors divide the sum by
            the number of positives: see ``avg_factor`` of the module.

    Returns:
        (...), or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not broadcast, labels out of range, a negative gamma, alpha above 1, an unknown
            reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    check_prediction("pred", pred)
    check_broadcast("target", target, "pred", pred)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    _check_gamma(gamma)
    if alpha > 1:
        raise ValueError(f"alpha: expected at most 1 (negative: no weighing), got {alpha}")
    logits, labels = in_float32(pred, target)
    counts = labels != IGNORED
    labels = torch.where(counts, labels, torch.zeros_like(labels))
    check_unit_interval("target", labels)
    log_p, log_q = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    positive, negative = (alpha, 1 - alpha) if alpha >= 0 else (1.0, 1.0)
    loss = -positive * labels * torch.exp(gamma * log_q) * log_p
    loss = loss - negative * (1 - labels) * torch.exp(gamma * log_p) * log_q
    loss = torch.where(counts, loss, torch.zeros_like(loss))
    return reduce_loss(loss, reduction, _count(pred, target))


class FocalLoss(LossModule):
    """Mean of :func:`focal_loss` over the entries that count.

    Args:
        alpha: weight of a positive in [0, 1]; negative: no weighing.
        gamma: focusing power.
    """

    def __init__(self, *, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__(focal_loss, alpha=alpha, gamma=gamma)

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Entries that count."""
        return _count(pred, target)


def softmax_focal_loss(
    pred: Tensor,
    target: Tensor,
    *,
    alpha: float | Sequence[float] | None = None,
    gamma: float = 2.0,
    ignore_index: int = -1,
    reduction: Reduction = "none",
) -> Tensor:
    """Focal loss of a softmax over classes (after Lin et al., ICCV 2017, 1708.02002).

        -a_y (1 - p_y)^g log p_y

    1 - p_y is taken as the share of the other classes, in the log domain: exact and with a finite gradient where
    p_y rounds to 1.

    Args:
        pred: (B, C, ...) logits, at least two classes.
        target: (B, ...) class indices.
        alpha: weight of all, or of each class; None: 1.
        gamma: g, at least 0.
        ignore_index: a label that does not count.
        reduction: ``"none"``, ``"mean"`` over the labels that count, or ``"sum"``.

    Returns:
        (B, ...), 0 where ignored, or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not fit, one class only, weights of another number than C, a negative gamma.
        TypeError: predictions that are not floating-point tensors, labels that are not integers.
    """
    check_classes_first(pred, target, ignore_index)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    _check_gamma(gamma)
    classes = pred.shape[1]
    if classes < 2:
        raise ValueError(f"pred: expected at least two classes, (B, C, ...), got {tuple(pred.shape)}")
    (logits,) = in_float32(pred)
    counts = target != ignore_index
    labels = torch.where(counts, target, 0).long()[:, None]
    log_p = functional.log_softmax(logits, dim=1).gather(1, labels)[:, 0]
    is_label = torch.zeros_like(logits, dtype=torch.bool).scatter(1, labels, True)
    others = logits.masked_fill(is_label, -torch.inf).logsumexp(dim=1)
    log_q = others - logits.logsumexp(dim=1)
    loss = -torch.exp(gamma * log_q) * log_p * _class_weights(alpha, logits)[labels[:, 0]]
    loss = torch.where(counts, loss, torch.zeros_like(loss))
    return reduce_loss(loss, reduction, count_labelled(target, ignore_index))


class SoftmaxFocalLoss(LossModule):
    """Mean of :func:`softmax_focal_loss` over the labels that count.

    Args:
        alpha: weight of all, or of each class; None: 1.
        gamma: focusing power.
        ignore_index: a label that does not count.
    """

    def __init__(
        self, *, alpha: float | Sequence[float] | None = None, gamma: float = 2.0, ignore_index: int = -1
    ) -> None:
        super().__init__(softmax_focal_loss, alpha=alpha, gamma=gamma, ignore_index=ignore_index)
        self.ignore_index = ignore_index

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Labels that count."""
        return count_labelled(target, self.ignore_index)


def _class_weights(alpha: float | Sequence[float] | None, logits: Tensor) -> Tensor:
    classes = logits.shape[1]
    if alpha is None or isinstance(alpha, int | float):
        return logits.new_full((classes,), 1.0 if alpha is None else alpha)
    if len(alpha) != classes:
        raise ValueError(f"alpha: expected {classes} weights, one for each class, got {len(alpha)}")
    return torch.as_tensor(alpha, dtype=logits.dtype, device=logits.device)


def _check_gamma(gamma: float) -> None:
    if gamma < 0:
        raise ValueError(f"gamma: expected at least 0, got {gamma}")


def _count(pred: Tensor, target: Tensor) -> Tensor:
    return (target != IGNORED).expand(pred.shape).sum().clamp(min=1)
