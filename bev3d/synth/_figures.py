"""Shapes of people, two-wheelers, cones, barriers and bins. See :mod:`bev3d.synth._vehicles`."""

from __future__ import annotations

import numpy as np

from bev3d.synth._parts import DARK, Material, Row, cone, ellipsoid, prism, slab
from bev3d.synth._vehicles import paint

__all__ = [
    "barrier",
    "bicycle",
    "litter_bin",
    "motorcycle",
    "pedestrian",
    "seated",
    "traffic_cone",
]

SKIN = Material(45.0)
STRIPE = Material(200.0)
ORANGE = Material(60.0)


def _clothes(rng: np.random.Generator) -> Material:
    return Material(float(rng.uniform(10.0, 75.0)))


def pedestrian(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Standing or walking person: legs apart along the stride, arms and face in front, often a rucksack behind."""
    top, legs = _clothes(rng), _clothes(rng)
    stride, half = 0.28 * length, 0.48 * width
    hips, shoulders = 0.48 * height, 0.84 * height
    swing = 1.0 if rng.random() < 0.5 else -1.0
    rows = [
        prism(legs, (swing * stride - 0.08, -0.08), (swing * stride + 0.08, 0.08), (0.08, 0.09), (0.0, hips), y=0.1),
        prism(legs, (-swing * stride - 0.08, -0.08), (-swing * stride + 0.08, 0.08), (0.08, 0.09), (0.0, hips), y=-0.1),
        ellipsoid(top, 0.0, 0.0, (0.15, 0.68 * half), (hips - 0.06, shoulders + 0.02)),
        ellipsoid(SKIN, 0.04, 0.0, (0.11, 0.09), (shoulders, 0.99 * height)),
    ]
    reach = 0.44 * length
    for side in (-1.0, 1.0):
        y = side * 0.86 * half
        rows.append(prism(top, (reach - 0.12, -0.05), (reach, 0.06), (0.05, 0.06), (0.58 * height, 0.8 * height), y=y))
    if rng.random() < 0.6:
        rows.append(
            slab(_clothes(rng), (-0.47 * length, -0.12), (-0.6 * half, 0.6 * half), (0.55 * height, 0.8 * height))
        )
    return rows


def seated(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Somebody sitting on a low seat, knees in front."""
    top, legs, half = _clothes(rng), _clothes(rng), 0.45 * width
    return [
        slab(legs, (-0.3 * length, 0.45 * length), (-0.7 * half, 0.7 * half), (0.3 * height, 0.45 * height)),
        slab(legs, (0.3 * length, 0.45 * length), (-0.6 * half, 0.6 * half), (0.0, 0.4 * height)),
        ellipsoid(top, -0.25 * length, 0.0, (0.16, 0.8 * half), (0.4 * height, 0.82 * height)),
        ellipsoid(SKIN, -0.2 * length, 0.0, (0.11, 0.09), (0.8 * height, 0.99 * height)),
    ]


def _rider(length: float, height: float, seat: float, rng: np.random.Generator) -> list[Row]:
    """Torso leaning forward from behind the middle, legs, arms to the handlebar, head."""
    top, legs = _clothes(rng), _clothes(rng)
    shoulders = seat + 0.62 * (height - seat)
    return [
        prism(top, (-0.2 * length, -0.06 * length), (-0.04 * length, 0.08 * length), (0.16, 0.2), (seat, shoulders)),
        prism(legs, (-0.02 * length, -0.14 * length), (0.1 * length, 0.02 * length), (0.17, 0.17), (0.3 * seat, seat)),
        prism(top, (0.16 * length, 0.0), (0.22 * length, 0.07 * length), (0.22, 0.2), (seat + 0.15, shoulders)),
        ellipsoid(SKIN, 0.05 * length, 0.0, (0.12, 0.1), (shoulders, 0.99 * height)),
    ]


def motorcycle(length: float, width: float, height: float, rng: np.random.Generator, *, rider: bool) -> list[Row]:
    """Motorcycle or scooter: deep body at the rear, fork and wide handlebar in front."""
    colour, half = paint(rng), 0.48 * width
    bars = min(1.05, 0.97 * height)
    rows = [
        slab(DARK, (-0.49 * length, -0.2 * length), (-0.08, 0.08), (0.0, 0.6)),
        slab(DARK, (0.2 * length, 0.49 * length), (-0.06, 0.06), (0.0, 0.6)),
        prism(colour, (-0.48 * length, -0.45 * length), (0.1 * length, 0.14 * length), (0.2, 0.14), (0.3, 0.82)),
        prism(colour, (0.3 * length, 0.14 * length), (0.38 * length, 0.24 * length), (0.12, 0.14), (0.5, bars)),
        slab(DARK, (0.12 * length, 0.18 * length), (-half, half), (bars - 0.1, bars)),
    ]
    return rows + (_rider(length, height, 0.8, rng) if rider else [])


def bicycle(length: float, width: float, height: float, rng: np.random.Generator, *, rider: bool) -> list[Row]:
    """Bicycle: two thin wheels, frame, saddle behind, handlebar (and often a basket) in front."""
    frame, half = paint(rng), 0.48 * width
    bars = min(1.05, 0.97 * height)
    tyre = Material(14.0, returns=0.6)  # spokes let most of a beam through
    rows = [
        slab(tyre, (-0.49 * length, -0.13 * length), (-0.03, 0.03), (0.0, 0.64)),
        slab(tyre, (0.13 * length, 0.49 * length), (-0.03, 0.03), (0.0, 0.64)),
        slab(frame, (-0.2 * length, 0.26 * length), (-0.04, 0.04), (0.42, 0.72)),
        prism(frame, (0.26 * length, 0.18 * length), (0.3 * length, 0.23 * length), (0.04, 0.05), (0.5, bars)),
        slab(DARK, (0.17 * length, 0.23 * length), (-half, half), (bars - 0.08, bars)),
        slab(DARK, (-0.24 * length, -0.1 * length), (-0.09, 0.09), (0.78, 0.88)),
    ]
    if rng.random() < 0.5:
        rows.append(slab(Material(30.0), (0.25 * length, 0.42 * length), (-0.16, 0.16), (0.68, 0.92)))
    return rows + (_rider(length, height, 0.85, rng) if rider else [])


def traffic_cone(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Cone on a square foot with one bright stripe."""
    foot, top = 0.34 * min(length, width), 0.1 * min(length, width)

    def radius(share: float) -> float:
        return foot + share * (top - foot)

    return [
        slab(DARK, (-0.49 * length, 0.49 * length), (-0.49 * width, 0.49 * width), (0.0, 0.05)),
        cone(ORANGE, 0.0, 0.0, (radius(0.0), radius(0.45)), (0.05, 0.45 * height)),
        cone(STRIPE, 0.0, 0.0, (radius(0.45), radius(0.7)), (0.45 * height, 0.7 * height)),
        cone(ORANGE, 0.0, 0.0, (radius(0.7), radius(1.0)), (0.7 * height, 0.99 * height)),
    ]


def barrier(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Concrete element, or boards on two feet; long across its heading, the same from both sides."""
    half = 0.49 * width
    if rng.random() < 0.5:
        stone, foot = Material(float(rng.uniform(45.0, 80.0))), 0.49 * length
        return [
            prism(stone, (-foot, -0.5 * foot), (foot, 0.5 * foot), (half, half), (0.0, 0.35 * height)),
            prism(
                stone,
                (-0.5 * foot, -0.35 * foot),
                (0.5 * foot, 0.35 * foot),
                (half, half),
                (0.35 * height, 0.99 * height),
            ),
        ]
    rows = [
        slab(STRIPE, (-0.05, 0.05), (-half, half), (0.72 * height, 0.99 * height)),
        slab(ORANGE, (-0.05, 0.05), (-half, half), (0.32 * height, 0.55 * height)),
    ]
    for side in (-0.75, 0.75):
        y = side * half
        rows.append(slab(DARK, (-0.49 * length, 0.49 * length), (y - 0.06, y + 0.06), (0.0, 0.1)))
        rows.append(slab(DARK, (-0.04, 0.04), (y - 0.05, y + 0.05), (0.1, 0.98 * height)))
    return rows


def litter_bin(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Wheeled bin with its lid."""
    body = Material(float(rng.uniform(12.0, 40.0)))
    rear, front, half = -0.4 * length, 0.45 * length, 0.48 * width
    return [prism(body, (rear, -0.48 * length), (0.8 * front, front), (0.8 * half, half), (0.04, 0.99 * height))]
