"""Losses: a function each, unreduced by default, and a module of the same name that reduces."""

from bev3d.losses._binary_cross_entropy import BinaryCrossEntropy, binary_cross_entropy
from bev3d.losses._boundary import BoundaryLoss, boundary_iou, boundary_loss, signed_distance_map, unet_border_weights
from bev3d.losses._box_iou_2d import BoxIouLoss2d, box_iou_loss_2d
from bev3d.losses._centerness import CenternessLoss, ObjectnessLoss, centerness_loss, centerness_target, objectness_loss
from bev3d.losses._composite import CompositeLoss, CompositeResult
from bev3d.losses._corner import CornerLoss, corner_loss
from bev3d.losses._cross_entropy import CrossEntropy, cross_entropy
from bev3d.losses._focal import FocalLoss, SoftmaxFocalLoss, focal_loss, softmax_focal_loss
from bev3d.losses._gather_regression import GatherRegressionLoss, gather_regression_loss
from bev3d.losses._gathered_focal import GatheredHeatmapFocalLoss, gathered_heatmap_focal_loss
from bev3d.losses._gaussian_box import GaussianBoxLoss, gaussian_box_loss
from bev3d.losses._ghm import GhmClassificationLoss, GhmRegressionLoss, ghm_classification_loss, ghm_regression_loss
from bev3d.losses._heading import (
    DirectionLoss,
    SinCosLoss,
    SinDifferenceLoss,
    VelocityLoss,
    direction_loss,
    direction_targets,
    sin_cos_loss,
    sin_difference_loss,
    velocity_loss,
)
from bev3d.losses._heading_bins import BinResidualLoss, MultibinLoss, bin_residual_loss, multibin_loss
from bev3d.losses._heatmap_focal import HeatmapFocalLoss, heatmap_focal_loss
from bev3d.losses._iou_quality import iou_quality_target
from bev3d.losses._likelihood import (
    GaussianNllLoss,
    LaplaceNllLoss,
    UncertaintySmoothL1Loss,
    gaussian_nll_loss,
    laplace_nll_loss,
    uncertainty_smooth_l1_loss,
)
from bev3d.losses._lovasz import LovaszHingeLoss, LovaszSoftmaxLoss, lovasz_hinge_loss, lovasz_softmax_loss
from bev3d.losses._mgiou import Mgiou3dLoss, mgiou_3d_loss
from bev3d.losses._mining import MultiboxLoss, hard_negative_mining, multibox_loss
from bev3d.losses._normalise import num_elements, num_pos, num_pos_per_sample, sum_quality
from bev3d.losses._odiou import OdiouLoss, odiou_loss
from bev3d.losses._presets import centerpoint_preset, cross_entropy_dice_preset, focal_tversky_preset, second_preset
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
from bev3d.losses._rdiou import RdiouLoss, rdiou_loss
from bev3d.losses._regression import (
    BalancedL1Loss,
    FocalL1Loss,
    HuberLoss,
    L1Loss,
    L2Loss,
    SmoothL1Loss,
    balanced_l1_loss,
    focal_l1_loss,
    huber_loss,
    l1_loss,
    l2_loss,
    smooth_l1_loss,
)
from bev3d.losses._rotated_iou import RotatedIouLoss, rotated_iou_loss
from bev3d.losses._seesaw import SeesawLoss, seesaw_loss
from bev3d.losses._sets import DiceLoss, JaccardLoss, LogDiceLoss, dice_loss, jaccard_loss, log_dice_loss
from bev3d.losses._tversky import FocalTverskyLoss, TverskyLoss, focal_tversky_loss, tversky_loss
from bev3d.losses._uncertainty import UncertaintyWeighting

__all__ = [
    "BalancedL1Loss",
    "BinResidualLoss",
    "BinaryCrossEntropy",
    "BoundaryLoss",
    "BoxIouLoss2d",
    "CenternessLoss",
    "CompositeLoss",
    "CompositeResult",
    "CornerLoss",
    "CrossEntropy",
    "DiceLoss",
    "DirectionLoss",
    "DistributionFocalLoss",
    "FocalL1Loss",
    "FocalLoss",
    "FocalTverskyLoss",
    "GatherRegressionLoss",
    "GatheredHeatmapFocalLoss",
    "GaussianBoxLoss",
    "GaussianNllLoss",
    "GeneralizedFocalLoss",
    "GhmClassificationLoss",
    "GhmRegressionLoss",
    "HeatmapFocalLoss",
    "HuberLoss",
    "JaccardLoss",
    "L1Loss",
    "L2Loss",
    "LaplaceNllLoss",
    "LogDiceLoss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "Mgiou3dLoss",
    "MultibinLoss",
    "MultiboxLoss",
    "ObjectnessLoss",
    "OdiouLoss",
    "QualityFocalLoss",
    "RdiouLoss",
    "RotatedIouLoss",
    "SeesawLoss",
    "SinCosLoss",
    "SinDifferenceLoss",
    "SmoothL1Loss",
    "SoftmaxFocalLoss",
    "TverskyLoss",
    "UncertaintySmoothL1Loss",
    "UncertaintyWeighting",
    "VarifocalLoss",
    "VelocityLoss",
    "balanced_l1_loss",
    "bin_residual_loss",
    "binary_cross_entropy",
    "boundary_iou",
    "boundary_loss",
    "box_iou_loss_2d",
    "centerness_loss",
    "centerness_target",
    "centerpoint_preset",
    "corner_loss",
    "cross_entropy",
    "cross_entropy_dice_preset",
    "dice_loss",
    "direction_loss",
    "direction_targets",
    "distribution_focal_loss",
    "focal_l1_loss",
    "focal_loss",
    "focal_tversky_loss",
    "focal_tversky_preset",
    "gather_regression_loss",
    "gathered_heatmap_focal_loss",
    "gaussian_box_loss",
    "gaussian_nll_loss",
    "generalized_focal_loss",
    "ghm_classification_loss",
    "ghm_regression_loss",
    "hard_negative_mining",
    "heatmap_focal_loss",
    "huber_loss",
    "iou_quality_target",
    "jaccard_loss",
    "l1_loss",
    "l2_loss",
    "laplace_nll_loss",
    "log_dice_loss",
    "lovasz_hinge_loss",
    "lovasz_softmax_loss",
    "mgiou_3d_loss",
    "multibin_loss",
    "multibox_loss",
    "num_elements",
    "num_pos",
    "num_pos_per_sample",
    "objectness_loss",
    "odiou_loss",
    "quality_focal_loss",
    "rdiou_loss",
    "rotated_iou_loss",
    "second_preset",
    "seesaw_loss",
    "signed_distance_map",
    "sin_cos_loss",
    "sin_difference_loss",
    "smooth_l1_loss",
    "softmax_focal_loss",
    "sum_quality",
    "tversky_loss",
    "uncertainty_smooth_l1_loss",
    "unet_border_weights",
    "varifocal_loss",
    "velocity_loss",
]
