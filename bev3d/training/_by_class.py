"""Settings of prediction that are given by class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["by_threshold", "of_class"]


def of_class(values: Sequence[float], labels: Tensor) -> Tensor:
    """(N,) float64, the value of each box's class.

    Args:
        values: by class, or one for all.
        labels: (N,) int64.
    """
    table = torch.tensor(values, dtype=torch.float64, device=labels.device)
    return table.expand(len(labels)) if len(values) == 1 else table[labels]


def by_threshold(labels: Tensor, thresholds: Sequence[float]) -> list[tuple[float, Tensor]]:
    """Each different threshold with the indices (K,) int64 of the boxes whose class has it; without boxes, none.

    Args:
        labels: (N,) int64.
        thresholds: by class, or one for all.
    """
    if not len(labels):
        return []
    if len(set(thresholds)) == 1:
        return [(thresholds[0], torch.arange(len(labels), device=labels.device))]
    of_box = of_class(thresholds, labels)
    return [(value, (of_box == value).nonzero()[:, 0]) for value in of_box.unique().tolist()]
