"""Columns of a box, as names instead of bare integers."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

__all__ = ["Box"]


class Box(IntEnum):
    """Columns of a box (..., 7) or, with velocity, (..., 9), in one right-handed frame with z up.

    ====================== =====================================================================
    ``X, Y, Z``            centre of gravity, metres
    ``LENGTH, WIDTH``      extent along the heading and across it, metres
    ``HEIGHT``             extent along z, metres
    ``YAW``                radians, counter-clockwise about +z from +x; results lie in [-pi, pi)
    ``VX, VY``             velocity of the object over ground, metres per second; NaN where unknown
    ====================== =====================================================================

    ``Box.CENTRE``, ``Box.SIZE``, ``Box.BEV_CENTRE``, ``Box.BEV_SIZE`` and ``Box.VELOCITY`` are slices:
    ``boxes[..., Box.SIZE]``.
    """

    X = 0
    Y = 1
    Z = 2
    LENGTH = 3
    WIDTH = 4
    HEIGHT = 5
    YAW = 6
    VX = 7
    VY = 8

    CENTRE: ClassVar[slice]
    SIZE: ClassVar[slice]
    BEV_CENTRE: ClassVar[slice]
    BEV_SIZE: ClassVar[slice]
    VELOCITY: ClassVar[slice]


# Set after the class body: inside it an IntEnum would make members of them.
Box.CENTRE = slice(0, 3)
Box.SIZE = slice(3, 6)
Box.BEV_CENTRE = slice(0, 2)
Box.BEV_SIZE = slice(3, 5)
Box.VELOCITY = slice(7, 9)
