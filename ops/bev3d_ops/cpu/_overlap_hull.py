"""GIoU with the convex hull, for a block of pairs: the walk of bev3d_ops.reference._hull, and its gradient.

The area is half the sum of cross products of points that depend on x, y, phi and the half sizes. Which box leads
changes nothing in it at the moment when it changes, and counts as fixed in the derivative.
"""

from __future__ import annotations

from numba import njit

from bev3d_ops.cpu._overlap_block import AX, AY, AZ, BLOCK, BX, BY, BZ, DX, DY, DZ, FAST, YAW_A, YAW_B, C, S
from bev3d_ops.cpu._overlap_enclosing import extent, guarded_direction
from bev3d_ops.cpu._overlap_gradient import (
    BY_Z,
    CONTENT,
    E_Z,
    FILLED,
    G_AX,
    G_AY,
    G_BX,
    G_BY,
    G_PHI,
    G_X,
    G_Y,
    share,
)

__all__ = ["add_hull", "find_hull"]


@njit(inline="always")
def _first_quadrant(c, s, bx, by):
    """B turned by quarters until it points into the first quadrant; its sides change names on the way."""
    odd = c * s < 0.0
    c, s = abs(c), abs(s)
    return (s if odd else c), (c if odd else s), (by if odd else bx), (bx if odd else by), odd


@njit(inline="always")
def _across(weight, p_x, p_y, q_x, q_y, x, y):
    """A step between corner p of A and corner q of B: twice its area, and derivatives by p, by q and by phi."""
    f_x, f_y = -weight * p_y, weight * p_x
    twice = f_x * q_x + f_y * q_y
    return twice, weight * q_y, -weight * q_x, f_x, f_y, f_y * (q_x - x) - f_x * (q_y - y)


@njit(inline="always")
def _leads(x, y, c, s, ax, ay, bx, by):
    """Weights of A at A's four normals, then at B's."""
    half_x, half_y = bx * c + by * s, bx * s + by * c
    along, across = c * x + s * y, c * y - s * x
    a_along, a_across = ax * c + ay * s, ax * s + ay * c
    return (
        share(ax, half_x + x),
        share(ay, half_y + y),
        share(ax, half_x - x),
        share(ay, half_y - y),
        share(a_along, bx + along),
        share(a_across, by + across),
        share(a_along, bx - along),
        share(a_across, by - across),
    )


@njit(inline="always")
def _own_edges(x, y, c, s, ax, ay, bx, by, leads):
    """Twice the area under the edges of A and of B that are on the hull, and derivatives by x, y, phi, sizes."""
    a0, a1, a2, a3, b0, b1, b2, b3 = leads
    along, across = c * x + s * y, c * y - s * x
    w0, w1, w2, w3 = 1.0 - b0, 1.0 - b1, 1.0 - b2, 1.0 - b3
    of_a = a0 + a1 + a2 + a3
    ends = w0 * (along + bx) + w2 * (bx - along)  # of B along its length, and across it
    sides = w1 * (across + by) + w3 * (by - across)
    by_along, by_across = 2.0 * by * (w0 - w2), 2.0 * bx * (w1 - w3)
    twice = 2.0 * (of_a * ax * ay + by * ends + bx * sides)
    by_x, by_y = by_along * c - by_across * s, by_along * s + by_across * c
    by_phi = by_along * across - by_across * along
    by_bx = 2.0 * (by * (w0 + w2) + sides)
    by_by = 2.0 * (bx * (w1 + w3) + ends)
    return twice, by_x, by_y, by_phi, 2.0 * of_a * ay, 2.0 * of_a * ax, by_bx, by_by


