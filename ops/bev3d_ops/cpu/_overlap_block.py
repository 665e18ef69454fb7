"""Area of intersection of 64 pairs of rectangles at once: the clamp integral.

In the frame of rectangle A (half sizes ax, ay), with the edges of B taken counter-clockwise,

    area(A ∩ B) = - sum over the edges e of B of  ∫ clamp(y_e(x), -ay, ay) dx,   x clamped to [-ax, ax],

because clamping is monotone: the slice of B at x inside A's slab has length clamp(top(x)) - clamp(bottom(x)).
There is no list of vertices, no sort and no tolerance, only min, max and multiplications, which vectorise.
"""

from __future__ import annotations

from numba import njit

BLOCK = 64

# Rows of a block: pair k of a buffer holds row r at r * BLOCK + k.
DX, DY, DZ, C, S, AX, AY, AZ, BX, BY, BZ, OUT = range(12)
ROWS = 12

INTERSECTION_BEV, IOU_BEV, IOU_3D = range(3)

# No reassociation: results are the same on every machine that has a fused multiply-add.
FAST = {"nnan", "ninf", "nsz", "arcp", "contract"}

_ANGLE_GUARD = 8.9e-16  # four eps: a slope computed from less is noise
_TINY = 1e-300


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
    g = (cb - ca) / (rise if rise != 0.0 else 1.0)
    return (xb - xa) * ((ca + cb) + g * ((ya - ca) + (yb - cb)))


@njit(inline="always")
def rectangle_intersection(dx, dy, c, s, ax, ay, bx, by):
    """Area of A ∩ B; (dx, dy) is B's centre and (c, s) its direction in A's frame."""
    ux, uy = bx * c, bx * s
    vx, vy = -by * s, by * c
    slope_u = s / (c if abs(c) > _ANGLE_GUARD else _ANGLE_GUARD)
    slope_v = -c / (s if abs(s) > _ANGLE_GUARD else _ANGLE_GUARD)
    x0, y0 = dx + ux + vx, dy + uy + vy
    x1, y1 = dx - ux + vx, dy - uy + vy
    x2, y2 = dx - ux - vx, dy - uy - vy
    x3, y3 = dx + ux - vx, dy + uy - vy
    twice = _edge_integral(x0, y0, x1, y1, slope_u, ax, ay)
    twice += _edge_integral(x1, y1, x2, y2, slope_v, ax, ay)
    twice += _edge_integral(x2, y2, x3, y3, slope_u, ax, ay)
    twice += _edge_integral(x3, y3, x0, y0, slope_v, ax, ay)
    # The four separating axes: disjoint and touching pairs are exactly 0.
    abs_c, abs_s = abs(c), abs(s)
    apart = (abs(dx) >= ax + bx * abs_c + by * abs_s) | (abs(dy) >= ay + bx * abs_s + by * abs_c)
    apart |= abs(dx * c + dy * s) >= bx + ax * abs_c + ay * abs_s
    apart |= abs(dy * c - dx * s) >= by + ax * abs_s + ay * abs_c
    area = min(max(-0.5 * twice, 0.0), min(4.0 * ax * ay, 4.0 * bx * by))
    return 0.0 if apart else area


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def fill_areas(block):
    """Write the area of intersection of every pair of ``block`` to its row OUT."""
    dx, dy = block[DX * BLOCK : (DX + 1) * BLOCK], block[DY * BLOCK : (DY + 1) * BLOCK]
    c, s = block[C * BLOCK : (C + 1) * BLOCK], block[S * BLOCK : (S + 1) * BLOCK]
    ax, ay = block[AX * BLOCK : (AX + 1) * BLOCK], block[AY * BLOCK : (AY + 1) * BLOCK]
    bx, by = block[BX * BLOCK : (BX + 1) * BLOCK], block[BY * BLOCK : (BY + 1) * BLOCK]
    out = block[OUT * BLOCK : (OUT + 1) * BLOCK]
    for i in range(BLOCK):
        out[i] = rectangle_intersection(dx[i], dy[i], c[i], s[i], ax[i], ay[i], bx[i], by[i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def areas_to_iou_bev(block):
    """Turn row OUT from areas of intersection into IoU seen from above."""
    ax, ay = block[AX * BLOCK : (AX + 1) * BLOCK], block[AY * BLOCK : (AY + 1) * BLOCK]
    bx, by = block[BX * BLOCK : (BX + 1) * BLOCK], block[BY * BLOCK : (BY + 1) * BLOCK]
    out = block[OUT * BLOCK : (OUT + 1) * BLOCK]
    for i in range(BLOCK):
        union = 4.0 * ax[i] * ay[i] + 4.0 * bx[i] * by[i] - out[i]
        out[i] = out[i] / max(union, _TINY)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def areas_to_iou_3d(block):
    """Turn row OUT from areas of intersection into IoU of the volumes."""
    ax, ay = block[AX * BLOCK : (AX + 1) * BLOCK], block[AY * BLOCK : (AY + 1) * BLOCK]
    bx, by = block[BX * BLOCK : (BX + 1) * BLOCK], block[BY * BLOCK : (BY + 1) * BLOCK]
    dz = block[DZ * BLOCK : (DZ + 1) * BLOCK]
    az, bz = block[AZ * BLOCK : (AZ + 1) * BLOCK], block[BZ * BLOCK : (BZ + 1) * BLOCK]
    out = block[OUT * BLOCK : (OUT + 1) * BLOCK]
    for i in range(BLOCK):
        common = min(az[i], dz[i] + bz[i]) - max(-az[i], dz[i] - bz[i])
        common = min(max(common, 0.0), 2.0 * min(az[i], bz[i]))
        both = out[i] * common
        volumes = 4.0 * ax[i] * ay[i] * (2.0 * az[i]) + 4.0 * bx[i] * by[i] * (2.0 * bz[i])
        out[i] = min(both / max(volumes - both, _TINY), 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_block(block, kind):
    """Write intersection, BEV IoU or 3D IoU of every pair of ``block`` to its row OUT."""
    fill_areas(block)
    if kind == IOU_BEV:
        areas_to_iou_bev(block)
    elif kind == IOU_3D:
        areas_to_iou_3d(block)
