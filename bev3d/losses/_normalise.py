"""What a summed loss is divided by: always 0-dim or per sample, float32, at least 1, and never a wait for the device.

Each can take the mean over the ranks of the default process group, so that every rank divides by the same number.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["num_elements", "num_pos", "num_pos_per_sample", "sum_quality"]


def num_pos(mask: Tensor, *, synchronise: bool = False) -> Tensor:
    """Number of positives in the batch, at least 1, so that a batch without any has loss 0 and not NaN.

    Args:
        mask: any shape, bool: object slots, or ``heatmap == 1``.
        synchronise: take the mean over the ranks of the default process group, where one is initialised.

    Returns:
        0-dim float32 on the device of ``mask``; nothing waits for the device.
    """
    return _mean_over_ranks(mask.sum(dtype=torch.float32), synchronise).clamp(min=1)


def num_pos_per_sample(mask: Tensor, *, synchronise: bool = False) -> Tensor:
    """Number of positives of each sample, at least 1.

    Args:
        mask: (B, ...) bool.
        synchronise: as :func:`num_pos`.

    Returns:
        (B, 1, ...) float32, broadcastable to a loss of the shape of ``mask``: divide the map by it, then by B.
    """
    dims = tuple(range(1, mask.ndim))
    count = mask.sum(dim=dims, keepdim=True, dtype=torch.float32) if dims else mask.to(torch.float32)
    return _mean_over_ranks(count, synchronise).clamp(min=1)


def num_elements(value: Tensor, *, synchronise: bool = False) -> Tensor:
    """Number of entries of a map, of any kind, at least 1; 0-dim float32."""
    count = torch.full((), float(value.numel()), device=value.device)
    return _mean_over_ranks(count, synchronise).clamp(min=1)


def sum_quality(quality: Tensor, *, synchronise: bool = False) -> Tensor:
    """Sum of the qualities of the positives, at least 1 (Li et al., 2006.04388; Zhang et al., 2008.13367).

    Args:
        quality: any shape, at least 0: the soft label of each entry; taken as a constant.
        synchronise: as :func:`num_pos`.

    Returns:
        0-dim float32.
    """
    return _mean_over_ranks(quality.detach().sum(dtype=torch.float32), synchronise).clamp(min=1)


def _mean_over_ranks(count: Tensor, synchronise: bool) -> Tensor:
    if synchronise and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(count)
        return count / torch.distributed.get_world_size()
    return count
