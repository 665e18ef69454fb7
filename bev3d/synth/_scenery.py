"""Houses, walls, poles, trees and bushes along a street."""

from __future__ import annotations

import numpy as np

from bev3d.synth import _surroundings as shapes
from bev3d.synth._street import Street
from bev3d.synth._world import Body, WorldBuilder

__all__ = ["add_houses", "add_street_furniture"]


def add_houses(world: WorldBuilder, street: Street) -> None:
    """Rows of houses and walls behind the pavements, with gaps, open at the crossing and at the lot."""
    for side in (-1.0, 1.0):
        x = street.reach[0] + float(world.rng.uniform(0.0, 10.0))
        while x < street.reach[1]:
            x = _next_front(world, street, x, side)
    if street.lot is not None:
        _fence_lot(world, street)


def _next_front(world: WorldBuilder, street: Street, x: float, side: float) -> float:
    rng = world.rng
    length = float(rng.uniform(8.0, 28.0))
    middle = x + 0.5 * length
    depth = float(rng.uniform(7.0, 16.0))
    setback = float(rng.choice([0.0, 0.0, rng.uniform(1.0, 8.0)]))
    lot = street.lot
    beside_lot = (
        lot is not None
        and side * lot.y[0] > 0
        and middle + 0.5 * length > lot.x[0]
        and middle - 0.5 * length < lot.x[1]
    )
    gap = float(rng.choice([0.0, 0.0, rng.uniform(2.0, 14.0)]))
    if street.in_crossing(middle, 0.5 * length + street.pavement):
        return x + 3.0
    kind = rng.random()
    if kind < 0.72 and not beside_lot:
        height = float(rng.uniform(4.0, 18.0))
        y = side * (street.facade + setback + 0.5 * depth)
        rows = shapes.building(length, depth, height, rng)
        world.add_scenery(Body(middle, y, 0.0 if side < 0 else np.pi), (length, depth), height, rows, 0.0)
    elif kind < 0.86 and not beside_lot:
        height, thick = float(rng.uniform(0.8, 2.4)), 0.2
        rows = shapes.wall(length, thick, height, rng)
        world.add_scenery(Body(middle, side * (street.facade + 0.3), 0.0), (length, thick), height, rows, 0.0)
    return x + length + gap


def _fence_lot(world: WorldBuilder, street: Street) -> None:
    """A wall or a hall at the far side of the lot."""
    rng, lot = world.rng, street.lot
    assert lot is not None  # add_houses asks only then
    length = lot.x[1] - lot.x[0]
    far = max(lot.y, key=abs)
    side = np.sign(far)
    if rng.random() < 0.5:
        depth, height = 10.0, float(rng.uniform(5.0, 11.0))
        rows = shapes.building(length, depth, height, rng)
        place = Body(0.5 * sum(lot.x), far + side * (0.5 * depth + 0.5), 0.0 if side < 0 else np.pi)
    else:
        depth, height = 0.2, float(rng.uniform(1.5, 3.0))
        rows = shapes.wall(length, depth, height, rng)
        place = Body(0.5 * sum(lot.x), far + side * 0.6, 0.0)
    world.add_scenery(place, (length, depth), height, rows, 0.0)


def add_street_furniture(world: WorldBuilder, street: Street) -> None:
    """Lamp posts and signs at the kerb, trees on the pavement, bushes and hedges further out."""
    rng = world.rng
    length = street.reach[1] - street.reach[0]
    counts = rng.poisson([length / 13.0, rng.choice([0.0, length / 13.0]), length / 12.0])
    for kind, count in zip(("pole", "tree", "bush"), counts, strict=True):
        for _ in range(int(count)):
            side = 1.0 if rng.random() < 0.5 else -1.0
            x = float(rng.uniform(*street.reach))
            if not street.in_crossing(x, 1.0):
                _add_plant(world, street, kind, x, side)


def _add_plant(world: WorldBuilder, street: Street, kind: str, x: float, side: float) -> None:
    rng = world.rng
    yaw = float(rng.choice([0.0, np.pi])) + 0.1 * float(rng.standard_normal())
    near = side * (street.kerb + float(rng.uniform(0.4, 1.0)))
    if kind == "pole":
        width, height = float(rng.uniform(0.1, 0.32)), float(rng.uniform(2.5, 8.0))
        rows = shapes.pole(width, width, height, rng)
        world.add_scenery(Body(x, near, yaw), (width, width), height, rows)
    elif kind == "tree":
        width, height = float(rng.uniform(0.2, 0.5)), float(rng.uniform(4.0, 9.0))
        rows = shapes.tree(width, width, height, rng)
        world.add_scenery(Body(x, near, yaw), (width, width), height, rows)
    else:
        length, width, height = (float(v) for v in rng.uniform((0.8, 0.8, 0.5), (5.0, 2.0, 2.0)))
        y = side * (street.facade + float(rng.uniform(0.5, 8.0)))
        rows = shapes.bush(length, width, height, rng)
        world.add_scenery(Body(x, y, yaw), (length, width), height, rows)
