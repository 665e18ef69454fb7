"""Amounts of augmentation, and the published ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from bev3d.augment._points import check_fraction
from bev3d.config import Config

__all__ = [
    "CENTERPOINT_NUSCENES",
    "CENTERPOINT_NUSCENES_COARSE",
    "CENTERPOINT_NUSCENES_COUNTS",
    "OPENPCDET_KITTI",
    "OPENPCDET_KITTI_COUNTS",
    "OPENPCDET_SECOND_COUNTS",
    "AugmentSettings",
    "published_augmentation",
    "settings_from_config",
]


FINE_M = 0.1  # voxels below it: the published setting of 0.075 m


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """How much a scene is changed; the defaults change nothing."""

    flip_axes: tuple[Literal["x", "y"], ...] = ()
    """Coordinates whose sign changes, each with probability one half."""
    rotate_rad: float = 0.0
    """About z, uniform in ± this."""
    scale_range: float = 0.0
    """About the origin, by a factor uniform in 1 ± this."""
    translate_std_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Standard deviations of a normal shift along x, y, z."""
    drop_fraction: float = 0.0
    """Probability that a point is left out."""
    object_drop_fraction: float = 0.0
    """Probability that a point inside a box is left out."""
    shuffle: bool = False
    """Whether the points come in a random order."""

    def __post_init__(self) -> None:
        if any(axis not in ("x", "y") for axis in self.flip_axes) or len(set(self.flip_axes)) != len(self.flip_axes):
            raise ValueError(f"flip_axes: expected 'x' and 'y', each once at most, got {self.flip_axes}")
        if not 0 <= self.rotate_rad < math.inf:
            raise ValueError(f"rotate_rad: expected a number >= 0, got {self.rotate_rad}")
        if not 0 <= self.scale_range < 1:
            raise ValueError(f"scale_range: expected a number in [0, 1), got {self.scale_range}")
        shifts = self.translate_std_m
        if len(shifts) != 3 or not all(0 <= shift < math.inf for shift in shifts):
            raise ValueError(f"translate_std_m: expected three numbers >= 0, got {shifts}")
        check_fraction("drop_fraction", self.drop_fraction)
        check_fraction("object_drop_fraction", self.object_drop_fraction)


CENTERPOINT_NUSCENES = AugmentSettings(
    flip_axes=("x", "y"),
    rotate_rad=math.pi / 4,
    scale_range=0.05,
    translate_std_m=(0.5, 0.5, 0.5),
    shuffle=True,
)
"""CenterPoint on nuScenes, voxels of 0.075 m (Yin et al. 2021, arXiv:2006.11275, and its published settings).
OpenPCDet scales by 1 ± 0.1."""

CENTERPOINT_NUSCENES_COARSE = replace(CENTERPOINT_NUSCENES, rotate_rad=0.3925, translate_std_m=(0.0, 0.0, 0.0))
"""The same with voxels of 0.1 m or pillars of 0.2 m: half the turn, and no shift."""

OPENPCDET_KITTI = AugmentSettings(flip_axes=("y",), rotate_rad=math.pi / 4, scale_range=0.05, shuffle=True)
"""SECOND and PointPillars on KITTI as OpenPCDet trains them. KITTI looks forward along x, so x is never mirrored."""

CENTERPOINT_NUSCENES_COUNTS: Mapping[str, int] = MappingProxyType(
    {
        "car": 2, "truck": 3, "construction_vehicle": 7, "bus": 4, "trailer": 6,
        "barrier": 2, "motorcycle": 6, "bicycle": 6, "pedestrian": 2, "traffic_cone": 2,
    }
)  # fmt: skip
"""Objects by class up to which scenes are filled (CBGS, Zhu et al. 2019, arXiv:1908.09492; CenterPoint, OpenPCDet)."""

OPENPCDET_KITTI_COUNTS: Mapping[str, int] = MappingProxyType({"Car": 15, "Pedestrian": 15, "Cyclist": 15})
"""Objects by class that PointPillars in OpenPCDet adds to a scene, whatever it holds (``fill_up=False``)."""

OPENPCDET_SECOND_COUNTS: Mapping[str, int] = MappingProxyType({"Car": 20, "Pedestrian": 15, "Cyclist": 15})
"""Objects by class up to which SECOND in OpenPCDet fills a scene (its ``LIMIT_WHOLE_SCENE``)."""


def settings_from_config(config: Config) -> AugmentSettings:
    """What ``config`` says: ``flip``, ``rotate_rad``, ``scale_range``, ``translate_std_m``, ``point_drop`` and so on.

    KITTI looks forward along x, so only y is mirrored there.
    """
    axes: tuple[Literal["x", "y"], ...] = ("y",) if config.dataset == "kitti" else ("x", "y")
    return AugmentSettings(
        flip_axes=axes if config.flip else (),
        rotate_rad=config.rotate_rad,
        scale_range=config.scale_range,
        translate_std_m=config.translate_std_m,
        drop_fraction=config.point_drop,
        object_drop_fraction=config.object_point_drop,
        shuffle=config.shuffle_points,
    )


def published_augmentation(config: Config) -> dict[str, Any]:
    """Settings by name with which the published detectors of the config's data set are trained.

    nuScenes: :data:`CENTERPOINT_NUSCENES` where voxels are finer than 0.1 m, else
    :data:`CENTERPOINT_NUSCENES_COARSE`; filled up to :data:`CENTERPOINT_NUSCENES_COUNTS`, class-balanced. KITTI:
    :data:`OPENPCDET_KITTI`, without objects harder than hard; with voxels, which is SECOND, filled up to
    :data:`OPENPCDET_SECOND_COUNTS`, with pillars :data:`OPENPCDET_KITTI_COUNTS` added to every scene. Classes that the
    publication does not have are not pasted.

    Returns:
        For ``dataclasses.replace(config, **published_augmentation(config))``, or to be written into a preset.
    """
    is_kitti, is_second = config.dataset == "kitti", config.dataset == "kitti" and config.encoder == "voxels"
    if is_kitti:
        settings, counts = OPENPCDET_KITTI, OPENPCDET_SECOND_COUNTS if is_second else OPENPCDET_KITTI_COUNTS
    else:
        settings = CENTERPOINT_NUSCENES if config.voxel_size_m[0] < FINE_M else CENTERPOINT_NUSCENES_COARSE
        counts = CENTERPOINT_NUSCENES_COUNTS
    return {
        "flip": bool(settings.flip_axes),
        "rotate_rad": settings.rotate_rad,
        "scale_range": settings.scale_range,
        "translate_std_m": settings.translate_std_m,
        "point_drop": settings.drop_fraction,
        "object_point_drop": settings.object_drop_fraction,
        "shuffle_points": settings.shuffle,
        "class_balanced": not is_kitti,
        "paste_counts": tuple(counts.get(name, 0) for name in config.class_names),
        "paste_fill_up": not is_kitti or is_second,
        "paste_min_points": (5,),
        "paste_difficulties": (0, 1, 2) if is_kitti else (),
    }
