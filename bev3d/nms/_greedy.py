"""Greedy non-maximum suppression by rotated overlap or by distance."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch

from bev3d._check import check_boxes, check_choice
from bev3d_ops._arrays import Array, kernel_arrays, like
from bev3d_ops.cpu import _nms as kernels

__all__ = ["batched_nms", "nms_bev", "nms_circle"]


def nms_bev(boxes: Array, scores: Array, threshold: float) -> Array:
    """Keep the best of boxes that overlap, seen from above.

    In descending order of score a box is kept unless its exact rotated IoU with a box already kept exceeds
    ``threshold``. Equal scores: the lower index first. A box with a NaN, an infinity or a length or width
    that is not positive overlaps nothing, so it neither goes nor removes others.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        scores: (N,), no NaN.
        threshold: IoU in [0, 1]; at exactly the threshold both boxes stay.

    Returns:
        (K,) int64 indices of the kept boxes by descending score; a tensor on the device of ``boxes`` where
        that is a tensor, else a NumPy array. Computed on the CPU, in float64.

    Raises:
        ValueError: wrong shapes, a NaN score or a threshold outside [0, 1].
        TypeError: not floating-point arrays or tensors.
    """
    return batched_nms(boxes, scores, None, threshold, kind="bev")


def nms_circle(boxes: Array, scores: Array, radius_m: float) -> Array:
    """Keep the best of boxes whose centres lie close together, seen from above (CenterPoint, 2006.11275).

    In descending order of score a box is kept unless its centre lies within ``radius_m`` (the distance itself,
    not its square; the border counts as within) of a box already kept. Equal scores: the lower index first.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`; only x and y are read.
        scores: (N,), no NaN.
        radius_m: metres, at least 0.

    Returns:
        (K,) int64 indices as :func:`nms_bev` gives them.
    """
    return batched_nms(boxes, scores, None, radius_m, kind="circle")


def batched_nms(
    boxes: Array,
    scores: Array,
    labels: Array | None,
    threshold: float,
    kind: Literal["bev", "circle"] = "bev",
) -> Array:
    """Suppress within each label alone, in one pass over all boxes.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        scores: (N,), no NaN.
        labels: (N,) integers, class or sample; boxes of different labels never meet. None: all one label.
        threshold: the IoU of :func:`nms_bev`, or the radius in metres of :func:`nms_circle`.
        kind: which of the two.

    Returns:
        (K,) int64 indices of the kept boxes by descending score over all labels; equal scores by index.
    """
    check_choice("kind", kind, ("bev", "circle"))
    _check(boxes, scores, labels)
    name = "threshold" if kind == "bev" else "radius_m"
    highest = 1.0 if kind == "bev" else math.inf
    if not 0 <= threshold <= highest or math.isinf(threshold):
        expected = "an IoU in [0, 1]" if kind == "bev" else "a finite number of metres >= 0"
        raise ValueError(f"{name}: expected {expected}, got {threshold}")
    (box_array,), (score_array,) = kernel_arrays(boxes), kernel_arrays(scores)
    if np.isnan(score_array).any():
        raise ValueError(f"scores: expected no NaN, got one at index {int(np.isnan(score_array).argmax())}")
    order = np.argsort(-score_array, kind="stable").astype(np.int64)
    if labels is None:
        label_array = np.zeros(len(order), np.int64)
    else:
        values = labels.detach().cpu().numpy() if isinstance(labels, torch.Tensor) else labels
        label_array = np.require(values, np.int64, ["C", "W"])
    kernel = kernels.nms_bev if kind == "bev" else kernels.nms_circle
    return like(kernel(box_array, order, label_array, float(threshold)), boxes)


def _check(boxes: Array, scores: Array, labels: Array | None) -> None:
    check_boxes("boxes", boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes: expected shape (N, 7 or 9), got {tuple(boxes.shape)}")
    for name, value in (("scores", scores), ("labels", labels)):
        if value is None:
            continue
        if not isinstance(value, np.ndarray | torch.Tensor):
            raise TypeError(f"{name}: expected a NumPy array or a torch tensor, got {type(value).__name__}")
        if tuple(value.shape) != (len(boxes),):
            raise ValueError(f"{name}: expected shape ({len(boxes)},) as boxes, got {tuple(value.shape)}")
        if not _has_kind(value, "f" if name == "scores" else "i"):
            expected = "a floating-point" if name == "scores" else "an integer"
            raise TypeError(f"{name}: expected {expected} dtype, got {value.dtype}")


def _has_kind(value: Array, kind: Literal["f", "i"]) -> bool:
    if isinstance(value, torch.Tensor):
        floating = value.dtype.is_floating_point
        return floating if kind == "f" else not floating and value.dtype is not torch.bool
    return value.dtype.kind == "f" if kind == "f" else value.dtype.kind in "iu"
