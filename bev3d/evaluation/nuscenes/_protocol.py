"""Constants of ``detection_cvpr_2019``, the configuration of the nuScenes detection benchmark."""

from __future__ import annotations

from bev3d.data import DETECTION_CLASSES

__all__ = [
    "CLASS_RANGES_M",
    "DISTANCES_M",
    "ERROR_DISTANCE_M",
    "HALF_TURN_CLASSES",
    "MEAN_AP_WEIGHT",
    "MIN_PRECISION",
    "MIN_RECALL",
    "NO_ERRORS",
    "OFFICIAL_SPLITS",
    "RACKED_CLASSES",
    "TP_ERRORS",
]

_RANGES_M = {"pedestrian": 40.0, "motorcycle": 40.0, "bicycle": 40.0, "traffic_cone": 30.0, "barrier": 30.0}
CLASS_RANGES_M = tuple(_RANGES_M.get(name, 50.0) for name in DETECTION_CLASSES)
DISTANCES_M = (0.5, 1.0, 2.0, 4.0)
ERROR_DISTANCE_M = 2.0
MIN_RECALL = 0.1
MIN_PRECISION = 0.1
MEAN_AP_WEIGHT = 5

TP_ERRORS = ("trans_err", "scale_err", "orient_err", "vel_err", "attr_err")
NO_ERRORS = {"traffic_cone": ("orient_err", "vel_err", "attr_err"), "barrier": ("vel_err", "attr_err")}
"""Errors that mean nothing for a class and are NaN there."""

HALF_TURN_CLASSES = ("barrier",)
"""Classes whose front cannot be told from their back."""

RACKED_CLASSES = ("bicycle", "motorcycle")
"""Classes of which boxes in a bicycle rack do not count: nobody annotated them one by one."""

OFFICIAL_SPLITS = ("train", "val", "test", "mini_train", "mini_val", "train_detect", "train_track")
