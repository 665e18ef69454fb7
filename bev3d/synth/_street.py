"""A street to put things in: lanes, parking strips, pavements, a crossing street, an open lot.

Frame of the street: x along it, y to its left, the ego vehicle near the origin at time 0. Traffic keeps right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bev3d.synth._world import Body

__all__ = ["Lane", "Lot", "Street", "random_street"]


@dataclass(frozen=True)
class Lane:
    """A lane: ``offset`` metres left of the axis of its street, all of its traffic at one speed."""

    offset: float
    yaw: float
    speed: float
    crossing: bool
    """Belongs to the street that crosses at ``Street.crossing_x``."""


@dataclass(frozen=True)
class Lot:
    """An open rectangle beside the street."""

    x: tuple[float, float]
    y: tuple[float, float]
    use: str
    """"parking", "depot" or "building site"."""


@dataclass(frozen=True)
class Street:
    """Where things may stand and go.

    Attributes:
        lane_width, half_width: metres; half_width of the carriageway without parking strips.
        parking: width of the parking strips (0: none); pavement: width of the pavements.
        crossing_x: where the other street crosses, or a far place where none does; crossing_half: its half width.
        lanes: all lanes of both streets.
        lot: open area, or None.
        reach: x from and to, metres; the ego's way with 80 m on both ends.
    """

    lane_width: float
    half_width: float
    parking: float
    pavement: float
    crossing_x: float
    crossing_half: float
    lanes: tuple[Lane, ...]
    lot: Lot | None
    reach: tuple[float, float]

    @property
    def kerb(self) -> float:
        """Distance of the pavement's edge from the axis."""
        return self.half_width + self.parking

    @property
    def facade(self) -> float:
        """Distance of the houses from the axis."""
        return self.kerb + self.pavement

    def in_crossing(self, x: float, spare: float = 0.0) -> bool:
        """Whether x lies on the crossing street, widened by ``spare`` metres."""
        return abs(x - self.crossing_x) < self.crossing_half + spare

    def at(self, along: float, across: float, yaw: float, *, crossing: bool) -> tuple[float, float, float]:
        """x, y, yaw in the street's frame of a place given along and across one of the two streets."""
        if crossing:
            return self.crossing_x - across, along, yaw + 0.5 * math.pi
        return along, across, yaw

    def in_lane(self, lane: Lane, along: float, time: float) -> Body:
        """A vehicle in a lane that is at ``along`` at ``time``."""
        start = along - lane.speed * time * math.cos(lane.yaw)
        return Body(*self.at(start, lane.offset, lane.yaw, crossing=lane.crossing), speed=lane.speed)


def random_street(rng: np.random.Generator, duration: float) -> tuple[Street, Lane]:
    """A street and the lane in which the ego vehicle drives along it."""
    width = float(rng.uniform(3.2, 3.7))
    lanes_each_way = int(rng.integers(1, 4))
    flows = rng.random() < 0.65  # else the traffic waits and the crossing street flows
    crossing_x = float(rng.uniform(-35.0, 40.0)) if rng.random() < 0.55 else 1e4
    lanes = _lanes(rng, width, lanes_each_way, flows, crossing=False)
    crossing_lanes = int(rng.integers(1, 3))
    if crossing_x < 1e3:
        lanes += _lanes(rng, width, crossing_lanes, not flows, crossing=True)
    ego = lanes[int(rng.integers(0, lanes_each_way))]
    parking = float(rng.choice([0.0, 2.4], p=[0.35, 0.65]))
    pavement = float(rng.uniform(3.0, 6.5))
    kerb = lanes_each_way * width + parking
    street = Street(
        lane_width=width,
        half_width=lanes_each_way * width,
        parking=parking,
        pavement=pavement,
        crossing_x=crossing_x,
        crossing_half=crossing_lanes * width + 1.0,
        lanes=tuple(lanes),
        lot=_lot(rng, kerb + pavement) if rng.random() < 0.75 else None,
        reach=(-80.0, 80.0 + ego.speed * duration),
    )
    return street, ego


def _lanes(rng: np.random.Generator, width: float, each_way: int, flows: bool, *, crossing: bool) -> list[Lane]:
    lanes = []
    for side, yaw in ((-1.0, 0.0), (1.0, math.pi)):
        for i in range(each_way):
            speed = float(rng.uniform(2.5, 13.0)) if flows and rng.random() < 0.9 else 0.0
            lanes.append(Lane(side * (i + 0.5) * width, yaw, speed, crossing))
    return lanes


def _lot(rng: np.random.Generator, facade: float) -> Lot:
    side = 1.0 if rng.random() < 0.5 else -1.0
    start = float(rng.uniform(-45.0, 5.0))
    depth = float(rng.uniform(16.0, 34.0))
    near, far = facade + 0.5, facade + depth
    use = str(rng.choice(["parking", "depot", "building site"], p=[0.3, 0.4, 0.3]))
    y = (near, far) if side > 0 else (-far, -near)
    return Lot((start, start + float(rng.uniform(25.0, 45.0))), y, use)
