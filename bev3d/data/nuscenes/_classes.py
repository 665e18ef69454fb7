"""The ten detection classes of nuScenes and the categories that count as them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["DETECTION_CLASSES", "DETECTION_CLASS_OF_CATEGORY"]

DETECTION_CLASSES = (
    "car",
    "truck",
    "bus",
    "trailer",
    "construction_vehicle",
    "pedestrian",
    "motorcycle",
    "bicycle",
    "traffic_cone",
    "barrier",
)

# Pedestrians on wheels (wheelchair, stroller, personal mobility), emergency vehicles, animals, debris, pushable
# objects and bicycle racks belong to no detection class.
DETECTION_CLASS_OF_CATEGORY: Mapping[str, str] = MappingProxyType(
    {
        "human.pedestrian.adult": "pedestrian",
        "human.pedestrian.child": "pedestrian",
        "human.pedestrian.construction_worker": "pedestrian",
        "human.pedestrian.police_officer": "pedestrian",
        "movable_object.barrier": "barrier",
        "movable_object.trafficcone": "traffic_cone",
        "vehicle.bicycle": "bicycle",
        "vehicle.bus.bendy": "bus",
        "vehicle.bus.rigid": "bus",
        "vehicle.car": "car",
        "vehicle.construction": "construction_vehicle",
        "vehicle.motorcycle": "motorcycle",
        "vehicle.trailer": "trailer",
        "vehicle.truck": "truck",
    }
)
