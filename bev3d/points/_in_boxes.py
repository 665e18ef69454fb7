"""Which points lie in which boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from bev3d._check import check_boxes
from bev3d.points._check import Array, as_index, as_tensors, check_points, give_back
from bev3d_ops.registered import _points as ops

__all__ = ["count_points_in_boxes", "points_in_boxes", "points_in_boxes_mask", "points_in_boxes_pairs"]


def points_in_boxes(
    points: Array, boxes: Array, *, point_batch: Array | None = None, box_batch: Array | None = None
) -> Array:
    """Give each point the first box that holds it.

    A box is closed: a point on a face, edge or corner lies inside. The test is, in float64 whatever the dtype, with
    every operation rounded once,

        |dx cos(yaw) + dy sin(yaw)| <= length / 2,  |dy cos(yaw) - dx sin(yaw)| <= width / 2,  |dz| <= height / 2

    with d = point - centre; on a GPU the cosine and the sine may differ in their last bit. A box with a negative
    size, a NaN or an infinity holds nothing, one of size 0 the points at its place, and a point with a NaN or an
    infinity lies nowhere. Of several boxes that hold a point the one of lowest index wins. No gradient.

    Args:
        points: (P, >= 3), x, y, z in metres; further columns are not read.
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`; the same kind of array on the same device.
        point_batch: (P,) integers, the sample of each point, where points and boxes of several samples lie together:
            they meet within a sample only. Given with ``box_batch`` or not at all.
        box_batch: (N,) integers, the sample of each box.

    Returns:
        (P,) int64: the lowest index of a box that holds the point, or -1. The kind of array and the device of
        ``points``.

    Raises:
        ValueError: wrong shapes, different devices, or only one of the two batches.
        TypeError: not floating-point arrays or tensors, one of each, or batches that are not integers.
    """
    return _run(ops.points_in_boxes, points, boxes, point_batch, box_batch)


def points_in_boxes_mask(
    points: Array, boxes: Array, *, point_batch: Array | None = None, box_batch: Array | None = None
) -> Array:
    """Whether each box holds each point: (P, N) bool. Arguments, border and errors as :func:`points_in_boxes`."""
    return _run(ops.points_in_boxes_mask, points, boxes, point_batch, box_batch)


def points_in_boxes_pairs(
    points: Array, boxes: Array, *, point_batch: Array | None = None, box_batch: Array | None = None
) -> Array:
    """Every point with every box that holds it, for boxes that overlap.

    Arguments, border and errors as :func:`points_in_boxes`. On a GPU it waits once, for the number of pairs.

    Returns:
        (K, 2) int64, the index of the point and that of the box, sorted by point and then by box.
    """
    return _run(ops.points_in_boxes_pairs, points, boxes, point_batch, box_batch)


def count_points_in_boxes(
    points: Array, boxes: Array, *, point_batch: Array | None = None, box_batch: Array | None = None
) -> Array:
    """Number of points in each box, (N,) int64; a point in several boxes counts in each.

    Arguments, border and errors as :func:`points_in_boxes`.
    """
    return _run(ops.count_points_in_boxes, points, boxes, point_batch, box_batch)


def _run(
    op: Callable[..., torch.Tensor], points: Array, boxes: Array, point_batch: Array | None, box_batch: Array | None
) -> Any:
    check_points("points", points)
    check_boxes("boxes", boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes: expected shape (N, 7 or 9), got {tuple(boxes.shape)}")
    if (point_batch is None) != (box_batch is None):
        missing, given = ("box_batch", "point_batch") if box_batch is None else ("point_batch", "box_batch")
        raise ValueError(f"{missing}: expected one with {given}, got None")
    point_batch = as_index("point_batch", point_batch, len(points))
    box_batch = as_index("box_batch", box_batch, len(boxes))
    tensors = as_tensors("points", points, boxes=boxes, point_batch=point_batch, box_batch=box_batch)
    with torch.no_grad():
        return give_back(op(*tensors), points)
