"""The three corner losses over a block of 64 pairs: straight-line arithmetic that becomes vector instructions.

In the frame of the target, with c, s the direction of the prediction and (x, y) the difference of the centres, the
differences of the corners seen from above are

    e_k = (x, y) + σ_k U + τ_k V,    2 U = l (c, s) - f l* (1, 0),    2 V = w (-s, c) - f w* (0, 1),
    σ = + - - +,  τ = + + - -,    f = 1 for the target's own heading, -1 for it turned by half a turn,

at the two heights dz ∓ (h - h*)/2. Equal boxes have c = 1 and s = 0, hence every e_k exactly 0, and with it loss and
slope, whether or not products and sums are fused. With G_k = d loss / d e_k, the slopes are sums of the G_k:

    d/d(x, y) = Σ G_k,   d/dU = Σ σ_k G_k,   d/dV = Σ τ_k G_k,   and by the chain rule those of sizes and yaws.
"""

from __future__ import annotations

import math

from numba import njit

BLOCK = 64

# Rows of a block. Differences of the centres, in the world; sizes; directions, or yaws before they are turned to
# directions: C, S of the prediction in the target's frame, C_T, S_T of the target.
DX, DY, DZ, LENGTH, WIDTH, HEIGHT, LENGTH_T, WIDTH_T, HEIGHT_T, C, S, C_T, S_T = range(13)
# What comes out: the loss, its slopes by the prediction's seven columns, and by the target's size and yaw.
LOSS, BY_PRED, BY_TARGET_SIZE, BY_TARGET_YAW = 13, 14, 21, 24
ROWS = 25

# NaN and infinity stay what they are; no reassociation, so that results reproduce.
FAST = {"nsz", "arcp", "contract"}


@njit(inline="always")
def _pair(block, i):
    """(x, y), then U and V of the prediction alone, half the target's length and width, the heights' differences."""
    c, s = block[C, i], block[S, i]
    half_length, half_width = 0.5 * block[LENGTH, i], 0.5 * block[WIDTH, i]
    grown = 0.5 * (block[HEIGHT, i] - block[HEIGHT_T, i])
    return (
        (block[DX, i] * block[C_T, i] + block[DY, i] * block[S_T, i]),
        (block[DY, i] * block[C_T, i] - block[DX, i] * block[S_T, i]),
        (half_length * c, half_length * s, -half_width * s, half_width * c),
        0.5 * block[LENGTH_T, i],
        0.5 * block[WIDTH_T, i],
        block[DZ, i] - grown,
        block[DZ, i] + grown,
    )


@njit(inline="always")
def _corners(x, y, ux, uy, vx, vy):
    """Abscissae and ordinates of the four e_k."""
    return (
        (x + ux + vx, x - ux + vx, x - ux - vx, x + ux - vx),
        (y + uy + vy, y - uy + vy, y - uy - vy, y + uy - vy),
    )


@njit(inline="always")
def _sums(g):
    """Σ g_k, Σ σ_k g_k and Σ τ_k g_k."""
    return (g[0] + g[1]) + (g[2] + g[3]), (g[0] - g[1]) - (g[2] - g[3]), (g[0] + g[1]) - (g[2] + g[3])


@njit(inline="always")
def _store_pred(block, i, gx, gy, ux, uy, vx, vy, low, high):
    """Slopes by the prediction from (gx, gy) in the world, d/dU and d/dV in the target's frame, d/d low and high."""
    c, s = block[C, i], block[S, i]
    block[BY_PRED, i], block[BY_PRED + 1, i], block[BY_PRED + 2, i] = gx, gy, low + high
    block[BY_PRED + 3, i] = 0.5 * (ux * c + uy * s)
    block[BY_PRED + 4, i] = 0.5 * (vy * c - vx * s)
    block[BY_PRED + 5, i] = 0.5 * (high - low)
    turn = block[LENGTH, i] * (uy * c - ux * s) - block[WIDTH, i] * (vx * c + vy * s)
    block[BY_PRED + 6, i] = 0.5 * turn


@njit(inline="always")
def _store_target(block, i, ux, uy, vx, vy, low, high):
    """Slopes by the target's sizes and yaw; d/dU and d/dV are already times f."""
    block[BY_TARGET_SIZE, i], block[BY_TARGET_SIZE + 1, i] = -0.5 * ux, -0.5 * vy
    block[BY_TARGET_SIZE + 2, i] = 0.5 * (low - high)
    block[BY_TARGET_YAW, i] = 0.5 * (block[WIDTH_T, i] * vx - block[LENGTH_T, i] * uy)


