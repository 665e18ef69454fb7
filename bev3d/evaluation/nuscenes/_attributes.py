"""Attributes of detections, guessed from class and speed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ATTRIBUTE_NAMES", "attribute_name"]

MOVING_M_PER_S = 0.2
"""Speed above which something counts as moving; the ground truth's velocities of parked cars stay below it."""

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
ATTRIBUTE_NAMES = frozenset(name for pair in _SLOW_AND_FAST.values() for name in pair if name) | {
    "pedestrian.sitting_lying_down"
}


def attribute_name(class_name: str, speed_m_per_s: float) -> str:
    """The likelier attribute of a class at a speed; empty for cones and barriers, which have none."""
    slow, fast = _SLOW_AND_FAST[class_name]
    return fast if speed_m_per_s > MOVING_M_PER_S else slow
