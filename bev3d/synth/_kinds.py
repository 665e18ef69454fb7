"""What stands in the world: sizes, categories, attributes and shapes by kind.

Mean sizes (length, width, height in metres) are rounded from those that nuScenes (Caesar et al., CVPR 2020,
arXiv:1903.11027) and KITTI (Geiger et al., CVPR 2012) report for their classes; each box varies about them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bev3d.synth import _figures as figures
from bev3d.synth import _vehicles as vehicles
from bev3d.synth._machines import construction_vehicle
from bev3d.synth._parts import Row

__all__ = ["DETECTION_CLASSES", "KINDS", "KITTI_KINDS", "Kind", "Shape"]

Shape = Callable[[float, float, float, np.random.Generator], list[Row]]

DETECTION_CLASSES = (
    "car", "truck", "bus", "trailer", "construction_vehicle",
    "pedestrian", "motorcycle", "bicycle", "traffic_cone", "barrier",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    Attributes:
        detection: nuScenes detection class, or "" for what is annotated but not detected.
        category: nuScenes category.
        size_m: mean length, width, height.
        spread: relative standard deviation of the sizes.
        shape: gives the primitives.
        family: "vehicle", "cycle", "pedestrian" or "" (decides the attributes).
        kitti: type in KITTI labels, "" for what KITTI leaves unlabelled.
    """

    detection: str
    category: str
    size_m: tuple[float, float, float]
    spread: float
    shape: Shape
    family: str = ""
    kitti: str = ""

    def size(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """One box size: a common factor and smaller ones for the three sides."""
        factors = (1.0 + 0.7 * self.spread * rng.standard_normal()) * (1.0 + 0.5 * self.spread * rng.standard_normal(3))
        length, width, height = np.clip(factors, 0.7, 1.4) * self.size_m
        return round(float(length), 3), round(float(width), 3), round(float(height), 3)


def _vehicle(
    detection: str, category: str, size: tuple[float, float, float], spread: float, shape: Shape, kitti: str
) -> Kind:
    return Kind(detection, category, size, spread, shape, "vehicle", kitti)


def _person(
    category: str, size: tuple[float, float, float], shape: Shape = figures.pedestrian, kitti: str = "Pedestrian"
) -> Kind:
    return Kind("pedestrian", category, size, 0.09, shape, "pedestrian", kitti)


def _cycle(
    name: str, size: tuple[float, float, float], shape: Callable[..., list[Row]], rider: bool, kitti: str
) -> Kind:
    return Kind(name, f"vehicle.{name}", size, 0.06, partial(shape, rider=rider), "cycle", kitti)


KINDS: dict[str, Kind] = {
    "car": _vehicle("car", "vehicle.car", (4.55, 1.92, 1.58), 0.06, vehicles.car, "Car"),
    "van": _vehicle("car", "vehicle.car", (5.0, 2.02, 2.05), 0.06, vehicles.van, "Van"),
    "pickup": _vehicle("truck", "vehicle.truck", (5.6, 2.05, 1.9), 0.05, vehicles.pickup, "Truck"),
    "truck": _vehicle("truck", "vehicle.truck", (7.8, 2.55, 3.2), 0.10, vehicles.truck, "Truck"),
    "tractor": _vehicle("truck", "vehicle.truck", (6.2, 2.6, 3.3), 0.04, vehicles.tractor, "Truck"),
    "bus": _vehicle("bus", "vehicle.bus.rigid", (11.2, 2.95, 3.45), 0.05, vehicles.bus, "Misc"),
    "trailer": _vehicle("trailer", "vehicle.trailer", (12.0, 2.85, 3.85), 0.07, vehicles.trailer, "Misc"),
    "construction_vehicle": _vehicle(
        "construction_vehicle", "vehicle.construction", (6.6, 2.85, 3.2), 0.10, construction_vehicle, "Misc"
    ),
    "adult": _person("human.pedestrian.adult", (0.74, 0.66, 1.76)),
    "child": _person("human.pedestrian.child", (0.55, 0.5, 1.32)),
    "worker": _person("human.pedestrian.construction_worker", (0.76, 0.70, 1.78)),
    "seated": _person("human.pedestrian.adult", (0.85, 0.65, 1.28), figures.seated, "Person_sitting"),
    "motorcycle_rider": _cycle("motorcycle", (2.1, 0.8, 1.62), figures.motorcycle, True, "Cyclist"),
    "motorcycle": _cycle("motorcycle", (2.1, 0.78, 1.15), figures.motorcycle, False, ""),
    "bicycle_rider": _cycle("bicycle", (1.75, 0.62, 1.68), figures.bicycle, True, "Cyclist"),
    "bicycle": _cycle("bicycle", (1.72, 0.6, 1.1), figures.bicycle, False, ""),
    "traffic_cone": Kind("traffic_cone", "movable_object.trafficcone", (0.41, 0.41, 0.95), 0.12, figures.traffic_cone),
    "barrier": Kind("barrier", "movable_object.barrier", (0.52, 2.45, 1.0), 0.07, figures.barrier),
    "bin": Kind("", "movable_object.pushable_pullable", (0.65, 0.6, 1.1), 0.1, figures.litter_bin),
}

# European cars of 2011 are smaller than American ones.
KITTI_KINDS = {
    **KINDS,
    "car": replace(KINDS["car"], size_m=(3.9, 1.63, 1.52)),
    "van": replace(KINDS["van"], size_m=(5.05, 1.9, 2.2)),
}
