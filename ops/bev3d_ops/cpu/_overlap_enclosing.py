"""The enclosing box of GIoU, DIoU, CIoU and EIoU, and what it adds to IoU and to its gradient, for a block of pairs.

The enclosing box stands parallel to B, the target. In B's frame A's centre is (X, Y, Z), its half extents are hx, hy
and az, and along each axis

    E = max(X + hx, bx) - min(X - hx, -bx),   dE = (p - q) dX + (p + q) dhx + (2 - p - q) dbx,

where p and q tell whether A is what reaches farthest on either side (1, 0, or 1/2 in a tie).

The forms fill in the derivatives by the three E; add_extents takes them from there to the parameters.
``high`` is 1 in three dimensions and 0 seen from above: heights are multiplied by it.
"""

from __future__ import annotations

from numba import njit

from bev3d_ops.cpu._overlap_block import AX, AY, AZ, BLOCK, BX, BY, BZ, DX, DY, DZ, FAST, YAW_A, YAW_B, C, S
from bev3d_ops.cpu._overlap_gradient import (
    BY_X,
    BY_Y,
    BY_Z,
    CONTENT,
    E_X,
    E_Y,
    E_Z,
    FILLED,
    G_AX,
    G_AY,
    G_AZ,
    G_BX,
    G_BY,
    G_BZ,
    G_PHI,
    G_X,
    G_Y,
    G_Z,
    VALUE,
    angle_guard,
    share,
)

__all__ = [
    "add_content",
    "add_distance",
    "add_extents",
    "add_union",
    "extent",
    "find_content",
    "find_extents",
    "guarded_direction",
]


@njit(inline="always")
def guarded_direction(c, s, yaw_a, yaw_b):
    """Cosine and sine of phi; 0 where they are only rounding of the yaws."""
    guard = angle_guard(yaw_a, yaw_b)
    return (0.0 if abs(c) < guard else c), (0.0 if abs(s) < guard else s)


@njit(inline="always")
def _sign(value):
    return (1.0 if value > 0.0 else 0.0) - (1.0 if value < 0.0 else 0.0)


@njit(inline="always")
def extent(centre, half, own):
    """Extent that encloses [centre - half, centre + half] and [-own, own], and A's part in its two ends."""
    length = max(centre + half, own) - min(centre - half, -own)
    return length, share(centre + half, own), share(-own, centre - half)


