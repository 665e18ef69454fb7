"""Overlap of two boxes by clipping a polygon: slow, obvious, independent of the library.

The corners of B, in A's frame, are clipped by A's four sides one after the other (Sutherland and Hodgman, 1974),
without any tolerance. The arithmetic is what ``number`` and ``cos_sin`` say: float64, or mpmath for the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np

Point = tuple[Any, Any]


def intersection(a: Any, b: Any, *, precise: bool = False) -> Any:
    """Area of the footprints' intersection; a, b: seven numbers each. ``precise``: in 60 digits."""
    if precise:
        with mpmath.workdps(60):
            return _intersection(a, b, mpmath.mpf, lambda yaw: (mpmath.cos(yaw), mpmath.sin(yaw)))
    return _intersection(a, b, float, lambda yaw: (math.cos(yaw), math.sin(yaw)))


def iou_bev(a: Any, b: Any, *, precise: bool = False) -> Any:
    """IoU of the footprints; 0 where both are empty."""
    number = mpmath.mpf if precise else float
    area = intersection(a, b, precise=precise)
    union = number(float(a[3])) * number(float(a[4])) + number(float(b[3])) * number(float(b[4])) - area
    return area / union if union > 0 else number(0)


def iou_3d(a: Any, b: Any, *, precise: bool = False) -> Any:
    """IoU of the volumes; 0 where both are empty."""
    number = mpmath.mpf if precise else float
    za, ha, zb, hb = (number(float(value)) for value in (a[2], a[5], b[2], b[5]))
    # from the difference of the centres, for the sake of the float64 form
    height = max(min(ha / 2, (zb - za) + hb / 2) - max(-ha / 2, (zb - za) - hb / 2), 0)
    volume = intersection(a, b, precise=precise) * height
    volume_a = number(float(a[3])) * number(float(a[4])) * ha
    volume_b = number(float(b[3])) * number(float(b[4])) * hb
    union = volume_a + volume_b - volume
    return volume / union if union > 0 else number(0)


def each(function: Callable[..., Any], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``function`` of every aligned pair of rows, as float64."""
    return np.array([function(p, q) for p, q in zip(a.tolist(), b.tolist(), strict=True)], dtype=np.float64)


def _intersection(a: Any, b: Any, number: Callable[[float], Any], cos_sin: Callable[[Any], tuple[Any, Any]]) -> Any:
    ax, ay, _, a_length, a_width, _, a_yaw = (number(float(value)) for value in a[:7])
    bx, by, _, b_length, b_width, _, b_yaw = (number(float(value)) for value in b[:7])
    if min(a_length, a_width, b_length, b_width) <= 0:
        return number(0)
    c, s = cos_sin(a_yaw)
    dx, dy = bx - ax, by - ay
    x, y = c * dx + s * dy, c * dy - s * dx
    c, s = cos_sin(b_yaw - a_yaw)
    half_length, half_width = b_length / 2, b_width / 2
    polygon = [
        (x + p * half_length * c - q * half_width * s, y + p * half_length * s + q * half_width * c)
        for p, q in ((1, 1), (-1, 1), (-1, -1), (1, -1))
    ]
    for axis, half in ((0, a_length / 2), (1, a_width / 2)):
        for sign in (1, -1):
            polygon = _clip(polygon, axis, sign, half)
    return _shoelace(polygon, number)


def _clip(polygon: list[Point], axis: int, sign: int, half: Any) -> list[Point]:
    """What of the polygon has sign * coordinate <= half."""
    kept: list[Point] = []
    for k, end in enumerate(polygon):
        start = polygon[k - 1]
        start_out, end_out = sign * start[axis] - half, sign * end[axis] - half
        if (start_out > 0) != (end_out > 0):
            t = start_out / (start_out - end_out)
            crossing = [start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])]
            crossing[axis] = sign * half
            kept.append((crossing[0], crossing[1]))
        if end_out <= 0:
            kept.append(end)
    return kept


def _shoelace(polygon: list[Point], number: Callable[[float], Any]) -> Any:
    if len(polygon) < 3:
        return number(0)
    x0, y0 = polygon[0]
    total = number(0)
    for (x1, y1), (x2, y2) in pairwise(polygon[1:]):
        total += (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    return max(total / 2, number(0))
