"""Vehicles, cycles and people at places that suit them. Each ``add_`` function tries one place and says if it fits."""

from __future__ import annotations

import math

import numpy as np

from bev3d.synth._street import Street
from bev3d.synth._world import Body, WorldBuilder

__all__ = ["add_car", "add_cycle", "add_heavy", "add_people", "along_way"]


def along_way(world: WorldBuilder, street: Street, spread: float) -> float:
    """A place along the ego's way, denser near it."""
    rng = world.rng
    beside = float(np.clip(rng.normal(0.0, 0.6 * spread), -spread, spread))
    return world.ahead_m + beside + float(rng.uniform(0.0, street.reach[1] - 80.0))


def _drive(world: WorldBuilder, street: Street, name: str, duration: float, spread: float) -> bool:
    """In traffic: in a lane at the lane's speed, now and then turning."""
    rng = world.rng
    lane = street.lanes[int(rng.integers(0, len(street.lanes)))]
    along, time = along_way(world, street, spread), float(rng.uniform(0.0, duration))
    body = street.in_lane(lane, along, time)
    stopped_in_crossing = lane.speed == 0.0 and (
        abs(along) < street.half_width + 6.0 if lane.crossing else street.in_crossing(along, 4.0)
    )
    if stopped_in_crossing:
        return False
    turning = lane.speed > 0.0 and rng.random() < 0.12
    if turning:
        rate = float(rng.uniform(0.12, 0.4)) * float(rng.choice([-1.0, 1.0]))
        body = Body(body.x, body.y, body.yaw + float(rng.uniform(-0.6, 0.6)), min(body.speed, 6.0), rate)
    else:
        wobble = 0.02 * float(rng.standard_normal())
        body = Body(body.x, body.y + 0.15 * float(rng.standard_normal()), body.yaw + wobble, body.speed)
    return world.add_object(world.kinds[name], body, 0.7)


def _park(world: WorldBuilder, street: Street, name: str, spread: float) -> bool:
    """In the parking strip, facing with the traffic for the most part."""
    rng = world.rng
    if street.parking == 0.0:
        return False
    side = 1.0 if rng.random() < 0.5 else -1.0
    x = along_way(world, street, spread)
    if street.in_crossing(x, 7.0):
        return False
    against = rng.random() < 0.15
    yaw = (0.0 if (side < 0) != against else math.pi) + 0.03 * float(rng.standard_normal())
    return world.add_object(world.kinds[name], Body(x, side * (street.kerb - 1.15), yaw), 0.25, parked=True)


def _in_lot(world: WorldBuilder, street: Street, name: str) -> bool:
    """On the open lot: in rows across the street, heavy vehicles at any angle."""
    rng, lot = world.rng, street.lot
    if lot is None:
        return False
    x, y = (float(rng.uniform(low + 2.0, high - 2.0)) for low, high in (lot.x, lot.y))
    if lot.use == "parking" or name in ("car", "van"):
        yaw = float(rng.choice([0.5, -0.5])) * math.pi + 0.05 * float(rng.standard_normal())
    else:
        yaw = float(rng.uniform(-math.pi, math.pi))
    return world.add_object(world.kinds[name], Body(x, y, yaw), 0.4, parked=True)


def add_car(world: WorldBuilder, street: Street, name: str, duration: float) -> bool:
    place = world.rng.random()
    if place < 0.5:
        return _drive(world, street, name, duration, 58.0)
    return _park(world, street, name, 50.0) if place < 0.85 else _in_lot(world, street, name)


def add_heavy(world: WorldBuilder, street: Street, name: str, duration: float) -> bool:
    """Lorries, buses, trailers (most of them behind a tractor), construction vehicles."""
    rng = world.rng
    lots = {"trailer": 0.45, "bus": 0.12, "construction_vehicle": 0.5, "truck": 0.25}[name]
    if rng.random() < lots:
        return _in_lot(world, street, name)
    if name != "trailer":
        return _drive(world, street, name, duration, 45.0)
    return _add_articulated(world, street, duration)


