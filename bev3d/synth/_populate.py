"""Objects of all classes at places that suit them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bev3d.synth._kinds import KINDS, Kind
from bev3d.synth._scenery import add_houses, add_street_furniture
from bev3d.synth._street import Lane, Street, random_street
from bev3d.synth._traffic import add_car, add_cycle, add_heavy, add_people, along_way
from bev3d.synth._works import add_barrier_row, add_cone_row, add_works
from bev3d.synth._world import Body, World, WorldBuilder

__all__ = ["Density", "build_world"]

EGO_LENGTH_M, EGO_WIDTH_M = 4.6, 1.95


@dataclass(frozen=True)
class Density:
    """Mean number of objects that are tried for a scene of one place; longer ways get more of them.

    Rare classes are far more frequent than on real streets, so that a small training set holds enough of them.
    """

    cars: float = 20.0
    trucks: float = 3.5
    buses: float = 2.6
    trailers: float = 2.4
    construction_vehicles: float = 3.6
    motorcycles: float = 4.5
    bicycles: float = 5.0
    pedestrians: float = 15.0
    cone_rows: float = 2.0
    barrier_rows: float = 1.8
    bins: float = 1.0
    ahead_m: float = 0.0
    """How far before the ego vehicle the middle of the crowd is."""


def build_world(
    seed: np.random.SeedSequence,
    times: np.ndarray,
    density: Density | None = None,
    kinds: Mapping[str, Kind] = KINDS,
) -> World:
    """A world of its own for each seed.

    Args:
        seed: decides everything.
        times: (T,) seconds at which nothing may touch; time 0 is the first key frame.
        density: how much stands in it; kinds: what it is made of.
    """
    rng = np.random.default_rng(seed)
    density = density or Density()
    duration = float(times[-1])
    street, ego_lane = random_street(rng, duration)
    world = WorldBuilder(rng, times, kinds, density.ahead_m)
    ego = world.keep_free(_ego(rng, street, ego_lane), EGO_LENGTH_M, EGO_WIDTH_M)
    add_houses(world, street)
    crowd = 1.0 + ego_lane.speed * duration / 110.0
    _populate(world, street, density, duration, crowd)
    add_street_furniture(world, street)
    road = np.array([street.half_width, street.lane_width, street.crossing_x, street.crossing_half])
    return world.finish(ego, road, float(rng.uniform(-math.pi, math.pi)), rng.uniform(300.0, 1900.0, 2))


def _ego(rng: np.random.Generator, street: Street, lane: Lane) -> Body:
    """Mostly along its lane; sometimes turning at the crossing or standing askew."""
    kind = rng.random()
    along = 0.03 * float(rng.standard_normal())
    if kind < 0.72:
        return Body(0.0, lane.offset, lane.yaw + along, lane.speed)
    if kind < 0.88 and abs(street.crossing_x) < 1e3:
        turn = float(rng.choice([-1.0, 1.0]))
        yaw = float(rng.uniform(0.0, 0.5 * math.pi)) * turn
        return Body(street.crossing_x, lane.offset, yaw, float(rng.uniform(2.0, 5.0)), 0.25 * turn)
    return Body(0.0, lane.offset, lane.yaw + float(rng.uniform(-0.8, 0.8)), min(lane.speed, 2.0))


def _populate(world: WorldBuilder, street: Street, density: Density, duration: float, crowd: float) -> None:
    rng = world.rng

    def some(mean: float) -> int:
        return int(rng.poisson(mean * crowd))

    add_works(world, street, some)
    kinds: list[tuple[str, int, Callable[[WorldBuilder, Street, str, float], bool]]] = [
        ("trailer", some(density.trailers), add_heavy),
        ("bus", some(density.buses), add_heavy),
        ("construction_vehicle", some(0.5 * density.construction_vehicles), add_heavy),
        ("truck", some(0.7 * density.trucks), add_heavy),
        ("pickup", some(0.3 * density.trucks), add_car),
        ("motorcycle_rider", some(0.5 * density.motorcycles), add_cycle),
        ("motorcycle", some(0.5 * density.motorcycles), add_cycle),
        ("bicycle_rider", some(0.6 * density.bicycles), add_cycle),
        ("bicycle", some(0.4 * density.bicycles), add_cycle),
        ("van", some(0.2 * density.cars), add_car),
        ("car", some(0.8 * density.cars), add_car),
    ]
    for name, count, add in kinds:
        for _ in range(count):
            any(add(world, street, name, duration) for _ in range(6))
    for _ in range(some(density.cone_rows)):
        add_cone_row(world, street)
    for _ in range(some(density.barrier_rows)):
        add_barrier_row(world, street)
    add_people(world, street, some(density.pedestrians), duration)
    for _ in range(some(density.bins)):
        side = 1.0 if rng.random() < 0.5 else -1.0
        place = Body(along_way(world, street, 45.0), side * (street.facade - 0.8), float(rng.uniform(-3.1, 3.1)))
        world.add_object(world.kinds["bin"], place, 0.2)