@njit(inline="always")
def _squares(ex, ey):
    """Squared distances in the plane."""
    return (
        ex[0] * ex[0] + ey[0] * ey[0],
        ex[1] * ex[1] + ey[1] * ey[1],
        ex[2] * ex[2] + ey[2] * ey[2],
        ex[3] * ex[3] + ey[3] * ey[3],
    )


@njit(inline="always")
def _lengths(flat, height):
    """Distances in space at one height from the squared ones in the plane."""
    p = height * height
    return math.sqrt(flat[0] + p), math.sqrt(flat[1] + p), math.sqrt(flat[2] + p), math.sqrt(flat[3] + p)


@njit(inline="always")
def _inverses(r):
    """1/r, and 1 where r is 0, since what it multiplies is 0 too."""
    return (
        1.0 / (1.0 if r[0] == 0.0 else r[0]),
        1.0 / (1.0 if r[1] == 0.0 else r[1]),
        1.0 / (1.0 if r[2] == 0.0 else r[2]),
        1.0 / (1.0 if r[3] == 0.0 else r[3]),
    )


@njit(inline="always")
def _pick(first, a, b):
    """Of a where ``first`` says so, else of b."""
    return (
        a[0] if first[0] else b[0],
        a[1] if first[1] else b[1],
        a[2] if first[2] else b[2],
        a[3] if first[3] else b[3],
    )


@njit(inline="always")
def _products(a, b):
    return a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]


@njit(inline="always")
def _added(a, b):
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


@njit(inline="always")
def _total(k):
    return (k[0] + k[1]) + (k[2] + k[3])


@njit(inline="always")
def _huber(r):
    """h(r) and h'(r) for r >= 0: with q = min(r, 1), which is the slope, h = q (r - q/2)."""
    q0, q1 = 1.0 if r[0] > 1.0 else r[0], 1.0 if r[1] > 1.0 else r[1]
    q2, q3 = 1.0 if r[2] > 1.0 else r[2], 1.0 if r[3] > 1.0 else r[3]
    loss = q0 * (r[0] - 0.5 * q0), q1 * (r[1] - 0.5 * q1), q2 * (r[2] - 0.5 * q2), q3 * (r[3] - 0.5 * q3)
    return loss, (q0, q1, q2, q3)


