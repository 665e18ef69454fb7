"""Rows for the losses of soft sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import monai.losses
import torch
from oracles.loss_case import LossCase
from torch import Tensor
from torch.nn import functional

from bev3d import losses


def _pixels(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    logits = (2 * torch.randn(3, 4, 5, 6, generator=rng, dtype=torch.float64)).to(dtype)
    labels = torch.randint(0, 4, (3, 5, 6), generator=rng)
    labels[1][labels[1] == 2] = 0  # a class that one sample lacks
    return logits, labels


def _soft(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    logits, _ = _pixels(rng, dtype)
    return logits, torch.rand(3, 4, 5, 6, generator=rng, dtype=torch.float64).to(dtype)


def _sure(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    labels = torch.arange(60).reshape(3, 20) % 4
    return 200 * functional.one_hot(labels, 4).movedim(-1, 1).to(dtype) - 100, labels


def _matching(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    soft = 0.1 + 0.8 * torch.rand(3, 4, 20, generator=rng, dtype=torch.float64)
    return torch.logit(soft).to(dtype), soft.to(dtype)


def _all_ignored(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.randn(2, 4, 6, generator=rng).to(dtype), torch.full((2, 6), 255)


def _none(dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.zeros(2, 4, 0, dtype=dtype), torch.zeros(2, 0, dtype=torch.int64)


def _by_monai(make: Callable[..., Any], per_sample: bool = True, **options: Any) -> Callable[..., Tensor]:
    """Their loss, whose smooth terms are separate, with ours; absent classes left out by hand."""

    def reference(pred: Tensor, target: Tensor) -> Tensor:
        loss = make(softmax=True, to_onehot_y=True, reduction="none", batch=not per_sample, **options)
        value = loss(pred.double(), target[:, None])
        value = value.reshape(value.shape[: 2 if per_sample else 1])
        one_hot = functional.one_hot(target, pred.shape[1]).flatten(1, -2)
        present = one_hot.any(1) if per_sample else one_hot.any(1).any(0)
        return torch.where(present, value, 0.0)

    return reference


def _squared(pred: Tensor, target: Tensor) -> Tensor:
    p, g = pred.double().sigmoid(), target.double()
    numerator = 2 * torch.einsum("bchw,bchw->c", p, g) + 1e-3
    return 1 - numerator / (torch.einsum("bchw,bchw->c", p, p) + torch.einsum("bchw,bchw->c", g, g) + 1e-3)


def _log_dice(pred: Tensor, target: Tensor) -> Tensor:
    p = pred.double().softmax(1)
    total = torch.zeros(3, 4, dtype=torch.float64)
    for b in range(3):
        for c in range(4):
            g = (target[b] == c).double()
            if g.sum() > 0:
                score = (2 * (p[b, c] * g).sum() + 1) / (p[b, c].sum() + g.sum() + 1)
                total[b, c] = (-score.log()) ** 0.3
    return total


def _tversky_by_hand(power: float) -> Callable[..., Tensor]:
    def reference(pred: Tensor, target: Tensor) -> Tensor:
        p = pred.double().softmax(1)
        out = torch.zeros(3, 4, dtype=torch.float64)
        for b in range(3):
            for c in range(4):
                g = (target[b] == c).double()
                if g.sum() == 0:
                    continue
                tp, fp, fn = (p[b, c] * g).sum(), (p[b, c] * (1 - g)).sum(), ((1 - p[b, c]) * g).sum()
                out[b, c] = (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)) ** power
        return out

    return reference


DICE = monai.losses.DiceLoss

CASES = [
    LossCase(
        "dice_loss",
        losses.dice_loss,
        losses.DiceLoss,
        _pixels,
        _by_monai(DICE, smooth_nr=1.0, smooth_dr=1.0),
        "monai.losses.DiceLoss",
        logits=True,
        empty=_none,
        optimum=_sure,
    ),
    LossCase(
        "dice_loss, ignored",
        losses.dice_loss,
        lambda: losses.DiceLoss(ignore_index=255),
        lambda rng, dtype: (lambda x, y: (x, torch.where(y == 3, 255, y)))(*_pixels(rng, dtype)),
        None,
        "",
        options={"ignore_index": 255},
        logits=True,
        empty=_none,
        nothing_counts=_all_ignored,
    ),
    LossCase(
        "dice_loss, squared, soft labels",
        losses.dice_loss,
        lambda: losses.DiceLoss(denominator="squared", activation="sigmoid", over="batch", smooth=1e-3),
        _soft,
        _squared,
        "V-Net (1606.04797) with einsum",
        options={"denominator": "squared", "activation": "sigmoid", "over": "batch", "smooth": 1e-3},
        logits=True,
        empty=lambda dtype: (torch.zeros(2, 4, 0, dtype=dtype), torch.zeros(2, 4, 0, dtype=dtype)),
        optimum=_matching,
    ),
    LossCase(
        "log_dice_loss",
        losses.log_dice_loss,
        lambda: losses.LogDiceLoss(gamma=0.3),
        _pixels,
        _log_dice,
        "1809.00076, class by class",
        options={"gamma": 0.3},
        logits=True,
        empty=_none,
    ),
    LossCase(
        "jaccard_loss",
        losses.jaccard_loss,
        lambda: losses.JaccardLoss(over="batch"),
        _pixels,
        _by_monai(DICE, per_sample=False, jaccard=True, smooth_nr=2.0, smooth_dr=2.0),
        "monai.losses.DiceLoss(jaccard=True), which doubles numerator and denominator",
        options={"over": "batch"},
        logits=True,
        empty=_none,
        optimum=_sure,
    ),
    LossCase(
        "tversky_loss",
        losses.tversky_loss,
        losses.TverskyLoss,
        _pixels,
        _by_monai(monai.losses.TverskyLoss, alpha=0.3, beta=0.7, smooth_nr=1.0, smooth_dr=1.0),
        "monai.losses.TverskyLoss",
        logits=True,
        empty=_none,
        optimum=_sure,
    ),
    LossCase(
        "focal_tversky_loss",
        losses.focal_tversky_loss,
        losses.FocalTverskyLoss,
        _pixels,
        _tversky_by_hand(0.75),
        "1810.07842, class by class",
        logits=True,
        empty=_none,
    ),
]
