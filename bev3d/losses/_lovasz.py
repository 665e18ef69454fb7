"""Lovász losses: the convex surrogate of the Jaccard index of sets of pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._cross_entropy import check_classes_first
from bev3d.losses._inputs import check_prediction, check_same_shape, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["LovaszHingeLoss", "LovaszSoftmaxLoss", "lovasz_hinge_loss", "lovasz_softmax_loss"]


def lovasz_softmax_loss(
    pred: Tensor,
    target: Tensor,
    *,
    per_sample: bool = False,
    ignore_index: int = -1,
    reduction: Reduction = "none",
) -> Tensor:
    """Lovász-softmax (Berman et al., CVPR 2018, 1705.08790, equations 8 and 11).

        sum over the pixels, by falling error, of error * (growth of the Jaccard loss when that pixel turns wrong)

    with error 1 - p where the pixel is of the class, p elsewhere.

    Args:
        pred: (B, C, ...) logits.
        target: (B, ...) class indices.
        per_sample: sets are the pixels of a sample, not of the batch.
        ignore_index: a label whose pixels do not count.
        reduction: ``"none"``, ``"mean"`` over the classes with ground truth, or ``"sum"`` over them.

    Returns:
        (C,), or (B, C) per sample, 0 for a class without ground truth; or a scalar; float32 at least.

    Raises:
        ValueError: shapes that do not fit, a class index out of range, an unknown reduction.
        TypeError: predictions that are not floating-point tensors, labels that are not integers.
    """
    check_classes_first(pred, target, ignore_index)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    p, truth, counts = _sets(pred, target, per_sample, ignore_index)
    errors = torch.where(counts, (truth.to(p.dtype) - p).abs(), torch.zeros_like(p))
    loss = _lovasz_extension(errors, truth, counts)
    present = truth.any(-1)
    loss = torch.where(present, loss, torch.zeros_like(loss))
    loss = loss if per_sample else loss[0]
    return reduce_loss(loss, reduction, present.sum().clamp(min=1))


class LovaszSoftmaxLoss(LossModule):
    """Mean of :func:`lovasz_softmax_loss` over the classes with ground truth.

    Args:
        per_sample, ignore_index: as the function.
    """

    def __init__(self, *, per_sample: bool = False, ignore_index: int = -1) -> None:
        super().__init__(lovasz_softmax_loss, per_sample=per_sample, ignore_index=ignore_index)
        self.per_sample, self.ignore_index = per_sample, ignore_index

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Classes with ground truth."""
        _, truth, _ = _sets(pred.detach(), target, self.per_sample, self.ignore_index)
        return truth.any(-1).sum().clamp(min=1)


def lovasz_hinge_loss(
    pred: Tensor, target: Tensor, *, per_sample: bool = True, reduction: Reduction = "none"
) -> Tensor:
    """Lovász hinge for one foreground class (Yu and Blaschko, ICML 2015; Berman et al., CVPR 2018, 1705.08790).

    The Lovász extension at the errors 1 - x for foreground and 1 + x for background pixels, of which the positive
    part counts.

    Args:
        pred: (B, ...) logits x.
        target: (B, ...) 1 foreground, 0 background, -1 does not count; any real dtype.
        per_sample: sets are the pixels of a sample, not of the batch.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        (B,), or (1,) over the batch; or a scalar; float32 at least. Without foreground the loss is the largest error.

    Raises:
        ValueError: shapes that differ, other labels, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    check_prediction("pred", pred)
    check_same_shape("target", target, "pred", pred)
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if pred.ndim < 1:
        raise ValueError("pred: expected shape (B, ...), got ()")
    (logits,) = in_float32(pred)
    shape = (logits.shape[0], logits.numel() // max(logits.shape[0], 1)) if per_sample else (1, logits.numel())
    x, labels = logits.reshape(shape), target.reshape(shape)
    counts, truth = labels != -1, labels == 1
    _check_binary(labels)
    errors = torch.where(counts, 1 - torch.where(truth, x, -x), torch.zeros_like(x)).clamp(min=0)
    return reduce_loss(_lovasz_extension(errors, truth, counts), reduction)


class LovaszHingeLoss(LossModule):
    """Mean of :func:`lovasz_hinge_loss`.

    Args:
        per_sample: as the function.
    """

    def __init__(self, *, per_sample: bool = True) -> None:
        super().__init__(lovasz_hinge_loss, per_sample=per_sample)


def _lovasz_extension(errors: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """(..., P) errors, at least 0 -> (...). Pixels that do not count come last and add nothing."""
    if errors.shape[-1] == 0:
        return errors.sum(-1)
    order = torch.where(counts, errors.detach(), -1.0).argsort(dim=-1, descending=True, stable=True)
    sorted_errors, foreground = errors.gather(-1, order), (truth & counts).gather(-1, order)
    background = (~truth & counts).gather(-1, order)
    total = foreground.sum(-1, keepdim=True)
    # counts up to 2^53 are exact in float64
    intersection = (total - foreground.cumsum(-1)).double()
    union = (total + background.cumsum(-1)).double()
    jaccard = 1 - intersection / union.clamp(min=1)
    growth = torch.diff(jaccard, dim=-1, prepend=torch.zeros_like(jaccard[..., :1]))
    return (sorted_errors * growth.to(errors.dtype)).sum(-1)


def _sets(pred: Tensor, target: Tensor, per_sample: bool, ignore_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities, ground truth and what counts, each (B or 1, C, P)."""
    (logits,) = in_float32(pred)
    p = logits.softmax(dim=1)
    classes = pred.shape[1]
    labels = target.reshape(target.shape[0], 1, -1)
    p = p.reshape(p.shape[0], classes, -1) if p.numel() else p.reshape(p.shape[0], classes, labels.shape[-1])
    if not per_sample:
        p = p.transpose(0, 1).reshape(1, classes, -1)
        labels = labels.reshape(1, 1, -1)
    truth = labels == torch.arange(classes, device=labels.device)[:, None]
    counts = (labels != ignore_index).expand_as(truth)
    return p, truth & counts, counts


def _check_binary(labels: Tensor) -> None:
    if labels.device.type != "cpu" or torch.compiler.is_compiling():
        return
    wrong = (labels != 0) & (labels != 1) & (labels != -1)
    if bool(wrong.any()):
        raise ValueError(f"target: expected 1, 0 or -1 (does not count), got {labels[wrong][0].item()}")
