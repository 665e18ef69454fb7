"""Losses: a function each, unreduced by default, and a module of the same name that reduces."""

from bev3d.losses._binary_cross_entropy import BinaryCrossEntropy, binary_cross_entropy
from bev3d.losses._composite import CompositeLoss, CompositeResult
from bev3d.losses._corner import CornerLoss, corner_loss
from bev3d.losses._gather_regression import GatherRegressionLoss, gather_regression_loss
from bev3d.losses._heatmap_focal import HeatmapFocalLoss, heatmap_focal_loss
from bev3d.losses._normalise import num_pos
from bev3d.losses._rotated_iou import RotatedIouLoss, rotated_iou_loss

__all__ = [
    "BinaryCrossEntropy",
    "CompositeLoss",
    "CompositeResult",
    "CornerLoss",
    "GatherRegressionLoss",
    "HeatmapFocalLoss",
    "RotatedIouLoss",
    "binary_cross_entropy",
    "corner_loss",
    "gather_regression_loss",
    "heatmap_focal_loss",
    "num_pos",
    "rotated_iou_loss",
]
