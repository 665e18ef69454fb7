"""Heatmap focal loss and its slope in one pass over the maps, on any number of threads the same to the bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bev3d_ops.cpu._focal_kernel import BFLOAT, BLOCK, FLOAT, HALF, focal_blocks
from bev3d_ops.cpu._memory import empty
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["BFLOAT", "FLOAT", "HALF", "focal_map", "focal_sums"]

_BLOCKS_PER_THREAD = 64  # a thread costs about as much as 150,000 elements


def focal_map(
    logits: NDArray[np.generic],
    heatmap: NDArray[np.floating],
    alpha: float,
    beta: float,
    *,
    kind: int = FLOAT,
    slope: bool = True,
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Loss and slope of every element.

    Args:
        logits: (N,), C-contiguous: float32 or float64 where ``kind`` is FLOAT, else the bits of HALF or BFLOAT
            numbers as uint16.
        heatmap: (N,), C-contiguous: float64 beside float64, else float32.
        alpha, beta: exponents.
        kind: see ``logits``.
        slope: whether the slope is wanted; without it the second result is empty.
    """
    loss = empty(heatmap.shape, heatmap.dtype)
    steep = empty(heatmap.shape, heatmap.dtype) if slope else np.empty(0, heatmap.dtype)
    _run(logits, heatmap, alpha, beta, kind, loss, steep, np.empty((1, 0)))
    return loss, steep


def focal_sums(
    logits: NDArray[np.generic],
    heatmap: NDArray[np.floating],
    alpha: float,
    beta: float,
    groups: int = 1,
    *,
    kind: int = FLOAT,
    slope: bool = True,
) -> tuple[NDArray[np.float64], NDArray[np.floating]]:
    """Sums of the loss over ``groups`` equal parts, (groups,) float64, and the slope of every element.

    Other arguments as for :func:`focal_map`; ``groups`` divides N.
    """
    steep = empty(heatmap.shape, heatmap.dtype) if slope else np.empty(0, heatmap.dtype)
    sums = np.zeros((groups, -(-(heatmap.size // max(groups, 1)) // BLOCK)))
    _run(logits, heatmap, alpha, beta, kind, np.empty(0, heatmap.dtype), steep, sums)
    return sums.sum(1), steep


def _run(
    logits: NDArray[np.generic],
    heatmap: NDArray[np.floating],
    alpha: float,
    beta: float,
    kind: int,
    loss: NDArray[np.floating],
    slope: NDArray[np.floating],
    sums: NDArray[np.float64],
) -> None:
    """Fill what is not empty of ``loss`` (N,), ``slope`` (N,) and ``sums`` (groups, blocks of a group)."""
    if not heatmap.size:
        return
    in_group = heatmap.size // len(sums)
    count = len(sums) * -(-in_group // BLOCK)
    exponents = float(alpha), float(beta)

    def work(start: int, stop: int) -> None:
        focal_blocks(logits, heatmap, *exponents, kind, loss, slope, sums, in_group, start, stop)

    run_in_ranges(work, count, _BLOCKS_PER_THREAD)
