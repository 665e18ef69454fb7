"""Losses as published detectors and segmenters combine them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bev3d._check import check_choice
from bev3d.losses._composite import CompositeLoss
from bev3d.losses._cross_entropy import CrossEntropy
from bev3d.losses._focal import FocalLoss, SoftmaxFocalLoss
from bev3d.losses._gather_regression import GatherRegressionLoss
from bev3d.losses._heading import DirectionLoss, sin_difference_loss
from bev3d.losses._heatmap_focal import HeatmapFocalLoss
from bev3d.losses._inputs import check_prediction
from bev3d.losses._known import ElementwiseModule
from bev3d.losses._reduce import Reduction, reduce_loss
from bev3d.losses._regression import LIDAR_BETA, smooth_l1_loss
from bev3d.losses._sets import DiceLoss
from bev3d.losses._tversky import TverskyLoss

__all__ = ["centerpoint_preset", "cross_entropy_dice_preset", "focal_tversky_preset", "second_preset"]

_NAMES = ("offset", "height", "log_size", "heading")


def centerpoint_preset(dataset: Literal["nuscenes", "waymo"] = "nuscenes") -> CompositeLoss:
    """CenterPoint (Yin et al., CVPR 2021, 2006.11275): heatmap focal + w regression.

    w is 0.25 on nuScenes and 2 on Waymo; the components weigh 1, the velocity (nuScenes only) 0.2.

    Call it with ``{"heatmap": {"pred", "target", "avg_factor"}, "regression": {"pred", "target", "cell_index",
    "mask", "avg_factor"}}``, or a list of those with one for each task; ``avg_factor`` is :func:`num_pos` of the mask.
    """
    check_choice("dataset", dataset, ("nuscenes", "waymo"))
    weights = dict.fromkeys(_NAMES, 1.0)
    if dataset == "nuscenes":
        weights["velocity"] = 0.2
    weight = 0.25 if dataset == "nuscenes" else 2.0
    return CompositeLoss({"heatmap": (HeatmapFocalLoss(), 1.0), "regression": (GatherRegressionLoss(weights), weight)})


def second_preset() -> CompositeLoss:
    """SECOND and PointPillars (Yan et al., Sensors 2018; Lang et al., CVPR 2019, 1812.05784): 1, 2 and 0.2.

    Focal loss of the anchors' classes, smooth L1 (beta 1/9) of the encoded boxes with the sine of the difference for
    the yaw, cross entropy of the direction's sector.

    Call it with ``{"classification": {"pred": (N, C), "target": (N, C)}, "location": {"pred": (P, 7), "target":
    (P, 7)}, "direction": {"pred": (P, 2), "target": (P,) yaw}}``, each with ``"avg_factor"``, the number of positives.
    """
    return CompositeLoss(
        {
            "classification": (FocalLoss(), 1.0),
            "location": (_AnchorBoxLoss(), 2.0),
            "direction": (DirectionLoss(), 0.2),
        }
    )


def cross_entropy_dice_preset(dice_weight: float = 1.0) -> CompositeLoss:
    """Cross entropy + lambda Dice, the usual loss of segmentation; call with {"cross_entropy": ..., "dice": ...}."""
    return CompositeLoss({"cross_entropy": (CrossEntropy(), 1.0), "dice": (DiceLoss(ignore_index=-1), dice_weight)})


def focal_tversky_preset(tversky_weight: float = 1.0) -> CompositeLoss:
    """Softmax focal loss + lambda Tversky, for rare classes; call with {"focal": ..., "tversky": ...}."""
    return CompositeLoss(
        {"focal": (SoftmaxFocalLoss(), 1.0), "tversky": (TverskyLoss(ignore_index=-1), tversky_weight)}
    )


def _anchor_box_loss(pred: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    """Smooth L1 of encoded boxes (..., 7), of the last component's sine."""
    check_prediction("pred", pred)
    if pred.ndim < 1 or pred.shape[-1] != 7 or target.shape != pred.shape:
        raise ValueError(f"pred, target: expected one shape (..., 7), got {tuple(pred.shape)}, {tuple(target.shape)}")
    place = smooth_l1_loss(pred[..., :6], target[..., :6], beta=LIDAR_BETA)
    heading = sin_difference_loss(pred[..., 6:], target[..., 6:], beta=LIDAR_BETA)
    return reduce_loss(torch.cat([place, heading], dim=-1), reduction)


class _AnchorBoxLoss(ElementwiseModule):
    def __init__(self) -> None:
        super().__init__(_anchor_box_loss)
