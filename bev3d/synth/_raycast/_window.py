"""The part of a revolution that can see a primitive."""

import math

import numpy as np
from numba import njit

from bev3d.synth._raycast._intersect import ELLIPSOID, MAX_RANGE_M, PRISM

WINDOW_MARGIN = math.radians(1.2)  # a tilted sensor sees a window turned by at most this


@njit(cache=True, nogil=True)
def _extent(prim):
    """Footprint of a primitive in the frame of its pose: x0, x1, y0, y1."""
    kind = int(prim[1])
    half = max(prim[10], prim[11])
    if kind == PRISM:
        return min(prim[5], prim[6]), max(prim[7], prim[8]), prim[9] - half, prim[9] + half
    along = prim[6] if kind == ELLIPSOID else half
    return prim[5] - along, prim[5] + along, prim[9] - half, prim[9] + half


@njit(cache=True, nogil=True)
def window(prim, ox, oy, oz, heading, elevations):
    """Rays that may hit: first azimuth (sensor frame), span of azimuth, first and last ring + 1.

    (ox, oy, oz) is the sensor in the frame of the primitive, ``heading`` the sensor's yaw in that frame.
    """
    x0, x1, y0, y1 = _extent(prim)
    gap_x, gap_y = max(x0 - ox, 0.0, ox - x1), max(y0 - oy, 0.0, oy - y1)
    nearest = math.sqrt(gap_x * gap_x + gap_y * gap_y)
    if nearest > MAX_RANGE_M:
        return 0.0, 0.0, 0, 0
    farthest = math.sqrt(max(abs(x0 - ox), abs(x1 - ox)) ** 2 + max(abs(y0 - oy), abs(y1 - oy)) ** 2)
    low, high = prim[12] - oz, prim[13] - oz
    top = math.atan2(high, max(nearest, 1e-3) if high > 0.0 else farthest) + WINDOW_MARGIN
    bottom = math.atan2(low, max(nearest, 1e-3) if low < 0.0 else farthest) - WINDOW_MARGIN
    first = np.searchsorted(elevations, bottom)
    last = np.searchsorted(elevations, top)
    if nearest <= 0.0:
        return 0.0, 2.0 * math.pi, first, last
    middle = math.atan2(0.5 * (y0 + y1) - oy, 0.5 * (x0 + x1) - ox)
    lowest, highest = 0.0, 0.0
    for corner in range(4):
        x = x0 if corner < 2 else x1
        y = y0 if corner % 2 == 0 else y1
        angle = math.atan2(y - oy, x - ox) - middle
        angle -= 2.0 * math.pi * math.floor(angle / (2.0 * math.pi) + 0.5)
        lowest, highest = min(lowest, angle), max(highest, angle)
    span = min(highest - lowest + 2.0 * WINDOW_MARGIN, 2.0 * math.pi)
    return middle + lowest - WINDOW_MARGIN - heading, span, first, last
