"""Boxes: their columns, corners, motions; ``bev3d.boxes.convert`` leads to and from other systems."""

from bev3d.boxes._angle import wrap_angle
from bev3d.boxes._corners import corners_3d, corners_bev
from bev3d.boxes._layout import Box
from bev3d.boxes._transform import flip_boxes, scale_boxes, transform_boxes

__all__ = ["Box", "corners_3d", "corners_bev", "flip_boxes", "scale_boxes", "transform_boxes", "wrap_angle"]
