"""Gradient of the area of intersection and of IoU, for a block of pairs, beside the value.

A pair has ten local parameters: B's centre (x, y, z) in A's frame, the angle phi by which B is turned against A, and
the half sizes of both. The area's derivative by them is the boundary's normal velocity, integrated over what of each
boundary is inside the other rectangle:

* x, y: sum over B's edges of (length inside A) * (outward normal)
* half sizes of B: the lengths inside A of the two edges that each moves; of A: the same of A's edges inside B
* phi: minus the sum of the first moments of B's inside lengths about the edges' middles

Sines and cosines that are only rounding of the yaws count as a positive guard: coincident edges are then inside by
half, one end on one side and the other end on the opposite side, and equal boxes have gradient 0.
"""

from __future__ import annotations

from numba import njit

from bev3d_ops.cpu._overlap_block import (
    AX,
    AY,
    AZ,
    BLOCK,
    BX,
    BY,
    BZ,
    DX,
    DY,
    DZ,
    FAST,
    YAW_A,
    YAW_B,
    C,
    S,
    are_apart,
    rectangle_intersection,
)

__all__ = ["FACTOR", "G_ROWS", "angle_guard", "fill_area_gradient", "share", "to_iou_3d", "to_iou_bev"]

# Rows of the gradient's block: derivatives by the local parameters; the value; A's yaw, filled at the end; the
# enclosing extents and the derivatives by them; what is enclosed and the union's share; factors of gradients.
G_X, G_Y, G_Z, G_PHI, G_AX, G_AY, G_AZ, G_BX, G_BY, G_BZ, VALUE, G_YAW_A = range(12)
E_X, E_Y, E_Z, BY_X, BY_Y, BY_Z, CONTENT, FILLED, FACTOR = range(12, 21)
G_ROWS = 21

_FOUR_EPS = 8.881784197001252e-16


@njit(inline="always")
def angle_guard(yaw_a, yaw_b):
    """Sine or cosine of the angle between two boxes below which it is only the rounding of the yaws."""
    return _FOUR_EPS * (1.0 + max(abs(yaw_a), abs(yaw_b)))


@njit(inline="always")
def share(one, other):
    """Derivative of max(one, other) by the first: 1, 0, or 1/2 in a tie."""
    return 0.5 * ((1.0 if one > other else 0.0) + (1.0 if one >= other else 0.0))


@njit(inline="always")
def _inside(middle_x, middle_y, inverse_x, inverse_y, half_x, half_y, half_edge):
    """The part of an edge, in metres from its middle, inside the other rectangle; inverses of its direction."""
    one, other = (-half_x - middle_x) * inverse_x, (half_x - middle_x) * inverse_x
    low = min(max(min(one, other), -half_edge), half_edge)
    high = min(max(max(one, other), -half_edge), half_edge)
    one, other = (-half_y - middle_y) * inverse_y, (half_y - middle_y) * inverse_y
    return min(max(min(one, other), low), high), min(max(max(one, other), low), high)


@njit(inline="always")
def _inverses(c, s, guard):
    """One over c and s, and over -c and -s; of the positive guard where they are only rounding."""
    flat_c, flat_s = abs(c) < guard, abs(s) < guard
    over_c, over_s = 1.0 / (guard if flat_c else c), 1.0 / (guard if flat_s else s)
    return over_c, over_s, (over_c if flat_c else -over_c), (over_s if flat_s else -over_s)


@njit(inline="always")
def _boundary_of_b(x, y, c, s, ax, ay, bx, by, over_c, over_s, over_minus_c, over_minus_s):
    """Derivative of the area by x, y, phi and the half sizes of B."""
    low, high = _inside(x - by * s, y + by * c, over_minus_c, over_minus_s, ax, ay, bx)
    top, moment = high - low, (high - low) * (high + low)
    low, high = _inside(x - bx * c, y - bx * s, over_s, over_minus_c, ax, ay, by)
    left, moment = high - low, moment + (high - low) * (high + low)
    low, high = _inside(x + by * s, y - by * c, over_c, over_s, ax, ay, bx)
    bottom, moment = high - low, moment + (high - low) * (high + low)
    low, high = _inside(x + bx * c, y + bx * s, over_minus_s, over_c, ax, ay, by)
    right, moment = high - low, moment + (high - low) * (high + low)
    along, across = right - left, top - bottom
    return c * along - s * across, s * along + c * across, -0.5 * moment, left + right, top + bottom


