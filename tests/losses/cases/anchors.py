"""Rows for the losses of anchors and points: centre-ness, objectness, harmonised, mined, long-tailed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from oracles.loss_case import LossCase
from torch import Tensor, nn
from torch.nn import functional

from bev3d import losses


def _logits(rng: torch.Generator, dtype: torch.dtype, *shape: int) -> Tensor:
    return (2 * torch.randn(*shape, generator=rng, dtype=torch.float64)).to(dtype)


def _centerness(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    target = torch.rand(6, 8, generator=rng, dtype=torch.float64)
    target[::2, 0] = torch.nan
    return _logits(rng, dtype, 6, 8), target.to(dtype)


def _no_centerness(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _logits(rng, dtype, 6, 8), torch.full((6, 8), torch.nan, dtype=dtype)


def _objects(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _logits(rng, dtype, 6, 8), torch.randint(-1, 2, (6, 8), generator=rng).to(dtype)


def _all_ignored(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _logits(rng, dtype, 6, 8), torch.full((6, 8), -1.0, dtype=dtype)


def _differences(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    target = 0.1 * torch.randn(6, 8, generator=rng, dtype=torch.float64)
    target[1, 2:4] = torch.nan
    return (0.1 * torch.randn(6, 8, generator=rng, dtype=torch.float64)).to(dtype), target.to(dtype)


def _classes(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    counts = torch.tensor([1000.0, 100.0, 10.0, 0.0], dtype=torch.float64)
    return _logits(rng, dtype, 9, 4, 3), torch.randint(-1, 4, (9, 3), generator=rng), counts


def _right_classes(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """Compensation is a constant of the gradient, not of finite differences: here it is 1."""
    labels = torch.tensor([0, 1, 3])
    logits = torch.randn(3, 4, generator=rng, dtype=dtype) + 9 * functional.one_hot(labels, 4)
    return logits, labels, torch.tensor([1000.0, 100.0, 10.0, 0.0], dtype=torch.float64)


def _no_classes(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return _logits(rng, dtype, 2, 4), torch.full((2,), -1), torch.ones(4, dtype=torch.float64)


def _no_labels(dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.zeros(0, 4, dtype=dtype), torch.zeros(0, dtype=torch.int64), torch.ones(4, dtype=torch.float64)


def _anchors(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    labels = torch.where(torch.rand(3, 20, generator=rng) < 0.2, torch.randint(-1, 4, (3, 20), generator=rng), 0)
    labels[2] = 0  # a sample without positives
    targets = torch.randn(3, 20, 7, generator=rng, dtype=torch.float64)
    targets[0, :, 6] = torch.nan
    boxes = torch.randn(3, 20, 7, generator=rng, dtype=torch.float64)
    return _logits(rng, dtype, 3, 20, 4), labels, boxes.to(dtype), targets.to(dtype)


def _only_background(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    logits, labels, boxes, targets = _anchors(rng, dtype)
    return logits, torch.where(labels > 0, 0, labels), boxes, targets


def _entropy(pred: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    out = torch.zeros(pred.shape, dtype=torch.float64)
    p, y = pred[counts].double(), target[counts].double()
    out[counts] = functional.binary_cross_entropy_with_logits(p, y, reduction="none")
    return out


def _ghm_classification(pred: Tensor, target: Tensor) -> Tensor:
    counts = (target != -1).numpy()
    size = np.abs(1 / (1 + np.exp(-pred.numpy())) - target.numpy())
    entries, _ = np.histogram(size[counts], bins=10, range=(0, 1))
    place = np.minimum((size * 10).astype(int), 9)
    weight = np.where(counts, counts.sum() / np.maximum(entries[np.where(counts, place, 0)], 1), 0)
    return torch.from_numpy(weight) * _entropy(pred, target, torch.from_numpy(counts))


def _ghm_regression(pred: Tensor, target: Tensor) -> Tensor:
    d = (pred - target).numpy()
    counts = ~np.isnan(d)
    # the bins in the precision of the input, as the loss sees them
    size = np.abs(d) / np.sqrt(d**2 + d.dtype.type(0.02**2))
    entries, _ = np.histogram(size[counts], bins=10, range=(0, 1))
    place = np.minimum((np.where(counts, size, 0) * 10).astype(int), 9)
    loss = np.hypot(np.where(counts, d, 0).astype(float), 0.02) - 0.02
    return torch.from_numpy(np.where(counts, counts.sum() / np.maximum(entries[place], 1) * loss, 0))


def _seesaw(pred: Tensor, target: Tensor, class_counts: Tensor) -> Tensor:
    """Equations 4 to 7, label by label."""
    out = torch.zeros(target.shape, dtype=torch.float64)
    n = class_counts.clamp(min=1).tolist()
    for (b, k), label in np.ndenumerate(target.numpy()):
        if label == -1:
            continue
        z = pred[b, :, k].double()
        s = z.softmax(0)
        total = z[label].exp().item()
        for j in range(len(n)):
            if j != label:
                mitigation = min(1.0, (n[j] / n[label]) ** 0.8)
                compensation = max(1.0, (s[j] / s[label]).item() ** 2)
                total += mitigation * compensation * z[j].exp().item()
        out[b, k] = math.log(total) - z[label]
    return out


def _multibox(logits: Tensor, labels: Tensor, boxes: Tensor, targets: Tensor) -> Tensor:
    """Sample by sample, with a sort."""
    entropy = functional.cross_entropy(logits.double().transpose(1, 2), labels.clamp(min=0), reduction="none")
    out = torch.zeros(labels.shape, dtype=torch.float64)
    for b in range(len(labels)):
        positives = [i for i, label in enumerate(labels[b].tolist()) if label > 0]
        negatives = [i for i, label in enumerate(labels[b].tolist()) if label == 0]
        negatives.sort(key=lambda i: -entropy[b, i].item())
        for i in positives + negatives[: 3 * len(positives)]:
            out[b, i] = entropy[b, i]
        for i in positives:
            known = ~targets[b, i].isnan()
            out[b, i] += functional.smooth_l1_loss(
                boxes[b, i, known].double(), targets[b, i, known].double(), reduction="sum"
            )
    return out


class _SeesawWithCounts(nn.Module):
    """The module counts by itself; here it is given the counts."""

    def forward(self, pred: Tensor, target: Tensor, class_counts: Tensor, **more: Any) -> Tensor:
        module = losses.SeesawLoss(len(class_counts)).eval()
        module.class_counts.copy_(class_counts)
        return module(pred, target, **more)


CASES = [
    LossCase(
        "centerness_loss",
        losses.centerness_loss,
        losses.CenternessLoss,
        _centerness,
        lambda pred, target: _entropy(pred, target, ~target.isnan()),
        "torch.nn.functional.binary_cross_entropy_with_logits",
        logits=True,
        nothing_counts=_no_centerness,
    ),
    LossCase(
        "objectness_loss",
        losses.objectness_loss,
        losses.ObjectnessLoss,
        _objects,
        lambda pred, target: _entropy(pred, target, target != -1),
        "torch.nn.functional.binary_cross_entropy_with_logits",
        logits=True,
        nothing_counts=_all_ignored,
    ),
    LossCase(
        "ghm_classification_loss",
        losses.ghm_classification_loss,
        lambda: losses.GhmClassificationLoss(momentum=0),
        _objects,
        _ghm_classification,
        "1811.05181 equation 8 with numpy.histogram",
        logits=True,
        nothing_counts=_all_ignored,
    ),
    LossCase(
        "ghm_regression_loss",
        losses.ghm_regression_loss,
        lambda: losses.GhmRegressionLoss(momentum=0),
        _differences,
        _ghm_regression,
        "1811.05181 equation 10 with numpy.histogram",
        nothing_counts=_no_centerness,
    ),
    LossCase(
        "seesaw_loss",
        losses.seesaw_loss,
        _SeesawWithCounts,
        _classes,
        _seesaw,
        "2008.10032 equations 4 to 7, label by label",
        logits=True,
        smooth_inputs=_right_classes,
        empty=_no_labels,
        nothing_counts=_no_classes,
    ),
    LossCase(
        "multibox_loss",
        losses.multibox_loss,
        losses.MultiboxLoss,
        _anchors,
        _multibox,
        "1512.02325, sample by sample with a sort",
        differentiable=(0, 2),
        nothing_counts=_only_background,
        has_module_weight=False,
    ),
]
