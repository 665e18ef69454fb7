"""``bev3d::points_in_boxes`` as index, mask, pairs and counts. No gradient: the results are whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops.cpu import _points as cpu
from bev3d_ops.cuda import _points as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._expect import expect, expect_below
from bev3d_ops.registered._library import register

__all__ = ["count_points_in_boxes", "points_in_boxes", "points_in_boxes_mask", "points_in_boxes_pairs"]

_ARGUMENTS = "(Tensor points, Tensor boxes, Tensor? point_batch, Tensor? box_batch) -> Tensor"

MOST_BOXES = 2**31 - 1  # the grid on the CPU lists them in 32 bits

Samples = Tensor | None


def _check(points: Tensor, boxes: Tensor, point_batch: Samples, box_batch: Samples) -> None:
    expect("points", points, "(P, >= 3)", None, 3, wider=True)
    expect("boxes", boxes, "(N, >= 7)", None, 7, wider=True, beside=points)
    expect_below("boxes", boxes, MOST_BOXES)
    if (point_batch is None) != (box_batch is None):
        raise ValueError(
            f"{'point' if point_batch is None else 'box'}_batch: expected a tensor, as the other, got None"
        )
    if point_batch is None or box_batch is None:
        return
    for name, value, of in (("point_batch", point_batch, points), ("box_batch", box_batch, boxes)):
        expect(name, value, f"({of.shape[0]},)", of.shape[0], dtype=torch.int64, beside=points)


def _on_cpu(kernel: Callable[..., np.ndarray]) -> Callable[..., Tensor]:
    def run(points: Tensor, boxes: Tensor, point_batch: Samples, box_batch: Samples) -> Tensor:
        given = None if point_batch is None or box_batch is None else (point_batch, box_batch)
        batches = None if given is None else tuple(value.contiguous().numpy() for value in given)
        return torch.from_numpy(kernel(*kernel_arrays(points, boxes), batches))

    return run


def _per_point(points: Tensor, *_: Any) -> Tensor:
    return points.new_empty(points.shape[0], dtype=torch.int64)


def _per_box(_: Tensor, boxes: Tensor, *__: Any) -> Tensor:
    return boxes.new_empty(boxes.shape[0], dtype=torch.int64)


def _per_pair(points: Tensor, boxes: Tensor, *_: Any) -> Tensor:
    return points.new_empty((points.shape[0], boxes.shape[0]), dtype=torch.bool)


def _listed(points: Tensor, *_: Any) -> Tensor:
    count = torch.library.get_ctx().new_dynamic_size()
    return points.new_empty((count, 2), dtype=torch.int64)


def _register(name: str, fake: Callable[..., Tensor]) -> Any:
    return register(
        name + _ARGUMENTS,
        cpu=_on_cpu(getattr(cpu, name)),
        cuda=partial(getattr(cuda, name), cuda_launch),
        fake=fake,
        check=_check,
    )


points_in_boxes = _register("points_in_boxes", _per_point)
"""Lowest index of a box (N, >= 7) that holds each point (P, >= 3), or -1: (P,) int64.

``point_batch`` (P,) and ``box_batch`` (N,), int64, both or neither: points and boxes meet within a sample only.
"""

points_in_boxes_mask = _register("points_in_boxes_mask", _per_pair)
"""Whether each box holds each point, (P, N) bool. Arguments as ``points_in_boxes``."""

points_in_boxes_pairs = _register("points_in_boxes_pairs", _listed)
"""Every point and box that holds it, (K, 2) int64, by point and then by box. Arguments as ``points_in_boxes``."""

count_points_in_boxes = _register("count_points_in_boxes", _per_box)
"""Points of each box, (N,) int64. Arguments as ``points_in_boxes``."""