# An array handed to an inlined function would be counted in each turn of the loop, which then does not vectorise:
# hence numbers only.
@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def find_extents(block, g):
    """Fill the rows of the enclosing extents along B's length, width and height, and with 0 the derivatives by them."""
    for i in range(BLOCK):
        x, y, c, s = block[DX * BLOCK + i], block[DY * BLOCK + i], block[C * BLOCK + i], block[S * BLOCK + i]
        cosine, sine = guarded_direction(c, s, block[YAW_A * BLOCK + i], block[YAW_B * BLOCK + i])
        ax, ay, abs_c, abs_s = block[AX * BLOCK + i], block[AY * BLOCK + i], abs(cosine), abs(sine)
        half_x, half_y = ax * abs_c + ay * abs_s, ax * abs_s + ay * abs_c
        g[E_X * BLOCK + i], _, _ = extent(-(c * x + s * y), half_x, block[BX * BLOCK + i])
        g[E_Y * BLOCK + i], _, _ = extent(s * x - c * y, half_y, block[BY * BLOCK + i])
        g[E_Z * BLOCK + i], _, _ = extent(-block[DZ * BLOCK + i], block[AZ * BLOCK + i], block[BZ * BLOCK + i])
        g[BY_X * BLOCK + i] = g[BY_Y * BLOCK + i] = g[BY_Z * BLOCK + i] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_extents(block, g):
    """Add the gradient of the extents, times the derivatives by them."""
    for i in range(BLOCK):
        x, y, c, s = block[DX * BLOCK + i], block[DY * BLOCK + i], block[C * BLOCK + i], block[S * BLOCK + i]
        ax, ay, by_z = block[AX * BLOCK + i], block[AY * BLOCK + i], g[BY_Z * BLOCK + i]
        cosine, sine = guarded_direction(c, s, block[YAW_A * BLOCK + i], block[YAW_B * BLOCK + i])
        abs_c, abs_s = abs(cosine), abs(sine)
        half_x, half_y = ax * abs_c + ay * abs_s, ax * abs_s + ay * abs_c
        along, across = -(c * x + s * y), s * x - c * y
        _, p, q = extent(along, half_x, block[BX * BLOCK + i])
        shift_x, grow_x = g[BY_X * BLOCK + i] * (p - q), g[BY_X * BLOCK + i] * (p + q)
        _, p, q = extent(across, half_y, block[BY * BLOCK + i])
        shift_y, grow_y = g[BY_Y * BLOCK + i] * (p - q), g[BY_Y * BLOCK + i] * (p + q)
        _, p, q = extent(-block[DZ * BLOCK + i], block[AZ * BLOCK + i], block[BZ * BLOCK + i])
        g[G_X * BLOCK + i] += shift_y * s - shift_x * c
        g[G_Y * BLOCK + i] -= shift_x * s + shift_y * c
        g[G_Z * BLOCK + i] -= by_z * (p - q)
        turned_c, turned_s = -sine * _sign(cosine), cosine * _sign(sine)
        turned = grow_x * (ax * turned_c + ay * turned_s) + grow_y * (ax * turned_s + ay * turned_c)
        g[G_PHI * BLOCK + i] += shift_x * across - shift_y * along + turned
        g[G_AX * BLOCK + i] += grow_x * abs_c + grow_y * abs_s
        g[G_AY * BLOCK + i] += grow_x * abs_s + grow_y * abs_c
        g[G_AZ * BLOCK + i] += by_z * (p + q)
        g[G_BX * BLOCK + i] += 2.0 * g[BY_X * BLOCK + i] - grow_x
        g[G_BY * BLOCK + i] += 2.0 * g[BY_Y * BLOCK + i] - grow_y
        g[G_BZ * BLOCK + i] += by_z * (2.0 - p - q)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_union(block, g, high):
    """From IoU to IoU - 1 + U / CONTENT, with its gradient but for the content's; FILLED is U / CONTENT.

    U = (Sa + Sb) / (1 + IoU), so that IoU's gradient is all that is needed of the intersection's.
    """
    for i in range(BLOCK):
        ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
        az, bz = block[AZ * BLOCK + i], block[BZ * BLOCK + i]
        tall_a, tall_b = 1.0 - high + high * 2.0 * az, 1.0 - high + high * 2.0 * bz
        content = g[CONTENT * BLOCK + i]
        over = 1.0 / content if content > 0.0 else 0.0
        once = 1.0 / (1.0 + g[VALUE * BLOCK + i])
        filled = 4.0 * (ax * ay * tall_a + bx * by * tall_b) * once * over
        keep, gain = 1.0 - filled * once, 4.0 * once * over
        g[G_X * BLOCK + i] *= keep
        g[G_Y * BLOCK + i] *= keep
        g[G_Z * BLOCK + i] *= keep
        g[G_PHI * BLOCK + i] *= keep
        g[G_AX * BLOCK + i] = keep * g[G_AX * BLOCK + i] + gain * ay * tall_a
        g[G_AY * BLOCK + i] = keep * g[G_AY * BLOCK + i] + gain * ax * tall_a
        g[G_AZ * BLOCK + i] = keep * g[G_AZ * BLOCK + i] + gain * high * 2.0 * ax * ay
        g[G_BX * BLOCK + i] = keep * g[G_BX * BLOCK + i] + gain * by * tall_b
        g[G_BY * BLOCK + i] = keep * g[G_BY * BLOCK + i] + gain * bx * tall_b
        g[G_BZ * BLOCK + i] = keep * g[G_BZ * BLOCK + i] + gain * high * 2.0 * bx * by
        g[VALUE * BLOCK + i] += min(filled, 1.0) - 1.0
        g[FILLED * BLOCK + i] = filled


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def find_content(g, high):
    """Fill CONTENT with the area or volume of the enclosing box."""
    for i in range(BLOCK):
        tall = 1.0 - high + high * g[E_Z * BLOCK + i]
        g[CONTENT * BLOCK + i] = g[E_X * BLOCK + i] * g[E_Y * BLOCK + i] * tall


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_content(g, high):
    """After add_union: the derivatives of U / CONTENT by the extents."""
    for i in range(BLOCK):
        along, across, tall = g[E_X * BLOCK + i], g[E_Y * BLOCK + i], g[E_Z * BLOCK + i]
        filled = g[FILLED * BLOCK + i]  # 0 where nothing is enclosed
        g[BY_X * BLOCK + i] -= filled / (along if along > 0.0 else 1.0)
        g[BY_Y * BLOCK + i] -= filled / (across if across > 0.0 else 1.0)
        g[BY_Z * BLOCK + i] -= high * filled / (tall if tall > 0.0 else 1.0)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_distance(block, g, high):
    """From IoU to DIoU: minus d² / c², the centres' distance over the enclosing box's diagonal."""
    for i in range(BLOCK):
        x, y, z = block[DX * BLOCK + i], block[DY * BLOCK + i], high * block[DZ * BLOCK + i]
        along, across, tall = g[E_X * BLOCK + i], g[E_Y * BLOCK + i], high * g[E_Z * BLOCK + i]
        diagonal = along * along + across * across + tall * tall
        over = 2.0 / diagonal if diagonal > 0.0 else 0.0
        part = 0.5 * over * (x * x + y * y + z * z)
        g[VALUE * BLOCK + i] -= min(part, 1.0)
        g[G_X * BLOCK + i] -= over * x
        g[G_Y * BLOCK + i] -= over * y
        g[G_Z * BLOCK + i] -= over * z
        over *= part
        g[BY_X * BLOCK + i] += over * along
        g[BY_Y * BLOCK + i] += over * across
        g[BY_Z * BLOCK + i] += over * tall
