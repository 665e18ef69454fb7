"""Soft counts of true positives, predictions and labels, for the losses of sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bev3d._check import check_choice
from bev3d.losses._inputs import check_class_index, check_prediction, check_unit_interval, in_float32
from bev3d.losses._module import LossModule
from bev3d.losses._reduce import Reduction, reduce_loss

__all__ = ["Activation", "Empty", "Over", "SetCounts", "SetLoss", "finish", "set_counts"]

Activation = Literal["softmax", "sigmoid"]
Over = Literal["sample", "batch", "all"]
Empty = Literal["ignore", "one", "zero"]


class SetCounts(NamedTuple):
    """Attributes:
    overlap: sum of p g.
    predicted: sum of p.
    labelled: sum of g.
    squares: sum of p² + g².
    present: whether there is ground truth.
    """

    overlap: Tensor
    predicted: Tensor
    labelled: Tensor
    squares: Tensor
    present: Tensor

    def score(self, numerator: Tensor, denominator: Tensor, smooth: float) -> Tensor:
        """(numerator + s) / (denominator + s); nothing over nothing is 1."""
        exists = denominator + smooth > 0
        quotient = (numerator + smooth) / torch.where(exists, denominator + smooth, 1.0)
        return torch.where(exists, quotient, 1.0)


def set_counts(
    pred: Tensor,
    target: Tensor,
    *,
    activation: Activation,
    over: Over,
    smooth: float,
    empty: Empty,
    ignore_index: int | None,
) -> SetCounts:
    """Sums over the pixels of a sample (B, C), of the batch (C,), or over all (1,)."""
    check_choice("activation", activation, ("softmax", "sigmoid"))
    check_choice("over", over, ("sample", "batch", "all"))
    check_choice("empty", empty, ("ignore", "one", "zero"))
    if not smooth >= 0:
        raise ValueError(f"smooth: expected at least 0, got {smooth}")
    check_prediction("pred", pred)
    if pred.ndim < 2:
        raise ValueError(f"pred: expected shape (B, C, ...), got {tuple(pred.shape)}")
    (logits,) = in_float32(pred)
    p = logits.softmax(dim=1) if activation == "softmax" else logits.sigmoid()
    g, counts = _labels(pred, target, ignore_index)
    g = g.to(p.dtype)
    p = torch.where(counts, p, torch.zeros_like(p)).flatten(2) if p.ndim > 2 else torch.where(counts, p, 0.0)[..., None]
    g = g.reshape(p.shape)
    dims = {"sample": (2,), "batch": (0, 2), "all": (0, 1, 2)}[over]

    def total(value: Tensor) -> Tensor:
        return value.sum(dim=dims).reshape(1) if over == "all" else value.sum(dim=dims)

    labelled = total(g)
    return SetCounts(total(p * g), total(p), labelled, total(p * p + g * g), labelled > 0)


def finish(loss: Tensor, counts: SetCounts, empty: Empty, reduction: Reduction) -> Tensor:
    """Leave out, or count as right, the classes without ground truth, and reduce."""
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if empty != "zero":
        loss = torch.where(counts.present, loss, torch.zeros_like(loss))
    count = counts.present.sum().clamp(min=1) if empty == "ignore" else None
    return reduce_loss(loss, reduction, count)


def _labels(pred: Tensor, target: Tensor, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Labels (B, C, ...), 0 where ignored, and the entries that count, broadcastable."""
    classes = pred.shape[1]
    if target.shape == pred.shape and target.is_floating_point():
        check_unit_interval("target", target)
        return target, torch.ones_like(target[:, :1], dtype=torch.bool)
    expected = (pred.shape[0], *pred.shape[2:])
    if tuple(target.shape) != expected or target.is_floating_point():
        raise ValueError(
            f"target: expected class indices {expected} or floating-point labels {tuple(pred.shape)}, "
            f"got {target.dtype} {tuple(target.shape)}"
        )
    check_class_index("target", target, classes, ignore_index)
    counts = torch.ones_like(target, dtype=torch.bool) if ignore_index is None else target != ignore_index
    one_hot = functional.one_hot(torch.where(counts, target, 0).long(), classes).movedim(-1, 1)
    return one_hot * counts[:, None], counts[:, None]


class SetLoss(LossModule):
    """A loss of sets, whose mean is over the scores that count."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        activation: Activation,
        over: Over,
        smooth: float,
        empty: Empty,
        ignore_index: int | None,
        **options: Any,
    ) -> None:
        sets: dict[str, Any] = {
            "activation": activation,
            "over": over,
            "smooth": smooth,
            "empty": empty,
            "ignore_index": ignore_index,
        }
        super().__init__(function, **sets, **options)
        self.sets = sets

    def count(self, pred: Tensor, target: Tensor, *more: Tensor) -> Tensor | None:
        """Scores that count; None: all."""
        if self.sets["empty"] != "ignore":
            return None
        counts: SetCounts = set_counts(pred.detach(), target, **self.sets)
        return counts.present.sum().clamp(min=1)