@njit(inline="always")
def _boundary_of_a(x, y, c, s, ax, ay, bx, by, over_c, over_s, over_minus_c, over_minus_s):
    """Derivative of the area by the half sizes of A: as for B, seen from B, where the sine has the other sign."""
    along, across = -(c * x + s * y), s * x - c * y
    low, high = _inside(along + ay * s, across + ay * c, over_minus_c, over_s, bx, by, ax)
    top = high - low
    low, high = _inside(along - ax * c, across + ax * s, over_minus_s, over_minus_c, bx, by, ay)
    left = high - low
    low, high = _inside(along - ay * s, across - ay * c, over_c, over_minus_s, bx, by, ax)
    bottom = high - low
    low, high = _inside(along + ax * c, across - ax * s, over_s, over_c, bx, by, ay)
    return left + (high - low), top + bottom


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def fill_area_gradient(block, g):
    """Write the area of intersection to row VALUE and its local gradient to the other rows of ``g``."""
    for i in range(BLOCK):
        x, y, c, s = block[DX * BLOCK + i], block[DY * BLOCK + i], block[C * BLOCK + i], block[S * BLOCK + i]
        ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
        guard = angle_guard(block[YAW_A * BLOCK + i], block[YAW_B * BLOCK + i])
        over_c, over_s, over_minus_c, over_minus_s = _inverses(c, s, guard)
        g_x, g_y, g_phi, g_bx, g_by = _boundary_of_b(
            x, y, c, s, ax, ay, bx, by, over_c, over_s, over_minus_c, over_minus_s
        )
        g_ax, g_ay = _boundary_of_a(x, y, c, s, ax, ay, bx, by, over_c, over_s, over_minus_c, over_minus_s)
        meet = 0.0 if are_apart(x, y, c, s, ax, ay, bx, by) else 1.0
        g[G_X * BLOCK + i], g[G_Y * BLOCK + i], g[G_PHI * BLOCK + i] = meet * g_x, meet * g_y, meet * g_phi
        g[G_AX * BLOCK + i], g[G_AY * BLOCK + i] = meet * g_ax, meet * g_ay
        g[G_BX * BLOCK + i], g[G_BY * BLOCK + i] = meet * g_bx, meet * g_by
        g[G_Z * BLOCK + i] = g[G_AZ * BLOCK + i] = g[G_BZ * BLOCK + i] = 0.0
        g[VALUE * BLOCK + i] = rectangle_intersection(x, y, c, s, ax, ay, bx, by)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def to_iou_bev(block, g):
    """From area to IoU: dIoU = ((1 + IoU) dI - IoU (dSa + dSb)) / U."""
    for i in range(BLOCK):
        ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
        both = g[VALUE * BLOCK + i]
        union = 4.0 * ax * ay + 4.0 * bx * by - both
        over = 1.0 / union if union > 0.0 else 0.0
        iou = min(both * over, 1.0)
        gain, loss = (1.0 + iou) * over, 4.0 * iou * over
        g[G_X * BLOCK + i] *= gain
        g[G_Y * BLOCK + i] *= gain
        g[G_PHI * BLOCK + i] *= gain
        g[G_AX * BLOCK + i] = gain * g[G_AX * BLOCK + i] - loss * ay
        g[G_AY * BLOCK + i] = gain * g[G_AY * BLOCK + i] - loss * ax
        g[G_BX * BLOCK + i] = gain * g[G_BX * BLOCK + i] - loss * by
        g[G_BY * BLOCK + i] = gain * g[G_BY * BLOCK + i] - loss * bx
        g[VALUE * BLOCK + i] = iou


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def to_iou_3d(block, g):
    """From area to IoU of the volumes, through I = area * common height."""
    for i in range(BLOCK):
        ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
        z, az, bz, area = block[DZ * BLOCK + i], block[AZ * BLOCK + i], block[BZ * BLOCK + i], g[VALUE * BLOCK + i]
        raw = min(az, z + bz) - max(-az, z - bz)
        height = min(max(raw, 0.0), 2.0 * min(az, bz))
        both = area * height
        union = 8.0 * ax * ay * az + 8.0 * bx * by * bz - both
        over = 1.0 / union if union > 0.0 else 0.0
        iou = min(both * over, 1.0)
        gain, loss = (1.0 + iou) * over, 8.0 * iou * over
        by_area = gain * height
        g[G_X * BLOCK + i] *= by_area
        g[G_Y * BLOCK + i] *= by_area
        g[G_PHI * BLOCK + i] *= by_area
        g[G_AX * BLOCK + i] = by_area * g[G_AX * BLOCK + i] - loss * ay * az
        g[G_AY * BLOCK + i] = by_area * g[G_AY * BLOCK + i] - loss * ax * az
        g[G_BX * BLOCK + i] = by_area * g[G_BX * BLOCK + i] - loss * by * bz
        g[G_BY * BLOCK + i] = by_area * g[G_BY * BLOCK + i] - loss * bx * bz
        # how much of the top and of the bottom of what is shared are B's
        top, bottom = share(az, z + bz), share(z - bz, -az)
        by_height = gain * area if raw >= 0.0 else 0.0
        g[G_Z * BLOCK + i] = by_height * (top - bottom)
        g[G_AZ * BLOCK + i] = by_height * (2.0 - top - bottom) - loss * ax * ay
        g[G_BZ * BLOCK + i] = by_height * (top + bottom) - loss * bx * by
        g[VALUE * BLOCK + i] = iou
