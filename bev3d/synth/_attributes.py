"""Categories, attributes and visibility levels of nuScenes."""

from __future__ import annotations

import math
from typing import Any

from bev3d.synth._tokens import token
from bev3d.synth._world import World

__all__ = ["attribute", "attribute_rows", "category_rows", "visibility_rows", "visibility_token"]

CATEGORIES = (
    "human.pedestrian.adult", "human.pedestrian.child", "human.pedestrian.wheelchair", "human.pedestrian.stroller",
    "human.pedestrian.personal_mobility", "human.pedestrian.police_officer", "human.pedestrian.construction_worker",
    "animal", "vehicle.car", "vehicle.motorcycle", "vehicle.bicycle", "vehicle.bus.bendy", "vehicle.bus.rigid",
    "vehicle.truck", "vehicle.construction", "vehicle.emergency.ambulance", "vehicle.emergency.police",
    "vehicle.trailer", "movable_object.barrier", "movable_object.trafficcone", "movable_object.pushable_pullable",
    "movable_object.debris", "static_object.bicycle_rack",
)  # fmt: skip
ATTRIBUTES = (
    "vehicle.moving", "vehicle.stopped", "vehicle.parked", "cycle.with_rider", "cycle.without_rider",
    "pedestrian.sitting_lying_down", "pedestrian.standing", "pedestrian.moving",
)  # fmt: skip
VISIBILITIES = ((0, 40), (40, 60), (60, 80), (80, 100))  # per cent, tokens 1 to 4
MOVING_SPEED = 0.2  # metres a second


def attribute(world: World, index: int) -> str:
    """Attribute of an annotated object, "" for a class that has none."""
    kind = world.kinds[index]
    moves = bool(world.bodies[index, 3] > MOVING_SPEED)
    if kind.family == "vehicle":
        return "vehicle.moving" if moves else "vehicle.parked" if world.resting[index] else "vehicle.stopped"
    if kind.family == "cycle":
        return "cycle.with_rider" if kind.kitti == "Cyclist" else "cycle.without_rider"
    if kind.family == "pedestrian":
        if kind.kitti == "Person_sitting":
            return "pedestrian.sitting_lying_down"
        return "pedestrian.moving" if moves else "pedestrian.standing"
    return ""


def visibility_token(share: float) -> str:
    """Token of the visibility level; an object outside the sensor's field (NaN) counts as hidden."""
    if math.isnan(share):
        return "1"
    return str(1 + sum(100.0 * share >= low for low, _ in VISIBILITIES[1:]))


def category_rows(seed: int) -> list[dict[str, Any]]:
    """Rows of the table category."""
    return [{"token": token(seed, "category", name), "name": name, "description": ""} for name in CATEGORIES]


def attribute_rows(seed: int) -> list[dict[str, Any]]:
    """Rows of the table attribute."""
    return [{"token": token(seed, "attribute", name), "name": name, "description": ""} for name in ATTRIBUTES]


def visibility_rows() -> list[dict[str, Any]]:
    """Rows of the table visibility."""
    return [
        {
            "token": str(i + 1),
            "level": f"v{low}-{high}",
            "description": f"visibility of whole object is between {low} and {high}%",
        }
        for i, (low, high) in enumerate(VISIBILITIES)
    ]