@njit(inline="always")
def _huber_signed(e):
    """Σ h(e) and the four h'(e) for any sign."""
    loss, slope = _huber((abs(e[0]), abs(e[1]), abs(e[2]), abs(e[3])))
    return _total(loss), (
        math.copysign(slope[0], e[0]),
        math.copysign(slope[1], e[1]),
        math.copysign(slope[2], e[2]),
        math.copysign(slope[3], e[3]),
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def fill_per_box(block, flip):
    """min(Σ ‖e‖, Σ ‖e turned‖) and its slopes; ``flip`` is -1 to turn the target, 1 not to."""
    if block.shape[0] != ROWS or block.shape[1] != BLOCK:  # known sizes: no row overlaps another
        return
    for i in range(BLOCK):
        x, y, u, a, b, low, high = _pair(block, i)
        ex, ey = _corners(x, y, u[0] - a, u[1], u[2], u[3] - b)
        tx, ty = _corners(x, y, u[0] - flip * a, u[1], u[2], u[3] - flip * b)
        flat, turned_flat = _squares(ex, ey), _squares(tx, ty)
        bottom, top = _lengths(flat, low), _lengths(flat, high)
        turned_bottom, turned_top = _lengths(turned_flat, low), _lengths(turned_flat, high)
        own, turned = _total(bottom) + _total(top), _total(turned_bottom) + _total(turned_top)
        block[LOSS, i] = turned if turned < own else own
        f = flip if turned < own else 1.0
        is_turned = turned < own, turned < own, turned < own, turned < own
        at_low = _inverses(_pick(is_turned, turned_bottom, bottom))
        at_high = _inverses(_pick(is_turned, turned_top, top))
        k = _added(at_low, at_high)
        gx, ux, vx = _sums(_products(k, _pick(is_turned, tx, ex)))
        gy, uy, vy = _sums(_products(k, _pick(is_turned, ty, ey)))
        low *= _total(at_low)
        high *= _total(at_high)
        ct, st = block[C_T, i], block[S_T, i]
        _store_pred(block, i, gx * ct - gy * st, gx * st + gy * ct, ux, uy, vx, vy, low, high)
        _store_target(block, i, f * ux, f * uy, f * vx, f * vy, low, high)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def fill_per_corner(block, flip):
    """Σ h(min(‖e‖, ‖e turned‖)) / 8 and its slopes. Both heights of a corner choose alike: they share the rest."""
    if block.shape[0] != ROWS or block.shape[1] != BLOCK:
        return
    for i in range(BLOCK):
        x, y, u, a, b, low, high = _pair(block, i)
        ex, ey = _corners(x, y, u[0] - a, u[1], u[2], u[3] - b)
        tx, ty = _corners(x, y, u[0] - flip * a, u[1], u[2], u[3] - flip * b)
        own, turned = _squares(ex, ey), _squares(tx, ty)
        is_turned = turned[0] < own[0], turned[1] < own[1], turned[2] < own[2], turned[3] < own[3]
        flat = _pick(is_turned, turned, own)
        bottom, top = _lengths(flat, low), _lengths(flat, high)
        bottom_loss, bottom_slope = _huber(bottom)
        top_loss, top_slope = _huber(top)
        block[LOSS, i] = 0.125 * (_total(bottom_loss) + _total(top_loss))
        at_low, at_high = _products(bottom_slope, _inverses(bottom)), _products(top_slope, _inverses(top))
        k = _products((0.125, 0.125, 0.125, 0.125), _added(at_low, at_high))
        px, py = _products(k, _pick(is_turned, tx, ex)), _products(k, _pick(is_turned, ty, ey))
        gx, ux, vx = _sums(px)
        gy, uy, vy = _sums(py)
        low *= 0.125 * _total(at_low)
        high *= 0.125 * _total(at_high)
        ct, st = block[C_T, i], block[S_T, i]
        _store_pred(block, i, gx * ct - gy * st, gx * st + gy * ct, ux, uy, vx, vy, low, high)
        f = _pick(is_turned, (flip, flip, flip, flip), (1.0, 1.0, 1.0, 1.0))
        _, ux, vx = _sums(_products(f, px))
        _, uy, vy = _sums(_products(f, py))
        _store_target(block, i, ux, uy, vx, vy, low, high)


@njit(inline="always")
def _turn(c, s, x, y):
    return c * x - s * y, s * x + c * y


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def fill_huber_sum(block, flip):
    """min(Σ h(e_xyz), Σ h(e_xyz turned)) and its slopes, along the axes of the world."""
    if block.shape[0] != ROWS or block.shape[1] != BLOCK:
        return
    for i in range(BLOCK):
        _, _, u, a, b, low, high = _pair(block, i)
        ct, st = block[C_T, i], block[S_T, i]
        x, y = block[DX, i], block[DY, i]
        ux, uy = _turn(ct, st, u[0] - a, u[1])
        vx, vy = _turn(ct, st, u[2], u[3] - b)
        ex, ey = _corners(x, y, ux, uy, vx, vy)
        ux, uy = _turn(ct, st, u[0] - flip * a, u[1])
        vx, vy = _turn(ct, st, u[2], u[3] - flip * b)
        tx, ty = _corners(x, y, ux, uy, vx, vy)
        own_x, px = _huber_signed(ex)
        own_y, py = _huber_signed(ey)
        turned_x, qx = _huber_signed(tx)
        turned_y, qy = _huber_signed(ty)
        own, turned = own_x + own_y, turned_x + turned_y
        at_heights, slopes = _huber_signed((low, high, low, high))
        block[LOSS, i] = 2.0 * ((turned if turned < own else own) + at_heights)
        is_turned = turned < own, turned < own, turned < own, turned < own
        gx, ux, vx = _sums(_pick(is_turned, qx, px))
        gy, uy, vy = _sums(_pick(is_turned, qy, py))
        ux, uy = _turn(ct, -st, 2.0 * ux, 2.0 * uy)
        vx, vy = _turn(ct, -st, 2.0 * vx, 2.0 * vy)
        low, high = 4.0 * slopes[0], 4.0 * slopes[1]
        _store_pred(block, i, 2.0 * gx, 2.0 * gy, ux, uy, vx, vy, low, high)
        f = flip if turned < own else 1.0
        _store_target(block, i, f * ux, f * uy, f * vx, f * vy, low, high)
