"""Area of intersection of many pairs of rectangles at once: the clamp integral.

In the frame of rectangle A (half sizes ax, ay), with the edges of B taken counter-clockwise,

    area(A ∩ B) = - sum over the edges e of B of  ∫ clamp(y_e(x), -ay, ay) dx,   x clamped to [-ax, ax],

because clamping is monotone: the slice of B at x inside A's slab has length clamp(top(x)) - clamp(bottom(x)).
There is no list of vertices, no sort and no tolerance, only min, max and multiplications, which vectorise.

All of it is written for float32 and float64 alike.
"""

from __future__ import annotations

from numba import njit

from bev3d_ops._overlap_kinds import INTERSECTION_BEV, IOU_3D, IOU_BEV
from bev3d_ops.cpu._overlap_scalar import epsilon_of, of_type

__all__ = ["BLOCK", "FAST", "INTERSECTION_BEV", "IOU_3D", "IOU_BEV", "ROWS", "fill_block", "rectangle_intersection"]

BLOCK = 64

# Rows of a block: pair k of a buffer holds row r at r * BLOCK + k. The first eleven are as transpose_pairs writes them.
# C and S are the direction of B in A's frame, COS_A and SIN_A that of A; KNOWN is written only where some pair holds
# what is no box.
DX, DY, DZ, AX, AY, AZ, BX, BY, BZ, YAW_A, YAW_B, C, S, COS_A, SIN_A, KNOWN, OUT = range(17)
ROWS = 17

# No reassociation: results are the same on every machine that has a fused multiply-add.
FAST = {"nnan", "ninf", "nsz", "arcp", "contract"}


@njit(inline="always")
def _edge_integral(x0, y0, x1, y1, slope, ax, ay):
    """Integral of clamp(y) dx along the edge from (x0, y0) to (x1, y1), x clamped to A's slab.

    Both ordinates start at their own end point, so that an edge inside the slab is exact, and the quotient g
    is multiplied by something that vanishes with its denominator.
    """
    xa = min(max(x0, -ax), ax)
    xb = min(max(x1, -ax), ax)
    ya = y0 + (xa - x0) * slope
    yb = y1 + (xb - x1) * slope
    ca = min(max(ya, -ay), ay)
    cb = min(max(yb, -ay), ay)
    rise = yb - ya
    g = (cb - ca) / (rise if rise != 0 else of_type(rise, 1.0))
    return (xb - xa) * ((ca + cb) + g * ((ya - ca) + (yb - cb)))


@njit(inline="always")
def are_apart(dx, dy, c, s, ax, ay, bx, by):
    """Whether one of the four separating axes parts the rectangles, or they only touch."""
    abs_c, abs_s = abs(c), abs(s)
    apart = (abs(dx) >= ax + bx * abs_c + by * abs_s) | (abs(dy) >= ay + bx * abs_s + by * abs_c)
    apart |= abs(dx * c + dy * s) >= bx + ax * abs_c + ay * abs_s
    apart |= abs(dy * c - dx * s) >= by + ax * abs_s + ay * abs_c
    return apart


@njit(inline="always")
def rectangle_intersection(dx, dy, c, s, ax, ay, bx, by):
    """Area of A ∩ B; (dx, dy) is B's centre and (c, s) its direction in A's frame."""
    zero, four = of_type(dx, 0.0), of_type(dx, 4.0)
    guard = four * epsilon_of(dx)  # a slope computed from less is noise
    ux, uy = bx * c, bx * s
    vx, vy = -by * s, by * c
    slope_u = s / (c if abs(c) > guard else guard)
    slope_v = -c / (s if abs(s) > guard else guard)
    x0, y0 = dx + ux + vx, dy + uy + vy
    x1, y1 = dx - ux + vx, dy - uy + vy
    x2, y2 = dx - ux - vx, dy - uy - vy
    x3, y3 = dx + ux - vx, dy + uy - vy
    twice = _edge_integral(x0, y0, x1, y1, slope_u, ax, ay)
    twice += _edge_integral(x1, y1, x2, y2, slope_v, ax, ay)
    twice += _edge_integral(x2, y2, x3, y3, slope_u, ax, ay)
    twice += _edge_integral(x3, y3, x0, y0, slope_v, ax, ay)
    area = min(max(of_type(dx, -0.5) * twice, zero), min(four * ax * ay, four * bx * by))
    # disjoint and touching pairs are exactly 0
    return zero if are_apart(dx, dy, c, s, ax, ay, bx, by) else area


@njit(inline="always")
def ratio(both, one, other):
    """Intersection over union from what is shared and the two whole; 0 where there is nothing."""
    union = one + other - both
    exists = union > 0
    return min(both / (union if exists else of_type(union, 1.0)), of_type(union, 1.0))


@njit(inline="always")
def common_height(z, half_a, half_b):
    """Length that two boxes share along z; z is the difference of their centres."""
    common = min(half_a, z + half_b) - max(-half_a, z - half_b)
    return min(max(common, of_type(z, 0.0)), of_type(z, 2.0) * min(half_a, half_b))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _fill_areas(block):
    """Write the area of intersection of every pair of ``block`` to its row OUT."""
    for i in range(BLOCK):
        dx, dy, c, s = block[DX * BLOCK + i], block[DY * BLOCK + i], block[C * BLOCK + i], block[S * BLOCK + i]
        ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
        block[OUT * BLOCK + i] = rectangle_intersection(dx, dy, c, s, ax, ay, bx, by)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _areas_to_iou_bev(block):
    """Turn row OUT from areas of intersection into IoU seen from above."""
    for i in range(BLOCK):
        ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
        four = of_type(ax, 4.0)
        block[OUT * BLOCK + i] = ratio(block[OUT * BLOCK + i], four * ax * ay, four * bx * by)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _areas_to_iou_3d(block):
    """Turn row OUT from areas of intersection into IoU of the volumes."""
    for i in range(BLOCK):
        ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
        az, bz = block[AZ * BLOCK + i], block[BZ * BLOCK + i]
        both = block[OUT * BLOCK + i] * common_height(block[DZ * BLOCK + i], az, bz)
        eight = of_type(ax, 8.0)
        block[OUT * BLOCK + i] = ratio(both, eight * ax * ay * az, eight * bx * by * bz)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_block(block, kind):
    """Write intersection, BEV IoU or 3D IoU of every pair of ``block`` to its row OUT."""
    _fill_areas(block)
    if kind == IOU_BEV:
        _areas_to_iou_bev(block)
    elif kind == IOU_3D:
        _areas_to_iou_3d(block)
