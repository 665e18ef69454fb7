"""Greedy non-maximum suppression on the CPU: a candidate is tested against the kept boxes near it only."""

from __future__ import annotations

import numpy as np
import torch

from bev3d_ops.cpu._nms_grid import find_owners
from bev3d_ops.cpu._nms_pair import rank_boxes
from bev3d_ops.cpu._threads import run_in_ranges
from bev3d_ops.reference._nms import BEV, CIRCLE, DIOU

__all__ = ["BEV", "CIRCLE", "DIOU", "nms_ranked"]

WORTH_A_THREAD = 10_000  # boxes


def nms_ranked(
    boxes: np.ndarray, order: np.ndarray, groups: np.ndarray | None, threshold: float, kind: int, *, owners: bool
) -> np.ndarray:
    """For every rank the rank of a kept box that stands for it, (K,) int64: its own where it is kept.

    Many boxes of several groups run in as many threads as torch may use; the result is the same.

    Args:
        boxes: (N, >= 7) float32 or float64.
        order: (K,) int64, indices of the boxes that take part, from best to worst.
        groups: (K,) int64, by rank; boxes of different groups never meet. None: all one group.
        threshold: a kept box suppresses one whose IoU or DIoU with it is greater, or whose centre is at most
            so many metres away.
        kind: ``BEV``, ``CIRCLE`` or ``DIOU``.
        owners: the first kept box that suppresses the other stands for it; else any that does, which is faster.
    """
    if kind != CIRCLE and threshold >= 1:  # no overlap is greater, and equal boxes would all meet
        return np.arange(len(order))
    rows = rank_boxes(boxes, order, kind, threshold)
    result = np.empty(len(order), np.int64)
    parts = 1 if groups is None else max(1, min(torch.get_num_threads(), len(order) // WORTH_A_THREAD))
    ranked_groups = np.zeros(len(order), np.int64) if groups is None else groups

    def run(start: int, stop: int) -> None:
        for part in range(start, stop):
            find_owners(rows, ranked_groups, threshold, kind, not owners, part, parts, result)

    run_in_ranges(run, parts, 1)
    return result
