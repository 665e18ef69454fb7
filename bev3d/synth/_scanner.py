"""Spinning LiDARs and what one revolution of them sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bev3d.synth._raycast import scan_kernel
from bev3d.synth._world import World

__all__ = ["HDL32E", "HDL64E", "Scan", "Scanner", "rotation_matrix", "scan"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scanner:
    """A scanner on the vehicle.

    Attributes:
        elevations: (R,) radians, ascending; the row is the ring.
        azimuths: first azimuth, step (radians; negative is clockwise), columns.
        place: (3,) in the ego frame, metres; yaw: heading of its x axis in the ego frame.
        noise_m: standard deviation of the range.
    """

    elevations: Array
    azimuths: tuple[float, float, int]
    place: tuple[float, float, float]
    yaw: float
    noise_m: float = 0.015

    @property
    def rays(self) -> int:
        """Beams a revolution."""
        return len(self.elevations) * self.azimuths[2]

    def pose(self, world: World, time: float) -> tuple[Array, Array]:
        """Rotation (3, 3) and place (3,), world from sensor."""
        ego_place, (roll, pitch, yaw) = world.ego_pose(time)
        ego = rotation_matrix(roll, pitch, yaw)
        return ego @ rotation_matrix(0.0, 0.0, self.yaw), ego @ np.array(self.place) + ego_place


@dataclass(frozen=True, eq=False)
class Scan:
    """One revolution.

    Attributes:
        points: (P, 5) float32 x, y, z in the sensor's frame, intensity 0 to 255, ring.
        owners: (P,) body of each point, -1 for the ground.
        visible: (K,) share of the rays on each body that nothing else stops; NaN where no ray would meet it.
        rotation, place: world from sensor.
    """

    points: NDArray[np.float32]
    owners: NDArray[np.int32]
    visible: Array
    rotation: Array = field(repr=False)
    place: Array = field(repr=False)


def scan(world: World, scanner: Scanner, time: float, seed: int) -> Scan:
    """What the scanner sees of the world at one instant."""
    rotation, place = scanner.pose(world, time)
    first, step, columns = scanner.azimuths
    phase = (seed % 9973) / 9973.0 * step
    points, owners, possible, seen = scan_kernel(
        world.prims, world.poses(time), world.ground.waves, world.ground.road, rotation, place,
        scanner.elevations, (first + phase, step, columns), scanner.noise_m, np.uint64(seed),
    )  # fmt: skip
    with np.errstate(invalid="ignore"):
        visible = seen / np.where(possible > 0, possible, np.nan)
    return Scan(points, owners, visible, rotation, place)


def rotation_matrix(roll: float, pitch: float, yaw: float) -> Array:
    """Rz(yaw) Ry(pitch) Rx(roll)."""
    cr, sr, cp, sp, cy, sy = (f(a) for a in (roll, pitch, yaw) for f in (math.cos, math.sin))
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


# Velodyne HDL-32E as on the nuScenes cars: 32 rings of 4/3 degrees, clockwise from the rear left.
HDL32E = Scanner(
    elevations=np.radians(np.linspace(-30.67, 10.67, 32)),
    azimuths=(math.radians(-172.0), -2.0 * math.pi / 1084, 1084),
    place=(0.943713, 0.0, 1.84023),
    yaw=-0.5 * math.pi,
)

# Velodyne HDL-64E as on the KITTI car, the 120 degrees in front: two blocks of 32 rings.
HDL64E = Scanner(
    elevations=np.radians(np.concatenate([np.linspace(-24.8, -8.83, 32), np.linspace(-8.33, 2.0, 32)])),
    azimuths=(math.radians(60.0), -2.0 * math.pi / 2083, 694),
    place=(0.0, 0.0, 1.73),
    yaw=0.0,
)