@njit(inline="always")
def _hull(x, y, c, s, ax, ay, bx, by):
    """Twice the area of the hull and its derivatives by x, y, phi, ax, ay, bx, by; (c, s) in the first quadrant."""
    leads = _leads(x, y, c, s, ax, ay, bx, by)
    a0, a1, a2, a3, b0, b1, b2, b3 = leads
    twice, g_x, g_y, g_phi, g_ax, g_ay, g_bx, g_by = _own_edges(x, y, c, s, ax, ay, bx, by, leads)
    ux, uy, vx, vy = bx * c, bx * s, -by * s, by * c
    # corners of B in turn: before its first normal, after it, ...; and the steps to or from each, of two corners of A
    for k in range(4):
        p, q = (1.0 if k < 2 else -1.0), (1.0 if (k == 1) | (k == 2) else -1.0)
        q_x, q_y = x + p * ux + q * vx, y + p * uy + q * vy
        if k == 0:
            earlier, later = b3 - a0, a0 - b0
        elif k == 1:
            earlier, later = b0 - a1, a1 - b1
        elif k == 2:
            earlier, later = b1 - a2, a2 - b2
        else:
            earlier, later = b2 - a3, a3 - b3
        # before A's normal k its corner is number k, after it number k + 1: signs (+-), (++), (-+), (--)
        area, by_px, by_py, by_qx, by_qy, turned = _across(earlier, p * ax, q * ay, q_x, q_y, x, y)
        twice, g_phi = twice + area, g_phi + turned
        g_ax, g_ay = g_ax + p * by_px, g_ay + q * by_py
        f_x, f_y = by_qx, by_qy
        area, by_px, by_py, by_qx, by_qy, turned = _across(later, -q * ax, p * ay, q_x, q_y, x, y)
        twice, g_phi = twice + area, g_phi + turned
        g_ax, g_ay = g_ax - q * by_px, g_ay + p * by_py
        f_x, f_y = f_x + by_qx, f_y + by_qy
        g_x, g_y = g_x + f_x, g_y + f_y
        g_bx, g_by = g_bx + p * (c * f_x + s * f_y), g_by + q * (c * f_y - s * f_x)
    return twice, g_x, g_y, g_phi, g_ax, g_ay, g_bx, g_by


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def find_hull(block, g, high):
    """Fill CONTENT with the hull's area, times the enclosing height where ``high`` is 1 rather than 0."""
    for i in range(BLOCK):
        c, s = block[C * BLOCK + i], block[S * BLOCK + i]
        c, s = guarded_direction(c, s, block[YAW_A * BLOCK + i], block[YAW_B * BLOCK + i])
        c, s, bx, by, _ = _first_quadrant(c, s, block[BX * BLOCK + i], block[BY * BLOCK + i])
        x, y, ax, ay = block[DX * BLOCK + i], block[DY * BLOCK + i], block[AX * BLOCK + i], block[AY * BLOCK + i]
        twice, _, _, _, _, _, _, _ = _hull(x, y, c, s, ax, ay, bx, by)
        tall, _, _ = extent(-block[DZ * BLOCK + i], block[AZ * BLOCK + i], block[BZ * BLOCK + i])
        g[CONTENT * BLOCK + i] = max(0.5 * twice, 0.0) * (1.0 - high + high * tall)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_hull(block, g, high):
    """After add_union: the gradient of U / CONTENT by the content's; derivatives by the height go to BY_Z."""
    for i in range(BLOCK):
        c, s = block[C * BLOCK + i], block[S * BLOCK + i]
        c, s = guarded_direction(c, s, block[YAW_A * BLOCK + i], block[YAW_B * BLOCK + i])
        c, s, bx, by, odd = _first_quadrant(c, s, block[BX * BLOCK + i], block[BY * BLOCK + i])
        x, y, ax, ay = block[DX * BLOCK + i], block[DY * BLOCK + i], block[AX * BLOCK + i], block[AY * BLOCK + i]
        twice, g_x, g_y, g_phi, g_ax, g_ay, g_bx, g_by = _hull(x, y, c, s, ax, ay, bx, by)
        filled, tall = g[FILLED * BLOCK + i], g[E_Z * BLOCK + i]
        by_twice = -filled / (twice if twice > 0.0 else 1.0)
        g[G_X * BLOCK + i] += by_twice * g_x
        g[G_Y * BLOCK + i] += by_twice * g_y
        g[G_PHI * BLOCK + i] += by_twice * g_phi
        g[G_AX * BLOCK + i] += by_twice * g_ax
        g[G_AY * BLOCK + i] += by_twice * g_ay
        g[G_BX * BLOCK + i] += by_twice * (g_by if odd else g_bx)
        g[G_BY * BLOCK + i] += by_twice * (g_bx if odd else g_by)
        g[BY_Z * BLOCK + i] -= high * filled / (tall if tall > 0.0 else 1.0)
