"""What GIoU, DIoU, CIoU and EIoU add to IoU and to its gradient, for a block of pairs.

The enclosing box stands parallel to B, the target. In B's frame A's centre is (X, Y, Z), its half extents are hx, hy
and az, and along each axis

    E = max(X + hx, bx) - min(X - hx, -bx),   dE = (p - q) dX + (p + q) dhx + (2 - p - q) dbx,

where p and q tell whether A is what reaches farthest on either side (1, 0, or 1/2 in a tie).

``high`` is 1 in three dimensions and 0 seen from above: heights are multiplied by it.
"""

from __future__ import annotations

import math

from numba import njit

from bev3d_ops.cpu._overlap_block import AX, AY, AZ, BLOCK, BX, BY, BZ, DX, DY, DZ, FAST, YAW_A, YAW_B, C, S
from bev3d_ops.cpu._overlap_gradient import (
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

__all__ = ["add_aspect", "add_distance", "add_enclosing_area", "add_sizes", "enclosing_height", "guarded_direction"]

_V_SCALE = 4.0 / math.pi**2
_ASPECT_SHARE_SQUARED = 1e-6  # see reference._enclosing.SMALLEST_ASPECT_SHARE
_TINY = 1e-300


@njit(inline="always")
def guarded_direction(block, i):
    """Cosine and sine of phi; 0 where they are only rounding of the yaws."""
    guard = angle_guard(block[YAW_A * BLOCK + i], block[YAW_B * BLOCK + i])
    c, s = block[C * BLOCK + i], block[S * BLOCK + i]
    return (0.0 if abs(c) < guard else c), (0.0 if abs(s) < guard else s)


@njit(inline="always")
def _sign(value):
    return (1.0 if value > 0.0 else 0.0) - (1.0 if value < 0.0 else 0.0)


@njit(inline="always")
def _extent(centre, half, own):
    """Extent that encloses [centre - half, centre + half] and [-own, own], and A's part in its two ends."""
    extent = max(centre + half, own) - min(centre - half, -own)
    return extent, share(centre + half, own), share(-own, centre - half)


@njit(inline="always")
def enclosing_height(block, i):
    """Enclosing extent along z, and A's part in its upper and lower end."""
    return _extent(-block[DZ * BLOCK + i], block[AZ * BLOCK + i], block[BZ * BLOCK + i])


@njit(inline="always")
def _extents(block, i):
    """The enclosing extents along B's length, width and height."""
    x, y, c, s = block[DX * BLOCK + i], block[DY * BLOCK + i], block[C * BLOCK + i], block[S * BLOCK + i]
    ax, ay = block[AX * BLOCK + i], block[AY * BLOCK + i]
    cosine, sine = guarded_direction(block, i)
    half_x, half_y = ax * abs(cosine) + ay * abs(sine), ax * abs(sine) + ay * abs(cosine)
    along, _, _ = _extent(-(c * x + s * y), half_x, block[BX * BLOCK + i])
    across, _, _ = _extent(s * x - c * y, half_y, block[BY * BLOCK + i])
    high, _, _ = enclosing_height(block, i)
    return along, across, high


@njit(inline="always")
def _add_extents(block, g, i, by_x, by_y, by_z):
    """Add the gradient of the extents, times the derivatives by them."""
    x, y, c, s = block[DX * BLOCK + i], block[DY * BLOCK + i], block[C * BLOCK + i], block[S * BLOCK + i]
    ax, ay = block[AX * BLOCK + i], block[AY * BLOCK + i]
    cosine, sine = guarded_direction(block, i)
    abs_c, abs_s = abs(cosine), abs(sine)
    along, across = -(c * x + s * y), s * x - c * y
    _, p, q = _extent(along, ax * abs_c + ay * abs_s, block[BX * BLOCK + i])
    shift_x, grow_x, own_x = by_x * (p - q), by_x * (p + q), by_x * (2.0 - p - q)
    _, p, q = _extent(across, ax * abs_s + ay * abs_c, block[BY * BLOCK + i])
    shift_y, grow_y, own_y = by_y * (p - q), by_y * (p + q), by_y * (2.0 - p - q)
    _, p, q = enclosing_height(block, i)
    g[G_X * BLOCK + i] += shift_y * s - shift_x * c
    g[G_Y * BLOCK + i] -= shift_x * s + shift_y * c
    g[G_Z * BLOCK + i] -= by_z * (p - q)
    turned_c, turned_s = -sine * _sign(cosine), cosine * _sign(sine)
    turned = grow_x * (ax * turned_c + ay * turned_s) + grow_y * (ax * turned_s + ay * turned_c)
    g[G_PHI * BLOCK + i] += shift_x * across - shift_y * along + turned
    g[G_AX * BLOCK + i] += grow_x * abs_c + grow_y * abs_s
    g[G_AY * BLOCK + i] += grow_x * abs_s + grow_y * abs_c
    g[G_AZ * BLOCK + i] += by_z * (p + q)
    g[G_BX * BLOCK + i] += own_x
    g[G_BY * BLOCK + i] += own_y
    g[G_BZ * BLOCK + i] += by_z * (2.0 - p - q)


@njit(inline="always")
def add_union(block, g, i, content, high):
    """From IoU to IoU - 1 + U / content, its gradient but for the content's; returns U / content.

    U = (Sa + Sb) / (1 + IoU), so that IoU's gradient is all that is needed of the intersection's.
    """
    ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
    az, bz = block[AZ * BLOCK + i], block[BZ * BLOCK + i]
    tall_a, tall_b = 1.0 - high + high * 2.0 * az, 1.0 - high + high * 2.0 * bz
    over = 1.0 / content if content > 0.0 else 0.0
    once = 1.0 / (1.0 + g[VALUE * BLOCK + i])
    filled = 4.0 * (ax * ay * tall_a + bx * by * tall_b) * once * over
    keep, gain = 1.0 - filled * once, 4.0 * once * over
    for row in range(G_X, G_PHI + 1):
        g[row * BLOCK + i] *= keep
    g[G_AX * BLOCK + i] = keep * g[G_AX * BLOCK + i] + gain * ay * tall_a
    g[G_AY * BLOCK + i] = keep * g[G_AY * BLOCK + i] + gain * ax * tall_a
    g[G_AZ * BLOCK + i] = keep * g[G_AZ * BLOCK + i] + gain * high * 2.0 * ax * ay
    g[G_BX * BLOCK + i] = keep * g[G_BX * BLOCK + i] + gain * by * tall_b
    g[G_BY * BLOCK + i] = keep * g[G_BY * BLOCK + i] + gain * bx * tall_b
    g[G_BZ * BLOCK + i] = keep * g[G_BZ * BLOCK + i] + gain * high * 2.0 * bx * by
    g[VALUE * BLOCK + i] += min(filled, 1.0) - 1.0
    return filled


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_enclosing_area(block, g, high):
    """From IoU to GIoU."""
    for i in range(BLOCK):
        along, across, tall = _extents(block, i)
        content = along * across * (1.0 - high + high * tall)
        filled = add_union(block, g, i, content, high)
        exists = content > 0.0
        by_x, by_y = filled / (along if exists else 1.0), filled / (across if exists else 1.0)
        by_z = high * filled / (tall if tall > 0.0 else 1.0)
        _add_extents(block, g, i, -by_x, -by_y, -by_z)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_distance(block, g, high):
    """From IoU to DIoU: minus d² / c², the centres' distance over the enclosing box's diagonal."""
    for i in range(BLOCK):
        x, y, z = block[DX * BLOCK + i], block[DY * BLOCK + i], high * block[DZ * BLOCK + i]
        along, across, tall = _extents(block, i)
        tall *= high
        diagonal = along * along + across * across + tall * tall
        over = 2.0 / diagonal if diagonal > 0.0 else 0.0
        part = 0.5 * over * (x * x + y * y + z * z)
        g[VALUE * BLOCK + i] -= min(part, 1.0)
        g[G_X * BLOCK + i] -= over * x
        g[G_Y * BLOCK + i] -= over * y
        g[G_Z * BLOCK + i] -= over * z
        over *= part
        _add_extents(block, g, i, over * along, over * across, over * tall)


@njit(inline="always")
def _half_angle(sine, cosine):
    """sine / (cosine + 1), scaled: the tangent of half the angle of a vector; 0 of no vector."""
    return sine / max(cosine + math.sqrt(sine * sine + cosine * cosine), _TINY)


@njit(inline="always")
def _angle(sine, cosine):
    """atan2(sine, cosine) for a cosine of at least 0: halved thrice, then the arctangent's series up to 0.2."""
    t = _half_angle(_half_angle(_half_angle(sine, cosine), 1.0), 1.0)
    q = t * t
    series = 1.0 / 17.0 - q * (1.0 / 19.0 - q * (1.0 / 21.0 - q / 23.0))
    series = 1.0 / 9.0 - q * (1.0 / 11.0 - q * (1.0 / 13.0 - q * (1.0 / 15.0 - q * series)))
    return 8.0 * t * (1.0 - q * (1.0 / 3.0 - q * (1.0 / 5.0 - q * (1.0 / 7.0 - q * series))))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_aspect(block, g):
    """From IoU, before anything else is added, minus CIoU's α v; see reference._enclosing.aspect_term."""
    for i in range(BLOCK):
        ax, ay, bx, by = block[AX * BLOCK + i], block[AY * BLOCK + i], block[BX * BLOCK + i], block[BY * BLOCK + i]
        angle = _angle(bx * ay - ax * by, by * ay + bx * ax)
        v = _V_SCALE * angle * angle
        rest = 1.0 - g[VALUE * BLOCK + i] + v
        alpha = v / rest if rest > 0.0 else 0.0
        square_a, square_b = ax * ax + ay * ay, bx * bx + by * by
        pull = 2.0 * alpha * _V_SCALE * angle
        pull_a = pull / max(max(square_a, _ASPECT_SHARE_SQUARED * square_b), _TINY)
        pull_b = pull / max(max(square_b, _ASPECT_SHARE_SQUARED * square_a), _TINY)
        g[VALUE * BLOCK + i] -= alpha * v
        g[G_AX * BLOCK + i] += pull_a * ay
        g[G_AY * BLOCK + i] -= pull_a * ax
        g[G_BX * BLOCK + i] -= pull_b * by
        g[G_BY * BLOCK + i] += pull_b * bx


@njit(inline="always")
def _size_part(half_a, half_b, extent):
    """EIoU's term of one size, and its derivatives by the half sizes and the extent; times -1 each."""
    size_a, size_b = 2.0 * half_a, 2.0 * half_b
    larger = max(size_a, size_b)
    divisor = max(extent, larger)
    over = 1.0 / divisor if divisor > 0.0 else 0.0
    part = (size_a - size_b) * over
    by_divisor = 2.0 * part * part * over
    of_extent, of_a = share(extent, larger), share(size_a, size_b)
    by_size = 4.0 * part * over
    by_own = 2.0 * by_divisor * (1.0 - of_extent)
    return -part * part, by_own * of_a - by_size, by_own * (1.0 - of_a) + by_size, by_divisor * of_extent


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def add_sizes(block, g, high):
    """From DIoU to EIoU: minus the squared differences of the sizes over the enclosing extents."""
    for i in range(BLOCK):
        along, across, tall = _extents(block, i)
        value_x, by_ax, by_bx, by_x = _size_part(block[AX * BLOCK + i], block[BX * BLOCK + i], along)
        value_y, by_ay, by_by, by_y = _size_part(block[AY * BLOCK + i], block[BY * BLOCK + i], across)
        value_z, by_az, by_bz, by_z = _size_part(block[AZ * BLOCK + i], block[BZ * BLOCK + i], tall)
        g[VALUE * BLOCK + i] += value_x + value_y + high * value_z
        g[G_AX * BLOCK + i] += by_ax
        g[G_AY * BLOCK + i] += by_ay
        g[G_AZ * BLOCK + i] += high * by_az
        g[G_BX * BLOCK + i] += by_bx
        g[G_BY * BLOCK + i] += by_by
        g[G_BZ * BLOCK + i] += high * by_bz
        _add_extents(block, g, i, by_x, by_y, high * by_z)
