"""A world: bodies on their ways, primitives fixed to them, and the ground."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.synth._kinds import Kind
from bev3d.synth._parts import Row
from bev3d.synth._raycast import collides

__all__ = ["Body", "Ground", "World", "WorldBuilder", "move"]

Array = NDArray[np.float64]
GROUND_CLEARANCE_M = 0.05  # boxes end above the ground's returns, as an annotator draws them


@dataclass(frozen=True)
class Body:
    """Where something is at time 0 and how it goes on.

    Attributes:
        x, y: centre in metres; yaw: radians; speed: metres a second along the heading; yaw_rate: radians a second.
    """

    x: float
    y: float
    yaw: float
    speed: float = 0.0
    yaw_rate: float = 0.0


@dataclass(frozen=True, eq=False)
class Ground:
    """Undulation and paint of the ground.

    Attributes:
        waves: (W, 4) amplitude, kx, ky, phase.
        road: (7,) x, y, yaw of the street, its half width, lane width, place of the crossing street, its half width.
    """

    waves: Array
    road: Array

    def height(self, x: Array, y: Array) -> Array:
        """Height in metres; arrays of any one shape."""
        a, kx, ky, phase = self.waves.T
        return (a * np.sin(np.multiply.outer(x, kx) + np.multiply.outer(y, ky) + phase)).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class World:
    """Everything that the sensor can see.

    Attributes:
        ground: the ground.
        bodies: (K, 7) x, y, yaw, speed, yaw rate, length, width; the first ``len(kinds)`` are annotated objects.
        heights: (K,) height of the box of each body, metres.
        kinds: kind of each annotated object; resting: whether a motionless vehicle is parked (else it waits).
        prims: (M, 14) primitives by owner (index of the body).
        ego: (7,) the measuring vehicle as a body.
        tilt: roll and pitch of the ego, radians.
    """

    ground: Ground
    bodies: Array
    heights: Array
    kinds: tuple[Kind, ...]
    resting: NDArray[np.bool_]
    prims: Array
    ego: Array
    tilt: tuple[float, float]

    def poses(self, time: float) -> Array:
        """(K, 4) x, y, z of the foot, yaw of all bodies."""
        x, y, yaw = move(self.bodies, time)
        lift = np.where(np.arange(len(x)) < len(self.kinds), GROUND_CLEARANCE_M, 0.0)
        return np.column_stack([x, y, self.ground.height(x, y) + lift, yaw])

    def boxes(self, time: float) -> Array:
        """(N, 9) boxes of the annotated objects in the world, columns as :class:`bev3d.boxes.Box`."""
        count = len(self.kinds)
        pose, bodies = self.poses(time)[:count], self.bodies[:count]
        height = self.heights[:count]
        speed, yaw = bodies[:, 3], pose[:, 3]
        size = [bodies[:, 5], bodies[:, 6], height]
        return np.column_stack(
            [pose[:, 0], pose[:, 1], pose[:, 2] + 0.5 * height, *size, yaw, speed * np.cos(yaw), speed * np.sin(yaw)]
        )

    def ego_pose(self, time: float) -> tuple[Array, Array]:
        """Place (3,) and roll, pitch, yaw (3,) of the ego vehicle (rear axle on the ground)."""
        x, y, yaw = move(self.ego[None], time)
        place = np.array([x[0], y[0], self.ground.height(x, y)[0]])
        return place, np.array([*self.tilt, yaw[0]])


def move(bodies: Array, time: float) -> tuple[Array, Array, Array]:
    """x, y, yaw (each (K,)) of bodies that go straight on or turn at a constant rate."""
    x, y, yaw, speed, rate = bodies[:, :5].T
    turned = yaw + rate * time
    turning = np.abs(rate) >= 1e-6
    safe = np.where(turning, rate, 1.0)
    along = np.where(turning, (np.sin(turned) - np.sin(yaw)) / safe, time * np.cos(yaw))
    across = np.where(turning, (np.cos(yaw) - np.cos(turned)) / safe, time * np.sin(yaw))
    return x + speed * along, y + speed * across, turned


class WorldBuilder:
    """Collects bodies that never touch, in the frame of the street; :meth:`finish` turns all into the world."""

    def __init__(self, rng: np.random.Generator, times: Array, kinds: Mapping[str, Kind], ahead_m: float = 0.0) -> None:
        self.rng = rng
        self.times = times
        self.kinds = kinds
        self.ahead_m = ahead_m
        self._bodies = np.zeros((64, 7))
        self._count = 0
        self._entries: list[tuple[Array, float, Kind | None, bool, list[Row]]] = []

    def keep_free(self, body: Body, length: float, width: float) -> Array:
        """Reserve the way of the ego vehicle; returns its row."""
        row = np.array([body.x, body.y, body.yaw, body.speed, body.yaw_rate, length, width])
        self._append(row)
        return row

    def try_place(self, body: Body, size: tuple[float, float, float], margin: float) -> Array | None:
        """The row of a body of this size if it stays ``margin`` metres away from all others, else None."""
        row = np.array([body.x, body.y, body.yaw, body.speed, body.yaw_rate, size[0], size[1]])
        if collides(row, self._bodies, self._count, self.times, margin):
            return None
        self._append(row)
        return row

    def add_object(self, kind: Kind, body: Body, margin: float = 0.4, *, parked: bool = False) -> bool:
        """Place an annotated object; False where there is no room."""
        length, width, height = kind.size(self.rng)
        size = (length, width, height)
        row = self.try_place(body, size, margin)
        if row is None:
            return False
        self._entries.append((row, height, kind, parked, kind.shape(length, width, height, self.rng)))
        return True

    def add_scenery(
        self, body: Body, foot: tuple[float, float], height: float, rows: list[Row], margin: float = 0.2
    ) -> bool:
        """Place something that is not annotated; False where there is no room."""
        row = self.try_place(body, (*foot, height), margin)
        if row is None:
            return False
        self._entries.append((row, height, None, False, rows))
        return True

    def finish(self, ego: Array, road: Array, turn: float, shift: Array) -> World:
        """Turn by ``turn`` radians, shift by ``shift`` (2,), and freeze."""
        entries = sorted(self._entries, key=lambda entry: entry[2] is None)  # objects first, in order of placing
        bodies = _to_world(np.array([entry[0] for entry in entries]), turn, shift)
        prims = []
        for owner, entry in enumerate(entries):
            part = np.array(entry[4])
            part[:, 0] = owner
            prims.append(part)
        kinds = tuple(entry[2] for entry in entries if entry[2] is not None)
        street = np.array([*shift, turn, *road])
        return World(
            ground=Ground(_waves(self.rng), street),
            bodies=bodies,
            heights=np.array([entry[1] for entry in entries]),
            kinds=kinds,
            resting=np.array([entry[3] for entry in entries[: len(kinds)]], dtype=bool),
            prims=np.concatenate(prims),
            ego=_to_world(ego[None], turn, shift)[0],
            tilt=tuple(np.clip(0.003 * self.rng.standard_normal(2), -0.008, 0.008)),
        )

    def _append(self, row: Array) -> None:
        if self._count == len(self._bodies):
            self._bodies = np.concatenate([self._bodies, np.zeros_like(self._bodies)])
        self._bodies[self._count] = row
        self._count += 1


def _to_world(bodies: Array, turn: float, shift: Array) -> Array:
    moved = bodies.copy()
    c, s = math.cos(turn), math.sin(turn)
    moved[:, 0] = c * bodies[:, 0] - s * bodies[:, 1] + shift[0]
    moved[:, 1] = s * bodies[:, 0] + c * bodies[:, 1] + shift[1]
    moved[:, 2] += turn
    return moved


def _waves(rng: np.random.Generator) -> Array:
    """Three waves of 40 to 120 m with slopes below half a per cent each."""
    lengths, directions = rng.uniform(40.0, 120.0, 3), rng.uniform(0.0, 2.0 * math.pi, 3)
    k = 2.0 * math.pi / lengths
    amplitude = 0.0025 * rng.uniform(0.2, 1.0, 3) / k
    return np.column_stack([amplitude, k * np.cos(directions), k * np.sin(directions), rng.uniform(0.0, 6.3, 3)])
