"""Losses: a function each, unreduced by default, and a module of the same name that reduces."""

from bev3d.losses._binary_cross_entropy import BinaryCrossEntropy, binary_cross_entropy
from bev3d.losses._composite import CompositeLoss, CompositeResult
from bev3d.losses._corner import CornerLoss, corner_loss
from bev3d.losses._cross_entropy import CrossEntropy, cross_entropy
from bev3d.losses._focal import FocalLoss, SoftmaxFocalLoss, focal_loss, softmax_focal_loss
from bev3d.losses._gather_regression import GatherRegressionLoss, gather_regression_loss
from bev3d.losses._heatmap_focal import HeatmapFocalLoss, heatmap_focal_loss
from bev3d.losses._normalise import num_pos
from bev3d.losses._quality_focal import (
    DistributionFocalLoss,
    GeneralizedFocalLoss,
    QualityFocalLoss,
    VarifocalLoss,
    distribution_focal_loss,
    generalized_focal_loss,
    quality_focal_loss,
    varifocal_loss,
)
from bev3d.losses._rotated_iou import RotatedIouLoss, rotated_iou_loss

__all__ = [
    "BinaryCrossEntropy",
    "CompositeLoss",
    "CompositeResult",
    "CornerLoss",
    "CrossEntropy",
    "DistributionFocalLoss",
    "FocalLoss",
    "GatherRegressionLoss",
    "GeneralizedFocalLoss",
    "HeatmapFocalLoss",
    "QualityFocalLoss",
    "RotatedIouLoss",
    "SoftmaxFocalLoss",
    "VarifocalLoss",
    "binary_cross_entropy",
    "corner_loss",
    "cross_entropy",
    "distribution_focal_loss",
    "focal_loss",
    "gather_regression_loss",
    "generalized_focal_loss",
    "heatmap_focal_loss",
    "num_pos",
    "quality_focal_loss",
    "rotated_iou_loss",
    "softmax_focal_loss",
    "varifocal_loss",
]