def _add_articulated(world: WorldBuilder, street: Street, duration: float) -> bool:
    """A trailer and, where there is room, the tractor before it, at one speed."""
    rng = world.rng
    lane = street.lanes[int(rng.integers(0, len(street.lanes)))]
    along, time = along_way(world, street, 42.0), float(rng.uniform(0.0, duration))
    if lane.speed == 0.0 and (street.in_crossing(along, 8.0) or lane.crossing):
        return False
    body = street.in_lane(lane, along, time)
    if not world.add_object(world.kinds["trailer"], body, 0.5, parked=lane.speed == 0.0):
        return False
    ahead = 0.5 * (14.0 + world.kinds["tractor"].size_m[0])
    front = Body(body.x + ahead * math.cos(body.yaw), body.y + ahead * math.sin(body.yaw), body.yaw, body.speed)
    world.add_object(world.kinds["tractor"], front, 0.05)
    return True


def add_cycle(world: WorldBuilder, street: Street, name: str, duration: float) -> bool:
    """Riders at the edge of the carriageway or in traffic; empty cycles at the kerb or against the houses."""
    rng = world.rng
    side = 1.0 if rng.random() < 0.5 else -1.0
    if not name.endswith("_rider"):
        across = street.kerb + 0.8 if rng.random() < 0.6 else street.facade - 0.9
        yaw = float(rng.uniform(-math.pi, math.pi))
        return world.add_object(
            world.kinds[name], Body(along_way(world, street, 36.0), side * across, yaw), 0.12, parked=True
        )
    if name.startswith("motorcycle") and rng.random() < 0.6:
        return _drive(world, street, name, duration, 38.0)
    speed = float(rng.uniform(2.0, 6.5)) if rng.random() < 0.9 else 0.0
    yaw = (0.0 if side < 0 else math.pi) + 0.05 * float(rng.standard_normal())
    x = along_way(world, street, 36.0) - math.cos(yaw) * speed * float(rng.uniform(0.0, duration))
    across = side * (street.half_width - float(rng.uniform(0.4, 1.0)))
    return world.add_object(world.kinds[name], Body(x, across, yaw, speed), 0.25)


def add_people(world: WorldBuilder, street: Street, count: int, duration: float) -> None:
    """Groups on the pavements, some crossing, some standing or sitting."""
    rng, placed = world.rng, 0
    for _ in range(3 * count):
        if placed >= count:
            return
        group = _walk(rng, street, along_way(world, street, 42.0), duration)
        for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
            name = str(
                rng.choice(["adult", "child", "seated"], p=[0.86, 0.1, 0.04] if group.speed == 0 else [0.9, 0.1, 0.0])
            )
            x, y = group.x + float(rng.normal(0.0, 0.9)), group.y + float(rng.normal(0.0, 0.7))
            yaw = group.yaw + 0.12 * float(rng.standard_normal())
            placed += world.add_object(world.kinds[name], Body(x, y, yaw, group.speed), 0.1)


def _walk(rng: np.random.Generator, street: Street, x: float, duration: float) -> Body:
    side = 1.0 if rng.random() < 0.5 else -1.0
    stands = rng.random() < 0.3
    speed = 0.0 if stands else float(rng.uniform(0.7, 1.9))
    time = float(rng.uniform(0.0, duration))
    if rng.random() < 0.18 and not stands:  # across the street
        yaw = side * 0.5 * math.pi
        return Body(x, float(rng.uniform(-1.0, 1.0)) * street.kerb - side * speed * time, yaw, speed)
    yaw = float(rng.uniform(-math.pi, math.pi)) if stands else float(rng.choice([0.0, math.pi]))
    y = side * float(rng.uniform(street.kerb + 0.6, street.facade - 0.4))
    return Body(x - math.cos(yaw) * speed * time, y, yaw, speed)
