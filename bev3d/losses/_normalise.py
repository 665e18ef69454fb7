"""What a summed loss is divided by."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["num_pos"]


def num_pos(mask: Tensor, *, synchronise: bool = False) -> Tensor:
    """Number of positives in the batch, at least 1, so that a batch without any has loss 0 and not NaN.

    Args:
        mask: any shape, bool: object slots, or ``heatmap == 1``.
        synchronise: take the mean over the ranks of the default process group, where one is initialised.

    Returns:
        0-dim float32 on the device of ``mask``; nothing waits for the device.
    """
    count = mask.sum(dtype=torch.float32)
    if synchronise and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(count)
        count = count / torch.distributed.get_world_size()
    return count.clamp(min=1)
