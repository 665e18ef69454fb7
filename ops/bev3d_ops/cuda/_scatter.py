"""Sums and maxima of rows by segment on CUDA: a stable sort of the index, then a thread for each value."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d_ops.cuda._launch import Launch

__all__ = ["gather_rows", "scatter_max", "scatter_sum", "spread_max"]


def scatter_sum(launch: Launch, features: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """See :func:`bev3d_ops.registered._scatter.scatter_sum`."""
    features = features.contiguous()
    order, starts = _segments(index, count)
    sums = features.new_empty((count, features.shape[1]))
    launch("scatter.sum_segments", sums.dtype, sums.numel(), features, order, starts, sums, *sums.shape)
    return sums, starts.diff()


def scatter_max(launch: Launch, features: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """See :func:`bev3d_ops.registered._scatter.scatter_max`."""
    if len(features) >= 2**31:
        raise ValueError(f"features: expected fewer than 2^31 rows, got {len(features)}")
    features = features.contiguous()
    order, starts = _segments(index, count)
    maxima = features.new_empty((count, features.shape[1]))
    source = maxima.new_empty(maxima.shape, dtype=torch.int32)
    launch("scatter.max_segments", maxima.dtype, maxima.numel(), features, order, starts, maxima, source, *maxima.shape)
    return maxima, source


def gather_rows(launch: Launch, values: Tensor, index: Tensor) -> Tensor:
    """See :func:`bev3d_ops.registered._scatter.gather_rows`."""
    values, index = values.contiguous(), index.contiguous()
    out = values.new_empty((len(index), values.shape[1]))
    launch("scatter.gather_rows", out.dtype, out.numel(), values, index, out, *out.shape, len(values))
    return out


def spread_max(launch: Launch, grad: Tensor, source: Tensor, index: Tensor) -> Tensor:
    """See :func:`bev3d_ops.registered._scatter.spread_max`."""
    grad, source, index = grad.contiguous(), source.contiguous(), index.contiguous()
    out = grad.new_empty((len(index), grad.shape[1]))
    launch("scatter.spread_max", out.dtype, out.numel(), grad, source, index, out, *out.shape, len(grad))
    return out


def _segments(index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Rows by segment (P,), those outside 0 <= index < count last, and where each segment begins (count + 1,)."""
    outside = (index < 0) | (index >= count)
    ordered, order = torch.where(outside, count, index).sort(stable=True)
    return order, torch.searchsorted(ordered, torch.arange(count + 1, device=index.device))
