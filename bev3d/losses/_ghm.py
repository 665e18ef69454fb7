"""Gradient harmonising: entries weighed by how rare their gradient is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bev3d._check import check_choice
from bev3d.losses._binary_cross_entropy import entropy_of_logits
from bev3d.losses._inputs import check_broadcast, check_prediction, check_unit_interval, in_float32
from bev3d.losses._known import check_positive
from bev3d.losses._reduce import Reduction, weighted_mean

__all__ = [
    "GhmClassificationLoss",
    "GhmRegressionLoss",
    "ghm_classification_loss",
    "ghm_regression_loss",
]


def ghm_classification_loss(
    pred: Tensor,
    target: Tensor,
    *,
    bins: int = 10,
    density: Tensor | None = None,
    reduction: Reduction = "none",
) -> Tensor:
    """Cross entropy over the density of its gradient's size (Li et al., AAAI 2019, 1811.05181, equation 8).

        N / GD(g_i) * BCE(x_i, y_i),   g = |sigmoid(x) - y|,   GD = entries in the bin of g, times the filled bins

    Many entries share a gradient near 0 (easy) and near 1 (outliers); each bin of gradients gets the same weight.

    Args:
        pred: (...) logits.
        target: broadcasts to ``pred``; in [0, 1]; -1 does not count.
        bins: unit regions of g.
        density: (bins,) entries of each bin, such as a moving average; None: of this batch.
        reduction: ``"none"``, ``"mean"``: the sum over the number of entries that count and of filled bins, the
            published normaliser, or ``"sum"``.

    Returns:
        (...), or a scalar; float32 at least. ``"none"`` holds weight times entropy, weight = N / entries of the bin.

    Raises:
        ValueError: shapes that do not broadcast, targets outside [0, 1], no bins, an unknown reduction.
        TypeError: predictions that are not floating-point tensors.
    """
    check_prediction("pred", pred)
    check_broadcast("target", target, "pred", pred)
    logits, labels = in_float32(pred, target)
    labels = labels.expand_as(logits)
    counts = labels != -1
    labels = torch.where(counts, labels, torch.zeros_like(labels))
    check_unit_interval("target", labels)
    size = (logits.detach().sigmoid() - labels).abs()
    loss = entropy_of_logits(logits, labels)
    return _harmonise(loss, size, counts, bins, density, reduction)


def ghm_regression_loss(
    pred: Tensor,
    target: Tensor,
    *,
    mu: float = 0.02,
    bins: int = 10,
    density: Tensor | None = None,
    reduction: Reduction = "none",
) -> Tensor:
    """Authentic smooth L1 over the density of its gradient's size (Li et al., AAAI 2019, 1811.05181, equation 10).

        N / GD(g_i) (sqrt(d² + mu²) - mu),   g = |d| / sqrt(d² + mu²)

    Args:
        pred: (...) encoded box components.
        target: broadcasts to ``pred``; NaN: unknown, does not count.
        mu: above 0; smaller is closer to |d|.

    Other arguments, result and errors as :func:`ghm_classification_loss`.
    """
    check_prediction("pred", pred)
    check_broadcast("target", target, "pred", pred)
    check_positive("mu", mu)
    real, wanted = in_float32(pred, target)
    counts = ~wanted.isnan().expand_as(real)
    difference = torch.where(counts, real, 0.0) - torch.where(counts, wanted, 0.0)
    root = (difference.square() + mu * mu).sqrt()
    return _harmonise(root - mu, (difference / root).detach().abs(), counts, bins, density, reduction)


class _GhmModule(nn.Module):
    """Keeps a moving average of the bins' entries.

    Args:
        function: one of the two above, with its options.
        momentum: share of the past; 0: each batch alone.
    """

    density: Tensor

    def __init__(self, function: Callable[..., Tensor], bins: int, momentum: float, **options: Any) -> None:
        super().__init__()
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: expected a number in [0, 1), got {momentum}")
        self.function, self.bins, self.momentum, self.options = function, bins, momentum, options
        self.register_buffer("density", torch.zeros(bins))

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        *,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """Sum over ``avg_factor``, or over entries that count times filled bins; in training updates the average."""
        options = {**self.options, "bins": self.bins}
        here = self._entries(pred, target)
        density = here
        if self.momentum > 0:
            density = torch.where(here > 0, self.momentum * self.density + (1 - self.momentum) * here, self.density)
            if self.training:
                self.density.copy_(density)
        if weight is None and avg_factor is None:
            result: Tensor = self.function(pred, target, density=density, reduction="mean", **options)
            return result
        if avg_factor is None:
            avg_factor = here.sum().clamp(min=1) * (density > 0).sum().clamp(min=1)
        return weighted_mean(self.function(pred, target, density=density, **options), weight, avg_factor)

    def _entries(self, pred: Tensor, target: Tensor) -> Tensor:
        raise NotImplementedError


class GhmClassificationLoss(_GhmModule):
    """:func:`ghm_classification_loss` with a moving average of the density.

    Args:
        bins: unit regions.
        momentum: share of the past in the average; 0: each batch alone.
    """

    def __init__(self, *, bins: int = 10, momentum: float = 0.75) -> None:
        super().__init__(ghm_classification_loss, bins, momentum)

    def _entries(self, pred: Tensor, target: Tensor) -> Tensor:
        logits, labels = in_float32(pred.detach(), target)
        labels = labels.expand_as(logits)
        return _entries_by_bin((logits.sigmoid() - labels).abs(), labels != -1, self.bins)


class GhmRegressionLoss(_GhmModule):
    """:func:`ghm_regression_loss` with a moving average of the density.

    Args:
        mu: above 0.
        bins: unit regions.
        momentum: share of the past in the average; 0: each batch alone.
    """

    def __init__(self, *, mu: float = 0.02, bins: int = 10, momentum: float = 0.75) -> None:
        super().__init__(ghm_regression_loss, bins, momentum, mu=mu)

    def _entries(self, pred: Tensor, target: Tensor) -> Tensor:
        difference = torch.sub(*in_float32(pred.detach(), target))
        size = (difference / (difference.square() + self.options["mu"] ** 2).sqrt()).abs()
        return _entries_by_bin(size, ~size.isnan(), self.bins)


def _harmonise(
    loss: Tensor, size: Tensor, counts: Tensor, bins: int, density: Tensor | None, reduction: Reduction
) -> Tensor:
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if bins < 1:
        raise ValueError(f"bins: expected at least 1, got {bins}")
    entries = _entries_by_bin(size, counts, bins) if density is None else density.to(loss.dtype)
    if entries.shape != (bins,):
        raise ValueError(f"density: expected shape ({bins},), got {tuple(entries.shape)}")
    total = counts.sum().clamp(min=1)
    share = entries[_bin(size, counts, bins)]
    weight = torch.where(counts & (share > 0), total / share.clamp(min=torch.finfo(loss.dtype).tiny), 0.0)
    loss = torch.where(counts, weight * loss, 0.0)
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / (total * (entries > 0).sum().clamp(min=1))


def _bin(size: Tensor, counts: Tensor, bins: int) -> Tensor:
    return (torch.where(counts, size, 0.0) * bins).long().clamp(max=bins - 1)


def _entries_by_bin(size: Tensor, counts: Tensor, bins: int) -> Tensor:
    entries = torch.zeros(bins, dtype=size.dtype, device=size.device)
    return entries.index_add_(0, _bin(size, counts, bins).flatten(), counts.to(size.dtype).flatten())
