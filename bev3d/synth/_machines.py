"""Shapes of construction vehicles, in the manner of :mod:`bev3d.synth._vehicles`."""

from __future__ import annotations

import numpy as np

from bev3d.synth._parts import DARK, Material, Row, fit, glasshouse, prism, slab

__all__ = ["construction_vehicle"]

YELLOW = Material(70.0)
STEEL = Material(40.0)


def construction_vehicle(length: float, width: float, height: float, rng: np.random.Generator) -> list[Row]:
    """Excavator or wheel loader: heavy rear, cab in the middle, arm and bucket in front."""
    rows = _excavator() if rng.random() < 0.55 else _loader()
    return fit(rows, length, width, height)


def _excavator() -> list[Row]:
    tracks = [slab(DARK, (-0.45, 0.14), y, (0.0, 0.24)) for y in ((-0.98, -0.54), (0.54, 0.98))]
    return [
        *tracks,
        slab(YELLOW, (-0.49, 0.05), (-0.93, 0.93), (0.28, 0.55)),
        *glasshouse(YELLOW, (-0.15, -0.14), (0.1, 0.05), (0.44, 0.39), (0.55, 0.9), 0.75),
        prism(YELLOW, (0.02, 0.26), (0.12, 0.36), (0.16, 0.16), (0.4, 0.99)),  # boom, rising
        prism(YELLOW, (0.40, 0.27), (0.46, 0.36), (0.16, 0.16), (0.2, 0.99)),  # stick, coming down
        prism(STEEL, (0.36, 0.33), (0.47, 0.49), (0.49, 0.49), (0.01, 0.26)),
    ]


def _loader() -> list[Row]:
    wheels = [
        slab(DARK, (x - 0.1, x + 0.1), y, (0.0, 0.4)) for x in (-0.32, 0.16) for y in ((-0.99, -0.66), (0.66, 0.99))
    ]
    return [
        *wheels,
        prism(YELLOW, (-0.49, -0.47), (-0.12, -0.12), (0.78, 0.74), (0.2, 0.6)),
        *glasshouse(YELLOW, (-0.14, -0.12), (0.08, 0.05), (0.59, 0.54), (0.2, 0.99), 0.85),
        prism(YELLOW, (0.05, 0.05), (0.2, 0.12), (0.39, 0.39), (0.2, 0.5)),
        prism(YELLOW, (0.30, 0.1), (0.38, 0.2), (0.29, 0.29), (0.12, 0.52)),  # arms
        prism(STEEL, (0.36, 0.36), (0.49, 0.42), (0.98, 0.98), (0.02, 0.3)),  # bucket
    ]
