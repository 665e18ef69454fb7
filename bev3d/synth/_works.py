"""Road works and building sites: cones, barriers, construction vehicles and workers."""

from __future__ import annotations

import math
from collections.abc import Callable

from bev3d.synth._street import Street
from bev3d.synth._world import Body, WorldBuilder

__all__ = ["add_barrier_row", "add_cone_row", "add_works"]


def add_works(world: WorldBuilder, street: Street, some: Callable[[float], int]) -> None:
    """A closed strip at the edge of the carriageway in half of the scenes, and whatever the lot is used for."""
    if world.rng.random() < 0.5:
        _close_strip(world, street)
    if street.lot is not None and street.lot.use == "building site":
        _build(world, street, some)


def _close_strip(world: WorldBuilder, street: Street) -> None:
    """Cones run in at an angle, barriers or cones along, machine and workers behind them."""
    rng = world.rng
    side = 1.0 if rng.random() < 0.5 else -1.0
    start, length = float(rng.uniform(-30.0, 15.0)), float(rng.uniform(12.0, 26.0))
    edge = side * (street.kerb - 4.2)
    if rng.random() < 0.55:
        _row(world, "barrier", (start, edge), 0.0, int(length / 2.9), 2.9)
    else:
        spacing = float(rng.uniform(1.8, 3.2))
        _row(world, "traffic_cone", (start, edge), 0.0, int(length / spacing), spacing)
    taper = math.atan2(-side * 3.6, 8.0)
    _row(world, "traffic_cone", (start - 8.5, edge + side * 3.8), taper, 5, 2.0)
    middle = side * (street.kerb - 2.0)
    yaw = float(rng.choice([0.0, math.pi])) + float(rng.normal(0.0, 0.2))
    world.add_object(world.kinds["construction_vehicle"], Body(start + 0.5 * length, middle, yaw), 0.3, parked=True)
    for _ in range(int(rng.integers(1, 4))):
        place = Body(
            start + float(rng.uniform(0.0, length)), middle + float(rng.normal(0.0, 0.8)), float(rng.uniform(-3.1, 3.1))
        )
        world.add_object(world.kinds["worker"], place, 0.15)


def _build(world: WorldBuilder, street: Street, some: Callable[[float], int]) -> None:
    """A building site: barriers at the pavement, machines and workers at any angle."""
    rng, lot = world.rng, street.lot
    assert lot is not None  # add_works asks only then
    near = min(lot.y, key=abs)
    _row(world, "barrier", (lot.x[0] + 1.5, near), 0.0, int((lot.x[1] - lot.x[0]) * rng.uniform(0.3, 0.8) / 2.7), 2.7)
    for name, count in (("construction_vehicle", 1 + some(1.2)), ("worker", 1 + some(2.0)), ("truck", some(0.5))):
        for _ in range(count):
            x, y = (float(rng.uniform(low + 2.0, high - 2.0)) for low, high in (lot.x, lot.y))
            world.add_object(world.kinds[name], Body(x, y, float(rng.uniform(-math.pi, math.pi))), 0.3, parked=True)


def add_cone_row(world: WorldBuilder, street: Street) -> None:
    """Cones at the edge of the road or on the pavement."""
    rng = world.rng
    side = 1.0 if rng.random() < 0.5 else -1.0
    across = side * (street.kerb + float(rng.uniform(-0.8, 1.5)))
    start = world.ahead_m + float(rng.uniform(-28.0, 22.0)) + float(rng.uniform(0.0, street.reach[1] - 80.0))
    _row(
        world,
        "traffic_cone",
        (start, across),
        float(rng.normal(0.0, 0.1)),
        int(rng.integers(2, 7)),
        float(rng.uniform(1.2, 3.5)),
    )


def add_barrier_row(world: WorldBuilder, street: Street) -> None:
    """Barriers along the kerb, now and then across the pavement."""
    rng = world.rng
    side = 1.0 if rng.random() < 0.5 else -1.0
    along = 0.0 if rng.random() < 0.8 else 0.5 * math.pi
    across = side * (street.kerb + float(rng.uniform(0.2, 1.2)))
    start = world.ahead_m + float(rng.uniform(-28.0, 20.0)) + float(rng.uniform(0.0, street.reach[1] - 80.0))
    _row(world, "barrier", (start, across), along, int(rng.integers(2, 8)) if along == 0.0 else 2, 2.8)


def _row(
    world: WorldBuilder, name: str, start: tuple[float, float], direction: float, count: int, spacing: float
) -> None:
    """Things one behind the other; barriers stand with their long side (their width) along the row."""
    rng = world.rng
    c, s = math.cos(direction), math.sin(direction)
    for i in range(count):
        if rng.random() < 0.06:
            continue
        x, y = start[0] + i * spacing * c, start[1] + i * spacing * s
        yaw = direction + 0.5 * math.pi if name == "barrier" else float(rng.uniform(-math.pi, math.pi))
        nudge = rng.normal(0.0, 0.06, 2)
        world.add_object(
            world.kinds[name],
            Body(x + float(nudge[0]), y + float(nudge[1]), yaw + 0.04 * float(rng.standard_normal())),
            0.02,
        )
