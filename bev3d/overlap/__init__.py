"""Exact overlap of rotated boxes."""

from bev3d.overlap._aligned import iou_3d, iou_bev
from bev3d.overlap._enclosing import diou_3d, diou_bev, giou_3d, giou_bev
from bev3d.overlap._pairwise import pairwise_intersection_bev, pairwise_iou_3d, pairwise_iou_bev

__all__ = [
    "diou_3d",
    "diou_bev",
    "giou_3d",
    "giou_bev",
    "iou_3d",
    "iou_bev",
    "pairwise_intersection_bev",
    "pairwise_iou_3d",
    "pairwise_iou_bev",
]
