"""Boxes by rank, and whether one suppresses another."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bev3d_ops.cpu._overlap_block import FAST, rectangle_intersection
from bev3d_ops.cpu._prepare import LARGEST_M, is_box
from bev3d_ops.reference._nms import CIRCLE, DIOU

__all__ = ["COS", "HALF_LENGTH", "HALF_WIDTH", "RADIUS", "SIN", "X", "Y", "is_suppressed", "rank_boxes"]

# Columns of a ranked box; with the last, which is not used, one cache line.
X, Y, RADIUS, HALF_LENGTH, HALF_WIDTH, COS, SIN = range(7)


@njit(cache=True, nogil=True, error_model="numpy")
def rank_boxes(boxes, order, kind, radius):
    """Boxes (N, >= 7) in the order of ``order`` (K,), as (K, 8) float64; what is no box has a negative radius.

    Two boxes whose centres are further apart than the sum of their radii never suppress each other: for ``CIRCLE``
    half of ``radius`` each, else half the diagonal.
    """
    rows = np.zeros((len(order), 8), np.float64)
    for rank in range(len(order)):
        i = order[rank]
        rows[rank, RADIUS] = -1.0
        x, y = np.float64(boxes[i, 0]), np.float64(boxes[i, 1])
        if kind == CIRCLE:
            if (abs(x) <= LARGEST_M) & (abs(y) <= LARGEST_M):
                rows[rank, X], rows[rank, Y], rows[rank, RADIUS] = x, y, 0.5 * radius
            continue
        if not is_box(boxes, i, 7):
            continue
        half_length, half_width = 0.5 * np.float64(boxes[i, 3]), 0.5 * np.float64(boxes[i, 4])
        yaw = np.float64(boxes[i, 6])
        rows[rank, X], rows[rank, Y], rows[rank, COS], rows[rank, SIN] = x, y, math.cos(yaw), math.sin(yaw)
        rows[rank, HALF_LENGTH], rows[rank, HALF_WIDTH] = half_length, half_width
        # one part in 1e9 more: a pair that the circles part is then surely apart
        rows[rank, RADIUS] = math.sqrt(half_length * half_length + half_width * half_width) * (1 + 1e-9)
    return rows


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def is_suppressed(dx, dy, ca, sa, ax, ay, cb, sb, bx, by, threshold, kind):
    """Whether IoU or DIoU of the kept box A and the box B, (dx, dy) away from it, are greater than ``threshold``."""
    area_a, area_b = 4.0 * ax * ay, 4.0 * bx * by
    # the ratio of the areas bounds the IoU from above
    if min(area_a, area_b) <= threshold * max(area_a, area_b) * (1 - 1e-12):
        return False
    x, y = ca * dx + sa * dy, ca * dy - sa * dx
    c, s = ca * cb + sa * sb, ca * sb - sa * cb
    reach_x, reach_y = bx * abs(c) + by * abs(s), bx * abs(s) + by * abs(c)
    # the part of A within B's bounding box, parallel to A, is no smaller than the intersection
    common_x = min(ax, x + reach_x) - max(-ax, x - reach_x)
    common_y = min(ay, y + reach_y) - max(-ay, y - reach_y)
    bound = max(common_x, 0.0) * max(common_y, 0.0) * (1 + 1e-12)
    if bound * (1.0 + threshold) <= threshold * (area_a + area_b):
        return False
    area = rectangle_intersection(x, y, c, s, ax, ay, bx, by)
    overlap = min(area / max(area_a + area_b - area, 1e-300), 1.0)
    if (kind == DIOU) & (overlap > threshold):
        width = max(ax, x + reach_x) - min(-ax, x - reach_x)
        height = max(ay, y + reach_y) - min(-ay, y - reach_y)
        overlap -= (x * x + y * y) / (width * width + height * height)
    return overlap > threshold
