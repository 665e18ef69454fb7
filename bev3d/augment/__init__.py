"""Augmentation: scenes moved, thinned and filled with objects of others, and class-balanced resampling."""

from bev3d.augment._augmentation import Augmentation, AugmentedScene
from bev3d.augment._build import build_database
from bev3d.augment._class_balance import class_balanced_indices
from bev3d.augment._database import PasteDatabase
from bev3d.augment._paste import ObjectPaste, Pasted, paste
from bev3d.augment._points import drop_object_points, drop_points, shuffle_points
from bev3d.augment._scene import flip_scene, rotate_scene, scale_scene, translate_scene
from bev3d.augment._settings import (
    CENTERPOINT_NUSCENES,
    CENTERPOINT_NUSCENES_COARSE,
    CENTERPOINT_NUSCENES_COUNTS,
    OPENPCDET_KITTI,
    OPENPCDET_KITTI_COUNTS,
    OPENPCDET_SECOND_COUNTS,
    AugmentSettings,
    published_augmentation,
    settings_from_config,
)

__all__ = [
    "CENTERPOINT_NUSCENES",
    "CENTERPOINT_NUSCENES_COARSE",
    "CENTERPOINT_NUSCENES_COUNTS",
    "OPENPCDET_KITTI",
    "OPENPCDET_KITTI_COUNTS",
    "OPENPCDET_SECOND_COUNTS",
    "AugmentSettings",
    "Augmentation",
    "AugmentedScene",
    "ObjectPaste",
    "PasteDatabase",
    "Pasted",
    "build_database",
    "class_balanced_indices",
    "drop_object_points",
    "drop_points",
    "flip_scene",
    "paste",
    "published_augmentation",
    "rotate_scene",
    "scale_scene",
    "settings_from_config",
    "shuffle_points",
    "translate_scene",
]
