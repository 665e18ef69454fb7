"""Softmax cross entropy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._inputs import check_class_index, check_prediction, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["CrossEntropy", "check_classes_first", "count_labelled", "cross_entropy"]


def cross_entropy(
    pred: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    label_smoothing: float = 0.0,
    reduction: Reduction = "none",
) -> Tensor:
    """Cross entropy of a softmax over classes, of samples, points or pixels.

        -log softmax(pred)_y,   with smoothing e: -(1 - e) log p_y - e / C sum_c log p_c

    Args:
        pred: (B, C, ...) logits, classes second.
        target: (B, ...) class indices.
        ignore_index: a label that does not count.
        label_smoothing: e in [0, 1] (Szegedy et al., CVPR 2016, 1512.00567).
        reduction: ``"none"``, ``"mean"`` over the labels that count, or ``"sum"``.

    Returns:
        (B, ...), 0 where ignored, or a scalar; float32 at least. Where nothing counts the mean is 0 with its graph
        kept; ``torch.nn.functional.cross_entropy`` gives NaN there.

    Raises:
        ValueError: shapes that do not fit, a class index out of range, an unknown reduction.
        TypeError: predictions that are not floating-point tensors, labels that are not integers.
    """
    check_classes_first(pred, target, ignore_index)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing: expected a number in [0, 1], got {label_smoothing}")
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    (logits,) = in_float32(pred)
    counts = target != ignore_index
    labels = torch.where(counts, target, 0).long()
    loss = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    loss = torch.where(counts, loss, torch.zeros_like(loss))
    return reduce_loss(loss, reduction, count_labelled(target, ignore_index))


class CrossEntropy(LossModule):
    """Mean of :func:`cross_entropy` over the labels that count.

    Args:
        ignore_index: a label that does not count.
        label_smoothing: in [0, 1].
    """

    def __init__(self, *, ignore_index: int = -1, label_smoothing: float = 0.0) -> None:
        super().__init__(cross_entropy, ignore_index=ignore_index, label_smoothing=label_smoothing)
        self.ignore_index = ignore_index

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Labels that count."""
        return count_labelled(target, self.ignore_index)


def count_labelled(target: Tensor, ignore_index: int) -> Tensor:
    """Number of labels that count, at least 1."""
    return (target != ignore_index).sum().clamp(min=1)


def check_classes_first(pred: Tensor, target: Tensor, ignore_index: int | None) -> None:
    """Raise unless pred is (B, C, ...), floating point, and target (B, ...) holds classes below C."""
    check_prediction("pred", pred)
    if pred.ndim < 2:
        raise ValueError(f"pred: expected shape (B, C, ...), got {tuple(pred.shape)}")
    expected = (pred.shape[0], *pred.shape[2:])
    if tuple(target.shape) != expected:
        raise ValueError(f"target: expected shape {expected} for pred {tuple(pred.shape)}, got {tuple(target.shape)}")
    check_class_index("target", target, pred.shape[1], ignore_index)
