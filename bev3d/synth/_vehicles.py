"""Shapes of vehicles with wheels in pairs. Every one tells its front from its rear.

Each function takes length, width and height of the box and the scene's generator and gives primitives inside the
box (x forward from the centre, z up from the bottom). They are drawn in a unit box: x from -0.5 (rear) to 0.5
(front), y from -1 (right) to 1 (left), z from 0 to 1.
"""

from __future__ import annotations

import numpy as np

from bev3d.synth._parts import DARK, GLASS, Material, Row, Span, fit, glasshouse, prism, slab

__all__ = ["bus", "car", "paint", "pickup", "tractor", "trailer", "truck", "van"]

PLATE = Material(230.0)  # retroreflective
STEEL = Material(40.0)
TAIL, NOSE, SIDE, ROOF = -0.49, 0.49, 0.98, 0.99  # a little inside the box


def paint(rng: np.random.Generator) -> Material:
    """Car paint from black to white."""
    return Material(float(np.exp(rng.uniform(np.log(14.0), np.log(110.0)))), returns=0.97)


def car(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Saloon or hatchback: sloping bonnet in front, cabin towards the rear."""
    colour = paint(rng)
    saloon = rng.random() < 0.5
    rear = (-0.36, -0.24) if saloon else (-0.485, -0.40)
    rows = [
        prism(colour, (TAIL, TAIL), (NOSE, 0.485), (SIDE, SIDE), (0.14, 0.44)),
        prism(colour, (TAIL, -0.48), (0.485, 0.25), (SIDE, 0.9), (0.44, 0.57)),
        *glasshouse(colour, rear, (0.24, 0.05), (0.9, 0.73), (0.57, ROOF), 0.8),
        _plate(0.42, 0.50),
        *_axles(0.36, (-0.31, 0.31), 0.07),
    ]
    return fit(rows, length, width, height)


def van(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Van: upright tail, short sloping nose."""
    colour = paint(rng)
    rows = [
        prism(colour, (TAIL, TAIL), (NOSE, 0.47), (SIDE, SIDE), (0.12, 0.5)),
        *glasshouse(colour, (TAIL, -0.475), (0.42, 0.25), (SIDE, 0.86), (0.5, ROOF), 0.7),
        _plate(0.34, 0.40),
        *_axles(0.3, (-0.3, 0.33), 0.065),
    ]
    return fit(rows, length, width, height)


def pickup(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Pick-up: bonnet, cabin before the middle, open bed behind."""
    colour = paint(rng)
    bed = (0.42, 0.56)
    rows = [
        prism(colour, (TAIL, TAIL), (NOSE, 0.47), (SIDE, SIDE), (0.2, 0.42)),
        prism(colour, (-0.12, -0.12), (0.48, 0.42), (SIDE, SIDE), bed),
        slab(colour, (TAIL, -0.46), (-SIDE, SIDE), bed),
        *(slab(colour, (-0.47, -0.12), _side(side, 0.88, SIDE), bed) for side in (-1, 1)),
        *glasshouse(colour, (-0.12, -0.1), (0.24, 0.12), (SIDE, 0.78), (0.56, ROOF), 0.75),
        *_axles(0.38, (-0.31, 0.31), 0.075),
    ]
    return fit(rows, length, width, height)


def tractor(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Road tractor: high cab in front, bare frame with the coupling behind."""
    colour = paint(rng)
    rows = [
        slab(DARK, (TAIL, 0.1), (-0.6, 0.6), (0.16, 0.34)),
        prism(colour, (0.0, 0.0), (NOSE, 0.48), (0.96, 0.96), (0.12, 0.5)),
        *glasshouse(colour, (0.0, 0.03), (0.48, 0.40), (0.96, 0.9), (0.5, ROOF), 0.55),
        *_axles(0.3, (-0.33, 0.3), 0.085),
    ]
    return fit(rows, length, width, height)


def truck(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Box lorry: cab in front, a gap, a higher box behind on a frame that one sees through under."""
    colour, box = paint(rng), Material(float(rng.uniform(40.0, 120.0)))
    cab = NOSE - min(2.3 / length, 0.34)
    gap, bonnet = 0.25 / length, 0.45 / length
    roof = float(rng.uniform(0.72, 0.85))
    rows = [
        slab(box, (TAIL, cab - gap), (-SIDE, SIDE), (0.34, ROOF)),
        slab(DARK, (-0.47, cab), (-0.6, 0.6), (0.2, 0.34)),
        prism(colour, (cab, cab), (NOSE, 0.485), (0.94, 0.94), (0.12, 0.42)),
        *glasshouse(colour, (cab, cab + 0.1 / length), (0.485, 0.485 - bonnet), (0.94, 0.86), (0.42, roof), 0.65),
        *_axles(0.3, (-0.32, 0.34), 0.07),
    ]
    return fit(rows, length, width, height)


def bus(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Bus: one long body with a band of windows, sloping front, closed painted rear, cooler on the rear of the roof."""
    colour = paint(rng)
    sill, head = 0.36, 0.72
    back = TAIL + 1.2 / length
    rows = [
        prism(colour, (TAIL, TAIL), (NOSE, 0.488), (SIDE, SIDE), (0.1, sill)),
        prism(colour, (TAIL, TAIL), (back, back), (SIDE, SIDE), (sill, head)),
        prism(Material(GLASS.reflectivity, returns=0.6), (back, back), (0.488, 0.47), (SIDE, 0.96), (sill, head)),
        prism(colour, (TAIL, -0.485), (0.47, 0.44), (0.96, 0.91), (head, 0.92)),
        slab(colour, (-0.42, -0.18), (-0.64, 0.64), (0.92, ROOF)),
        slab(DARK, (0.25, 0.34), (-0.99, -0.9), (0.12, 0.7)),  # the door, to the kerb
        *_axles(0.28, (-0.25, 0.27), 0.05),
    ]
    return fit(rows, length, width, height)


def trailer(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Semi-trailer: a high box, axles under its rear, nothing but a landing gear under its front."""
    body = Material(float(rng.uniform(45.0, 140.0)))
    if rng.random() < 0.25:  # flat bed with a headboard and a load towards the rear
        rows = [
            slab(STEEL, (TAIL, NOSE), (-SIDE, SIDE), (0.27, 0.36)),
            slab(STEEL, (0.47, NOSE), (-SIDE, SIDE), (0.36, 0.6)),
            slab(body, (-0.45, 0.15), (-0.88, 0.88), (0.36, ROOF)),
        ]
    else:
        rows = [
            slab(body, (TAIL, NOSE), (-SIDE, SIDE), (0.29, ROOF)),
            slab(DARK, (-0.3, 0.3), (-0.8, 0.8), (0.2, 0.29)),
        ]
    rows += [
        *_axles(0.26, (-0.42, -0.34, -0.26), 0.4 / length),
        slab(STEEL, (0.22, 0.24), (-0.7, 0.7), (0.01, 0.28)),
        slab(PLATE, (-0.4935, TAIL), (-SIDE, SIDE), (0.24, 0.29)),
    ]
    return fit(rows, length, width, height)


def _plate(low: float, high: float) -> Row:
    """Number plate on the tail."""
    return slab(PLATE, (-0.497, TAIL), (-0.27, 0.27), (low, high))


def _axles(top: float, places: tuple[float, ...], half_length: float) -> list[Row]:
    """Wheels: a dark block on each side at the given places."""
    return [
        slab(DARK, (x - half_length, x + half_length), _side(side, 0.66, 0.99), (0.0, top))
        for x in places
        for side in (-1, 1)
    ]


def _side(side: int, inner: float, outer: float) -> Span:
    """Span across on the left (1) or the right (-1)."""
    return (inner, outer) if side > 0 else (-outer, -inner)
