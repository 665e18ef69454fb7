"""Which points lie in which boxes."""

from __future__ import annotations

import numpy as np
import torch

from bev3d._check import check_boxes
from bev3d_ops._arrays import Array, kernel_arrays, like
from bev3d_ops.cpu import _points as kernels

__all__ = ["count_points_in_boxes", "points_in_boxes"]


def points_in_boxes(points: Array, boxes: Array) -> Array:
    """Give each point the first box that holds it.

    A box is closed: a point on a face, edge or corner lies inside. The test turns the point into the box's
    frame in float64, whatever the dtype, and compares with half the length, width and height. A box with a
    negative size, a NaN or an infinity holds nothing, and a point with a NaN lies nowhere.

    Args:
        points: (P, >= 3), x, y, z in metres; further columns are not read.
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.

    Returns:
        (P,) int64: the lowest index of a box that holds the point, or -1. A tensor on the device of
        ``points`` where that is a tensor, else a NumPy array. Computed on the CPU.

    Raises:
        ValueError: wrong shapes.
        TypeError: not floating-point arrays or tensors.
    """
    _check(points, boxes)
    return like(kernels.points_in_boxes(*kernel_arrays(points, boxes)), points)


def count_points_in_boxes(points: Array, boxes: Array) -> Array:
    """Number of points in each box; a point in several boxes counts in each.

    The rule of the border and the arguments are those of :func:`points_in_boxes`.

    Returns:
        (N,) int64, a tensor on the device of ``boxes`` where that is a tensor, else a NumPy array.
    """
    _check(points, boxes)
    return like(kernels.count_points_in_boxes(*kernel_arrays(points, boxes)), boxes)


def _check(points: Array, boxes: Array) -> None:
    if not isinstance(points, np.ndarray | torch.Tensor):
        raise TypeError(f"points: expected a NumPy array or a torch tensor, got {type(points).__name__}")
    if points.ndim != 2 or points.shape[1] < 3:
        raise ValueError(f"points: expected shape (P, >= 3), got {tuple(points.shape)}")
    floating = points.dtype.is_floating_point if isinstance(points, torch.Tensor) else points.dtype.kind == "f"
    if not floating:
        raise TypeError(f"points: expected a floating-point dtype, got {points.dtype}")
    check_boxes("boxes", boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes: expected shape (N, 7 or 9), got {tuple(boxes.shape)}")
