"""What each figure of the guide shows: functions without arguments that return panels."""

from bev3d.guide.figures._differences import gather, heading, likelihood, regression
from bev3d.guide.figures._overlaps import box_iou_2d, corner, gaussian_box, rotated_iou, special_iou
from bev3d.guide.figures._regions import boundary, lovasz, sets, together
from bev3d.guide.figures._scores import anchors, classification, heatmap, quality

__all__ = [
    "anchors",
    "boundary",
    "box_iou_2d",
    "classification",
    "corner",
    "gather",
    "gaussian_box",
    "heading",
    "heatmap",
    "likelihood",
    "lovasz",
    "quality",
    "regression",
    "rotated_iou",
    "sets",
    "special_iou",
    "together",
]
