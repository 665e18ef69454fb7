"""Points in boxes on CUDA."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d_ops.cuda._launch import Launch

__all__ = ["count_points_in_boxes", "points_in_boxes", "points_in_boxes_mask", "points_in_boxes_pairs"]

_PREPARED = 8  # values of a prepared box


class _Search:
    """Points and prepared boxes, to be visited by one kernel or two."""

    def __init__(
        self, launch: Launch, points: Tensor, boxes: Tensor, point_batch: Tensor | None, box_batch: Tensor | None
    ) -> None:
        self._launch = launch
        self._dtype = torch.promote_types(points.dtype, boxes.dtype)
        self.points, boxes = points.to(self._dtype).contiguous(), boxes.to(self._dtype).contiguous()
        self._rows = boxes.new_empty((len(boxes), _PREPARED), dtype=torch.float64)
        self._batches = tuple(None if value is None else value.contiguous() for value in (point_batch, box_batch))
        launch("points.prepare", self._dtype, len(boxes), boxes, self._rows, len(boxes), boxes.shape[1])

    def visit(self, kernel: str, count: int, *outputs: Tensor | None) -> None:
        shape = (len(self.points), self.points.shape[1], len(self._rows))
        self._launch(kernel, self._dtype, count, self.points, self._rows, *self._batches, *outputs, *shape)


def points_in_boxes(
    launch: Launch, points: Tensor, boxes: Tensor, point_batch: Tensor | None, box_batch: Tensor | None
) -> Tensor:
    """See :func:`bev3d_ops.registered._points.points_in_boxes`."""
    owner = points.new_empty(len(points), dtype=torch.int64)
    search = _Search(launch, points, boxes, point_batch, box_batch)
    search.visit("points.first_box", len(points), owner)
    return owner


def points_in_boxes_mask(
    launch: Launch, points: Tensor, boxes: Tensor, point_batch: Tensor | None, box_batch: Tensor | None
) -> Tensor:
    """See :func:`bev3d_ops.registered._points.points_in_boxes_mask`."""
    mask = points.new_empty((len(points), len(boxes)), dtype=torch.bool)
    search = _Search(launch, points, boxes, point_batch, box_batch)
    search.visit("points.box_mask", mask.numel(), mask)
    return mask


def count_points_in_boxes(
    launch: Launch, points: Tensor, boxes: Tensor, point_batch: Tensor | None, box_batch: Tensor | None
) -> Tensor:
    """See :func:`bev3d_ops.registered._points.count_points_in_boxes`."""
    per_box = points.new_zeros(len(boxes), dtype=torch.int64)
    search = _Search(launch, points, boxes, point_batch, box_batch)
    search.visit("points.count_pairs", len(points), None, per_box)
    return per_box


def points_in_boxes_pairs(
    launch: Launch, points: Tensor, boxes: Tensor, point_batch: Tensor | None, box_batch: Tensor | None
) -> Tensor:
    """See :func:`bev3d_ops.registered._points.points_in_boxes_pairs`. Waits once for their number."""
    per_point = points.new_empty(len(points), dtype=torch.int64)
    search = _Search(launch, points, boxes, point_batch, box_batch)
    search.visit("points.count_pairs", len(points), per_point, None)
    ends = per_point.cumsum(0)
    pairs = per_point.new_empty((int(ends[-1]) if len(ends) else 0, 2))
    search.visit("points.fill_pairs", len(points), ends, pairs)
    return pairs
