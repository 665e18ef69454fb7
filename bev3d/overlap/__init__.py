"""Exact overlap of rotated boxes."""

from bev3d.overlap._pairwise import pairwise_intersection_bev, pairwise_iou_3d, pairwise_iou_bev

__all__ = ["pairwise_intersection_bev", "pairwise_iou_3d", "pairwise_iou_bev"]
