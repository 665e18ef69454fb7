"""Greedy non-maximum suppression on the CPU: a candidate is tested against the kept boxes near it only."""

from __future__ import annotations

import numpy as np

from bev3d_ops.cpu._nms_grid import find_owners
from bev3d_ops.cpu._nms_pair import rank_boxes
from bev3d_ops.reference._nms import BEV, CIRCLE, DIOU

__all__ = ["BEV", "CIRCLE", "DIOU", "nms_ranked"]


def nms_ranked(
    boxes: np.ndarray, order: np.ndarray, groups: np.ndarray, threshold: float, kind: int, *, owners: bool
) -> np.ndarray:
    """For every rank the rank of a kept box that stands for it, (K,) int64: its own where it is kept.

    Args:
        boxes: (N, >= 7) float32 or float64.
        order: (K,) int64, indices of the boxes that take part, from best to worst.
        groups: (K,) int64, by rank; boxes of different groups never meet.
        threshold: a kept box suppresses one whose IoU or DIoU with it is greater, or whose centre is at most
            so many metres away.
        kind: ``BEV``, ``CIRCLE`` or ``DIOU``.
        owners: the first kept box that suppresses the other stands for it; else any that does, which is faster.
    """
    rows = rank_boxes(boxes, order, kind, threshold)
    return find_owners(rows, groups, threshold, kind, not owners)
