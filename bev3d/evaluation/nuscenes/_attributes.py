"""Attributes of detections, guessed from class and speed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bev3d.data import DETECTION_CLASSES

__all__ = ["ATTRIBUTE_NAMES", "attribute_indices", "attribute_name"]

MOVING_M_PER_S = 0.2
"""Speed above which something counts as moving; the ground truth's velocities of parked cars stay below it."""

ATTRIBUTE_NAMES = (
    "vehicle.moving",
    "vehicle.parked",
    "vehicle.stopped",
    "pedestrian.moving",
    "pedestrian.standing",
    "pedestrian.sitting_lying_down",
    "cycle.with_rider",
    "cycle.without_rider",
)

_SLOW_AND_FAST: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "car": ("vehicle.parked", "vehicle.moving"),
        "truck": ("vehicle.parked", "vehicle.moving"),
        "bus": ("vehicle.stopped", "vehicle.moving"),
        "trailer": ("vehicle.parked", "vehicle.moving"),
        "construction_vehicle": ("vehicle.parked", "vehicle.moving"),
        "pedestrian": ("pedestrian.standing", "pedestrian.moving"),
        "motorcycle": ("cycle.without_rider", "cycle.with_rider"),
        "bicycle": ("cycle.without_rider", "cycle.with_rider"),
        "traffic_cone": ("", ""),
        "barrier": ("", ""),
    }
)
_INDICES = np.array(
    [[ATTRIBUTE_NAMES.index(n) if n else -1 for n in _SLOW_AND_FAST[name]] for name in DETECTION_CLASSES]
)


def attribute_name(class_name: str, speed_m_per_s: float) -> str:
    """The likelier attribute of a class at a speed; empty for cones and barriers, which have none."""
    slow, fast = _SLOW_AND_FAST[class_name]
    return fast if speed_m_per_s > MOVING_M_PER_S else slow


def attribute_indices(labels: NDArray[np.int64], speeds_m_per_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """The same for (N,) indices of the ten classes and (N,) speeds: indices of attributes, -1 for none."""
    return _INDICES[labels, (speeds_m_per_s > MOVING_M_PER_S).astype(np.int64)]
