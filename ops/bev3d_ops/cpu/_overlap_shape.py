"""What CIoU and EIoU ask of the shapes: the aspect and the sizes, for a block of pairs, with gradients."""

from __future__ import annotations

import math

from numba import njit

from bev3d_ops.cpu._overlap_block import AX, AY, AZ, BLOCK, BX, BY, BZ, FAST
from bev3d_ops.cpu._overlap_gradient import (
    BY_X,
    BY_Y,
    BY_Z,
    E_X,
    E_Y,
    E_Z,
    G_AX,
    G_AY,
    G_AZ,
    G_BX,
    G_BY,
    G_BZ,
    VALUE,
    share,
)

__all__ = ["add_aspect", "add_sizes"]

_V_SCALE = 4.0 / math.pi**2
_ASPECT_SHARE_SQUARED = 1e-6  # see reference._enclosing.SMALLEST_ASPECT_SHARE
_TINY = 1e-300


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
        value_x, by_ax, by_bx, by_x = _size_part(block[AX * BLOCK + i], block[BX * BLOCK + i], g[E_X * BLOCK + i])
        value_y, by_ay, by_by, by_y = _size_part(block[AY * BLOCK + i], block[BY * BLOCK + i], g[E_Y * BLOCK + i])
        value_z, by_az, by_bz, by_z = _size_part(block[AZ * BLOCK + i], block[BZ * BLOCK + i], g[E_Z * BLOCK + i])
        g[VALUE * BLOCK + i] += value_x + value_y + high * value_z
        g[G_AX * BLOCK + i] += by_ax
        g[G_AY * BLOCK + i] += by_ay
        g[G_AZ * BLOCK + i] += high * by_az
        g[G_BX * BLOCK + i] += by_bx
        g[G_BY * BLOCK + i] += by_by
        g[G_BZ * BLOCK + i] += high * by_bz
        g[BY_X * BLOCK + i] += by_x
        g[BY_Y * BLOCK + i] += by_y
        g[BY_Z * BLOCK + i] += high * by_z
