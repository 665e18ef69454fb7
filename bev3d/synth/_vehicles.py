"""Shapes of vehicles with wheels in pairs. Every one tells its front from its rear.

Each function takes length, width and height of the box and the scene's generator and gives primitives inside the
box (x forward from the centre, z up from the bottom).
"""

from __future__ import annotations

import numpy as np

from bev3d.synth._parts import DARK, Material, Row, glasshouse, prism, slab

__all__ = ["bus", "car", "construction_vehicle", "paint", "pickup", "tractor", "trailer", "truck", "van"]

PLATE = Material(230.0)  # retroreflective
YELLOW = Material(70.0)
STEEL = Material(40.0)


def paint(rng: np.random.Generator) -> Material:
    """Car paint from black to white."""
    return Material(float(np.exp(rng.uniform(np.log(14.0), np.log(110.0)))), returns=0.97)


def car(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Saloon or hatchback: sloping bonnet in front, cabin towards the rear."""
    colour = paint(rng)
    saloon = rng.random() < 0.5
    rear = (-0.36, -0.24) if saloon else (-0.485, -0.40)
    front = (0.24, 0.05)
    deck, roof = 0.57 * height, 0.99 * height
    half = 0.49 * width
    rows = [
        prism(
            colour,
            (-0.49 * length, -0.49 * length),
            (0.49 * length, 0.485 * length),
            (half, half),
            (0.14 * height, 0.44 * height),
        ),
        prism(
            colour,
            (-0.49 * length, -0.48 * length),
            (0.485 * length, 0.25 * length),
            (half, 0.92 * half),
            (0.44 * height, deck),
        ),
    ]
    rows += glasshouse(
        colour,
        (rear[0] * length, rear[1] * length),
        (front[0] * length, front[1] * length),
        (0.92 * half, 0.74 * half),
        (deck, roof),
        0.8,
    )
    rows.append(slab(PLATE, (-0.497 * length, -0.49 * length), (-0.26, 0.26), (0.42 * height, 0.50 * height)))
    return rows + _axles(length, width, 0.36 * height, (-0.31, 0.31), 0.07)


def van(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Van: upright tail, short sloping nose."""
    colour = paint(rng)
    half, deck = 0.49 * width, 0.5 * height
    rows = [
        prism(
            colour,
            (-0.49 * length, -0.49 * length),
            (0.49 * length, 0.47 * length),
            (half, half),
            (0.12 * height, deck),
        ),
        slab(PLATE, (-0.497 * length, -0.49 * length), (-0.26, 0.26), (0.34 * height, 0.40 * height)),
    ]
    rows += glasshouse(
        colour,
        (-0.49 * length, -0.475 * length),
        (0.42 * length, 0.25 * length),
        (half, 0.88 * half),
        (deck, 0.99 * height),
        0.7,
    )
    return rows + _axles(length, width, 0.3 * height, (-0.3, 0.33), 0.065)


def pickup(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Pick-up: bonnet, cabin before the middle, open bed behind."""
    colour = paint(rng)
    half, deck = 0.49 * width, 0.56 * height
    rows = [
        prism(
            colour,
            (-0.49 * length, -0.49 * length),
            (0.49 * length, 0.47 * length),
            (half, half),
            (0.2 * height, 0.42 * height),
        ),
        prism(
            colour,
            (-0.12 * length, -0.12 * length),
            (0.48 * length, 0.42 * length),
            (half, half),
            (0.42 * height, deck),
        ),
        slab(colour, (-0.49 * length, -0.46 * length), (-half, half), (0.42 * height, deck)),
    ]
    for side in (-1.0, 1.0):
        edge = sorted((side * half, side * 0.9 * half))
        rows.append(slab(colour, (-0.47 * length, -0.12 * length), (edge[0], edge[1]), (0.42 * height, deck)))
    rows += glasshouse(
        colour,
        (-0.12 * length, -0.1 * length),
        (0.24 * length, 0.12 * length),
        (half, 0.8 * half),
        (deck, 0.99 * height),
        0.75,
    )
    return rows + _axles(length, width, 0.38 * height, (-0.31, 0.31), 0.075)


def tractor(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Road tractor: high cab in front, bare frame with the coupling behind."""
    colour = paint(rng)
    half = 0.48 * width
    rows = [slab(DARK, (-0.49 * length, 0.1 * length), (-0.3 * width, 0.3 * width), (0.16 * height, 0.34 * height))]
    rows.append(prism(colour, (0.0, 0.0), (0.49 * length, 0.48 * length), (half, half), (0.12 * height, 0.5 * height)))
    rows += glasshouse(
        colour,
        (0.0, 0.03 * length),
        (0.48 * length, 0.40 * length),
        (half, 0.93 * half),
        (0.5 * height, 0.99 * height),
        0.55,
    )
    return rows + _axles(length, width, 0.3 * height, (-0.33, 0.3), 0.085)


def truck(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Box lorry: cab in front, a gap, a higher box behind on a frame that one sees through under."""
    colour, box = paint(rng), Material(float(rng.uniform(40.0, 120.0)))
    cab = 0.49 * length - min(2.3, 0.34 * length)
    roof = min(0.99, rng.uniform(0.72, 0.85)) * height
    half = 0.47 * width
    rows = [
        slab(box, (-0.49 * length, cab - 0.25), (-0.49 * width, 0.49 * width), (0.34 * height, 0.99 * height)),
        slab(DARK, (-0.47 * length, cab), (-0.3 * width, 0.3 * width), (0.2 * height, 0.34 * height)),
        prism(colour, (cab, cab), (0.49 * length, 0.485 * length), (half, half), (0.12 * height, 0.42 * height)),
    ]
    rows += glasshouse(
        colour,
        (cab, cab + 0.1),
        (0.485 * length, 0.485 * length - 0.45),
        (half, 0.92 * half),
        (0.42 * height, roof),
        0.65,
    )
    return rows + _axles(length, width, 0.3 * height, (-0.32, 0.34), 0.07)


def bus(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Bus: one long body with a band of windows, sloping front, closed painted rear, cooler on the rear of the roof."""
    colour = paint(rng)
    half, sill, head = 0.49 * width, 0.36 * height, 0.72 * height
    tail = -0.49 * length
    rows = [
        prism(colour, (tail, tail), (0.49 * length, 0.488 * length), (half, half), (0.1 * height, sill)),
        prism(colour, (tail, tail), (tail + 1.2, tail + 1.2), (half, half), (sill, head)),
        prism(
            Material(12.0, returns=0.6),
            (tail + 1.2, tail + 1.2),
            (0.488 * length, 0.47 * length),
            (half, 0.98 * half),
            (sill, head),
        ),
        prism(
            colour,
            (tail, tail + 0.05),
            (0.47 * length, 0.44 * length),
            (0.98 * half, 0.93 * half),
            (head, 0.92 * height),
        ),
        slab(colour, (-0.42 * length, -0.18 * length), (-0.32 * width, 0.32 * width), (0.92 * height, 0.995 * height)),
        slab(
            DARK, (0.25 * length, 0.34 * length), (0.9 * half, 0.995 * half), (0.12 * height, 0.7 * height)
        ),  # door, right
    ]
    return rows + _axles(length, width, 0.28 * height, (-0.25, 0.27), 0.05)


def trailer(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Semi-trailer: a high box, axles under its rear, nothing but a landing gear under its front."""
    body = Material(float(rng.uniform(45.0, 140.0)))
    half = 0.49 * width
    if rng.random() < 0.25:  # flat bed with a headboard and a load towards the rear
        floor = 0.36 * height
        rows = [
            slab(STEEL, (-0.49 * length, 0.49 * length), (-half, half), (0.27 * height, floor)),
            slab(STEEL, (0.47 * length, 0.49 * length), (-half, half), (floor, 0.6 * height)),
            slab(body, (-0.45 * length, 0.15 * length), (-0.9 * half, 0.9 * half), (floor, 0.99 * height)),
        ]
    else:
        rows = [slab(body, (-0.49 * length, 0.49 * length), (-half, half), (0.29 * height, 0.99 * height))]
        rows.append(slab(DARK, (-0.3 * length, 0.3 * length), (-0.8 * half, 0.8 * half), (0.2 * height, 0.29 * height)))
    for x in (-0.42, -0.34, -0.26):
        rows.append(slab(DARK, (x * length - 0.4, x * length + 0.4), (-half, half), (0.0, 0.26 * height)))
    rows.append(slab(STEEL, (0.22 * length, 0.24 * length), (-0.7 * half, 0.7 * half), (0.03, 0.28 * height)))
    rows.append(slab(PLATE, (-0.4935 * length, -0.49 * length), (-half, half), (0.24 * height, 0.29 * height)))
    return rows


def construction_vehicle(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Excavator or wheel loader: heavy rear, cab in the middle, arm and bucket in front."""
    return (_excavator if rng.random() < 0.55 else _loader)(length, width, height)


def _excavator(length: float, width: float, height: float) -> list[Row]:
    half, rows = 0.49 * width, []
    for side in (-1.0, 1.0):
        y = sorted((side * half, side * 0.55 * half))
        rows.append(slab(DARK, (-0.45 * length, 0.14 * length), (y[0], y[1]), (0.0, 0.24 * height)))
    rows.append(
        slab(YELLOW, (-0.49 * length, 0.05 * length), (-0.95 * half, 0.95 * half), (0.28 * height, 0.55 * height))
    )
    rows += glasshouse(
        YELLOW,
        (-0.15 * length, -0.14 * length),
        (0.1 * length, 0.05 * length),
        (0.45 * half, 0.4 * half),
        (0.55 * height, 0.9 * height),
        0.75,
    )
    boom = 0.16 * half
    rows.append(
        prism(
            YELLOW,
            (0.02 * length, 0.26 * length),
            (0.12 * length, 0.36 * length),
            (boom, boom),
            (0.4 * height, 0.99 * height),
        )
    )
    rows.append(
        prism(
            YELLOW,
            (0.40 * length, 0.27 * length),
            (0.46 * length, 0.36 * length),
            (boom, boom),
            (0.2 * height, 0.99 * height),
        )
    )
    rows.append(
        prism(
            STEEL,
            (0.36 * length, 0.33 * length),
            (0.47 * length, 0.49 * length),
            (0.5 * half, 0.5 * half),
            (0.03 * height, 0.26 * height),
        )
    )
    return rows


def _loader(length: float, width: float, height: float) -> list[Row]:
    half = 0.49 * width
    rows = [
        prism(
            YELLOW,
            (-0.49 * length, -0.47 * length),
            (-0.12 * length, -0.12 * length),
            (0.8 * half, 0.75 * half),
            (0.2 * height, 0.6 * height),
        )
    ]
    rows += glasshouse(
        YELLOW,
        (-0.14 * length, -0.12 * length),
        (0.08 * length, 0.05 * length),
        (0.6 * half, 0.55 * half),
        (0.2 * height, 0.99 * height),
        0.85,
    )
    rows.append(
        prism(
            YELLOW,
            (0.05 * length, 0.05 * length),
            (0.2 * length, 0.12 * length),
            (0.4 * half, 0.4 * half),
            (0.2 * height, 0.5 * height),
        )
    )
    rows.append(
        prism(
            YELLOW,
            (0.30 * length, 0.1 * length),
            (0.38 * length, 0.2 * length),
            (0.3 * half, 0.3 * half),
            (0.12 * height, 0.52 * height),
        )
    )
    rows.append(
        prism(
            STEEL,
            (0.36 * length, 0.36 * length),
            (0.49 * length, 0.42 * length),
            (half, half),
            (0.04 * height, 0.3 * height),
        )
    )
    return rows + _axles(length, width, 0.4 * height, (-0.32, 0.16), 0.1)


def _axles(length: float, width: float, top: float, places: tuple[float, ...], half_length: float) -> list[Row]:
    """Wheels: a dark block on each side at the given shares of the length."""
    rows = []
    for x in places:
        for side in (-1.0, 1.0):
            y = sorted((side * 0.495 * width, side * 0.33 * width))
            rows.append(slab(DARK, ((x - half_length) * length, (x + half_length) * length), (y[0], y[1]), (0.0, top)))
    return rows
