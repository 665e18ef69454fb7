"""Points in boxes in plain torch: every point with every box, in float64."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["count_points_in_boxes", "points_in_boxes", "points_in_boxes_mask", "points_in_boxes_pairs"]


def points_in_boxes_mask(
    points: Tensor, boxes: Tensor, point_batch: Tensor | None = None, box_batch: Tensor | None = None
) -> Tensor:
    """Whether each closed box holds each point.

        |dx cos + dy sin| <= length / 2,    |dy cos - dx sin| <= width / 2,    |dz| <= height / 2

    Args:
        points: (P, >= 3).
        boxes: (N, >= 7); a box with a NaN, an infinity or a negative size holds nothing.
        point_batch, box_batch: (P,) and (N,) int64 samples, or None: points and boxes meet within a sample only.

    Returns:
        (P, N) bool.
    """
    points, boxes = points[:, :3].double(), boxes[:, :7].double()
    shift = points[:, None] - boxes[None, :, :3]
    c, s = boxes[:, 6].cos(), boxes[:, 6].sin()
    along = shift[..., 0] * c + shift[..., 1] * s
    across = shift[..., 1] * c - shift[..., 0] * s
    local = torch.stack([along, across, shift[..., 2]], dim=-1)
    mask = (local.abs() <= boxes[None, :, 3:6] / 2).all(dim=-1) & boxes.isfinite().all(dim=-1)
    if point_batch is not None and box_batch is not None:
        mask = mask & (point_batch[:, None] == box_batch[None])
    return mask


def points_in_boxes(
    points: Tensor, boxes: Tensor, point_batch: Tensor | None = None, box_batch: Tensor | None = None
) -> Tensor:
    """Lowest index of a box that holds each point, or -1: (P,) int64. Arguments as the mask's."""
    mask = points_in_boxes_mask(points, boxes, point_batch, box_batch)
    none = mask.new_zeros((len(mask), 1))
    first = torch.cat([mask, ~none], dim=1).int().argmax(dim=1)
    return torch.where(first < len(boxes), first, -1)


def points_in_boxes_pairs(
    points: Tensor, boxes: Tensor, point_batch: Tensor | None = None, box_batch: Tensor | None = None
) -> Tensor:
    """Every point and box that holds it, (K, 2) int64, by point and then by box. Arguments as the mask's."""
    return points_in_boxes_mask(points, boxes, point_batch, box_batch).nonzero()


def count_points_in_boxes(
    points: Tensor, boxes: Tensor, point_batch: Tensor | None = None, box_batch: Tensor | None = None
) -> Tensor:
    """Points of each box, (N,) int64. Arguments as the mask's."""
    return points_in_boxes_mask(points, boxes, point_batch, box_batch).sum(dim=0)
