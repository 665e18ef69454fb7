"""Sums and maxima of rows by segment in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["gather_rows", "scatter_max", "scatter_sum"]


def scatter_sum(features: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sums (count, C) of features (P, C) by index (P,), -1 left out, and the rows in each (count,)."""
    used = index >= 0
    sums = features.new_zeros((count, features.shape[1]))
    sums = sums.index_add(0, index[used], features[used])
    return sums, torch.bincount(index[used], minlength=count)


def scatter_max(features: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Maxima (count, C), 0 where a segment is empty, and the first row that has each, int32, -1 where it is empty.

    A NaN is the greatest of all.
    """
    rows, channels = features.shape
    used = index >= 0
    chosen, values = index[used, None].expand(-1, channels), features[used]
    start = values.detach().new_full((count, channels), -torch.inf)
    maxima = start.scatter_reduce(0, chosen, values.detach(), "amax")
    is_best = (values == maxima.gather(0, chosen)) | values.isnan()
    row = torch.where(is_best, used.nonzero(), rows)
    source = row.new_full((count, channels), rows).scatter_reduce(0, chosen, row, "amin")
    padded = torch.cat([features, features.new_zeros((1, channels))])
    return padded.gather(0, source), torch.where(source < rows, source, -1).int()


def gather_rows(values: Tensor, index: Tensor) -> Tensor:
    """(P, C): rows of values (V, C) at index (P,), 0 where there is no such row."""
    named = (index >= 0) & (index < len(values))
    padded = torch.cat([values, values.new_zeros((1, values.shape[1]))])
    return padded[torch.where(named, index, len(values))]
