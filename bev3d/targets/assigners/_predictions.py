"""What the assigners of predictions share."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bev3d.points._check import as_tensors
from bev3d.targets.assigners._assignment import Array

__all__ = ["check_centres", "check_logits"]


def check_centres(centres: Array, pred_boxes: Array, radius_m: float) -> Tensor:
    """(A, 2 or more) in float64, detached, where the radius is one."""
    if not 0 <= radius_m < math.inf:
        raise ValueError(f"radius_m: expected a finite number of metres >= 0, got {radius_m}")
    if not isinstance(centres, np.ndarray | Tensor):
        raise TypeError(f"centres: expected a NumPy array or a torch tensor, got {type(centres).__name__}")
    result: Tensor = as_tensors("pred_boxes", pred_boxes, centres=centres)[1].detach()
    if not result.is_floating_point():
        raise TypeError(f"centres: expected a floating-point dtype, got {centres.dtype}")
    if result.ndim != 2 or len(result) != len(pred_boxes) or result.shape[1] < 2:
        raise ValueError(f"centres: expected shape ({len(pred_boxes)}, >= 2), got {tuple(centres.shape)}")
    return result.double()


def check_logits(logits: Array, pred_boxes: Array, labels: NDArray[np.int64]) -> Tensor:
    """(A, C) in float64, detached, where every label has a column."""
    if not isinstance(logits, np.ndarray | Tensor):
        raise TypeError(f"logits: expected a NumPy array or a torch tensor, got {type(logits).__name__}")
    result: Tensor = as_tensors("pred_boxes", pred_boxes, logits=logits)[1].detach()
    if not result.is_floating_point():
        raise TypeError(f"logits: expected a floating-point dtype, got {logits.dtype}")
    if result.ndim != 2 or len(result) != len(pred_boxes):
        raise ValueError(f"logits: expected shape ({len(pred_boxes)}, classes), got {tuple(logits.shape)}")
    if len(labels) and int(labels.max()) >= result.shape[1]:
        raise ValueError(f"labels: expected classes below the {result.shape[1]} of logits, got {int(labels.max())}")
    return result.double()
