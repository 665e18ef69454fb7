"""Exact overlap of rotated boxes."""

from bev3d.overlap._aligned import iou_3d, iou_bev
from bev3d.overlap._batched import (
    BatchedOverlap,
    batched_pairwise_intersection_bev,
    batched_pairwise_iou_3d,
    batched_pairwise_iou_bev,
)
from bev3d.overlap._enclosing import ciou_3d, ciou_bev, diou_3d, diou_bev, eiou_3d, eiou_bev, giou_3d, giou_bev
from bev3d.overlap._matched import matched_overlap
from bev3d.overlap._pairwise import pairwise_intersection_bev, pairwise_iou_3d, pairwise_iou_bev

__all__ = [
    "BatchedOverlap",
    "batched_pairwise_intersection_bev",
    "batched_pairwise_iou_3d",
    "batched_pairwise_iou_bev",
    "ciou_3d",
    "ciou_bev",
    "diou_3d",
    "diou_bev",
    "eiou_3d",
    "eiou_bev",
    "giou_3d",
    "giou_bev",
    "iou_3d",
    "iou_bev",
    "matched_overlap",
    "pairwise_intersection_bev",
    "pairwise_iou_3d",
    "pairwise_iou_bev",
]
