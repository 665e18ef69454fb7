"""Shapes of what stands beside the road and is never annotated. See :mod:`bev3d.synth._vehicles`."""

from __future__ import annotations

import numpy as np

from bev3d.synth._parts import Material, Row, cylinder, ellipsoid, slab

__all__ = ["building", "bush", "pole", "tree", "wall"]

OPENING = Material(6.0, returns=0.4)  # doors and windows
SIGN = Material(200.0)


def building(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """House: ground floor, upper floors set back or standing out a little, dark openings."""
    facade, half = Material(float(rng.uniform(18.0, 85.0))), 0.5 * width
    step = float(rng.uniform(-0.5, 0.4))
    floor = min(float(rng.uniform(3.0, 4.5)), 0.9 * height)
    upper = 0.5 * width - max(step, 0.0)
    lower = 0.5 * width - max(-step, 0.0)
    rows = [
        slab(facade, (-0.5 * length, 0.5 * length), (-lower, lower), (-0.5, floor)),
        slab(facade, (-0.5 * length, 0.5 * length), (-upper, upper), (floor, height)),
    ]
    opening = min(half, lower + 0.05)
    doors = np.arange(-0.5 * length + 2.0, 0.5 * length - 2.0, float(rng.uniform(3.5, 7.0)))
    return rows + [slab(OPENING, (x, x + 1.2), (-opening, opening), (-0.5, 2.4)) for x in doors.tolist()]


def wall(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Wall, solid, or fence, which lets part of the beams through."""
    solid = rng.random() < 0.6
    material = Material(float(rng.uniform(25.0, 70.0))) if solid else Material(30.0, free_path_m=2.5 * width)
    return [slab(material, (-0.5 * length, 0.5 * length), (-0.5 * width, 0.5 * width), (-0.3, height))]


def pole(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Lamp post or sign; a sign carries a bright plate."""
    rows = [cylinder(Material(float(rng.uniform(20.0, 60.0))), 0.0, 0.0, 0.5 * length, (-0.2, height))]
    if rng.random() < 0.5:
        low = min(float(rng.uniform(2.0, 2.6)), height - 0.4)
        rows.append(slab(SIGN, (0.5 * length, 0.5 * length + 0.03), (-0.35, 0.35), (low, min(low + 0.8, height))))
    return rows


def tree(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Trunk and porous crown."""
    leaves = Material(float(rng.uniform(18.0, 45.0)), free_path_m=float(rng.uniform(0.5, 1.4)))
    crown = float(rng.uniform(1.3, 2.8))
    fork = float(rng.uniform(0.28, 0.45)) * height
    rows = [cylinder(Material(25.0), 0.0, 0.0, 0.5 * length, (-0.2, fork + 0.5))]
    for _ in range(2):
        x, y = rng.uniform(-0.5, 0.5, 2)
        rows.append(ellipsoid(leaves, float(x), float(y), (crown, crown), (fork, height)))
    return rows


def bush(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Porous half ellipsoid."""
    leaves = Material(float(rng.uniform(18.0, 45.0)), free_path_m=float(rng.uniform(0.15, 0.5)))
    return [ellipsoid(leaves, 0.0, 0.0, (0.5 * length, 0.5 * width), (-height, height))]
