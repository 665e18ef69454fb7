"""Numbers of other code bases, their mistakes included, so that a training can move here and be compared step by step.

Each function says in one line what is wrong with it and what to use instead. Nothing else in the library uses them.
"""

from bev3d.compat._boxes import axis_aligned_iou_3d, nearest_bev_iou, openpcdet_corner_loss
from bev3d.compat._heatmap import (
    centerpoint_fast_focal_loss,
    centerpoint_reg_loss,
    clamped_sigmoid,
    mmdet3d_gaussian_focal_loss,
    openpcdet_heatmap_focal_loss,
    openpcdet_reg_loss,
)
from bev3d.compat._sigmoid_focal import openpcdet_sigmoid_focal_loss

__all__ = [
    "axis_aligned_iou_3d",
    "centerpoint_fast_focal_loss",
    "centerpoint_reg_loss",
    "clamped_sigmoid",
    "mmdet3d_gaussian_focal_loss",
    "nearest_bev_iou",
    "openpcdet_corner_loss",
    "openpcdet_heatmap_focal_loss",
    "openpcdet_reg_loss",
    "openpcdet_sigmoid_focal_loss",
]
