"""Primitives as rows for the ray caster, in metres in the frame of their owner (x forward, z up from the ground).

Columns: 0 owner (filled later), 1 kind, 2 reflectivity 0 to 255, 3 share of hits that return, 4 mean free path of
porous stuff (0: solid), 5 to 13 geometry, see :mod:`bev3d.synth._raycast._intersect`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bev3d.synth._raycast import CONE, ELLIPSOID, PRISM

__all__ = [
    "DARK",
    "GLASS",
    "Material",
    "Row",
    "Span",
    "cone",
    "cylinder",
    "ellipsoid",
    "fit",
    "glasshouse",
    "prism",
    "slab",
]

Row = tuple[float, ...]
Span = tuple[float, float]


@dataclass(frozen=True)
class Material:
    """How a surface answers."""

    reflectivity: float
    """0 to 255 at normal incidence."""
    returns: float = 1.0
    """Share of hits that come back at all."""
    free_path_m: float = 0.0
    """Mean depth to which a ray enters; 0 for a solid."""


GLASS = Material(8.0, returns=0.45)
DARK = Material(6.0, returns=0.9)  # rubber, shade under a chassis


def prism(material: Material, rear: Span, front: Span, half_width: Span, z: Span, *, y: float = 0.0) -> Row:
    """Six-sided body; ``rear``, ``front`` and ``half_width`` are given at the bottom and at the top."""
    return _row(PRISM, material, (*rear, *front, y, *half_width, *z))


def slab(material: Material, x: Span, y: Span, z: Span) -> Row:
    """Box with its faces along the axes."""
    half = 0.5 * (y[1] - y[0])
    return _row(PRISM, material, (x[0], x[0], x[1], x[1], 0.5 * (y[0] + y[1]), half, half, *z))


def glasshouse(paint: Material, rear: Span, front: Span, half_width: Span, z: Span, glass: float) -> list[Row]:
    """A cabin: windows up to the share ``glass`` of its height, painted roof above them, all faces in one plane."""

    def at(span: Span) -> float:
        return span[0] + glass * (span[1] - span[0])

    middle = at(z)
    lower = prism(GLASS, (rear[0], at(rear)), (front[0], at(front)), (half_width[0], at(half_width)), (z[0], middle))
    upper = prism(paint, (at(rear), rear[1]), (at(front), front[1]), (at(half_width), half_width[1]), (middle, z[1]))
    return [lower, upper]


def cone(material: Material, x: float, y: float, radii: Span, z: Span) -> Row:
    """Upright truncated cone."""
    return _row(CONE, material, (x, 0.0, 0.0, 0.0, y, *radii, *z))


def cylinder(material: Material, x: float, y: float, radius: float, z: Span) -> Row:
    """Upright cylinder."""
    return cone(material, x, y, (radius, radius), z)


def ellipsoid(material: Material, x: float, y: float, half: Span, z: Span) -> Row:
    """Ellipsoid of half axes ``half`` along x and y between two heights."""
    return _row(ELLIPSOID, material, (x, half[0], 0.0, 0.0, y, half[1], 0.0, *z))


def fit(rows: list[Row], length: float, width: float, height: float) -> list[Row]:
    """Prisms drawn in a unit box, scaled: x in lengths, y in half widths, z in heights."""
    along, across = (length,) * 4, (0.5 * width,) * 3
    factors = (1.0,) * 5 + along + across + (height,) * 2
    return [tuple(value * factor for value, factor in zip(row, factors, strict=True)) for row in rows]


def _row(kind: int, material: Material, geometry: tuple[float, ...]) -> Row:
    return (0.0, float(kind), material.reflectivity, material.returns, material.free_path_m, *geometry)
