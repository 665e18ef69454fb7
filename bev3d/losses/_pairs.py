"""Checks of the arguments of losses over aligned boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d._check import check_boxes, check_same_device

__all__ = ["check_aligned_pair"]


def check_aligned_pair(pred: Tensor, target: Tensor) -> torch.dtype:
    """Raise unless both are tensors of boxes of one leading shape on one device; returns the dtype of the loss.

    That is the wider of the two dtypes, but at least float32. Leading shapes do not broadcast: where they
    differ, a loss is almost surely about to compare the wrong boxes.
    """
    for name, value in (("pred", pred), ("target", target)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch tensor, got {type(value).__name__}")
        check_boxes(name, value)
    check_same_device("target", target, "pred", pred)
    if pred.shape[:-1] != target.shape[:-1]:
        expected = f"the leading shape of pred, {tuple(pred.shape[:-1])}"
        raise ValueError(f"target: expected {expected}, got {tuple(target.shape[:-1])}")
    return torch.promote_types(torch.promote_types(pred.dtype, target.dtype), torch.float32)
