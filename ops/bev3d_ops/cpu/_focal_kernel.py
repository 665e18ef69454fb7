"""The compiled part of the heatmap focal loss, see ``bev3d_ops.reference._focal`` for the formulas.

Work is cut into blocks of 4,096 elements. A block's loss is summed in 64 lanes of float32, 64 terms each, and from
there on in float64, always in the same order: whatever the number of threads, the result is the same to the bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

__all__ = ["BFLOAT", "BLOCK", "FLOAT", "HALF", "focal_blocks"]

FLOAT, HALF, BFLOAT = 0, 1, 2
BLOCK, _LANES = 4096, 64
_FAST = {"contract", "nsz"}

# minimax by relative error: exp on [-ln 2 / 2, ln 2 / 2] to 2e-9, log(1 + e) / e on [0, 1] to 3e-8;
# log 2 in two parts, the first of 12 bits
_f = np.float32
_LOG2_E, _LN2_HIGH, _LN2_LOW = _f(1.44269504), _f(0.693359375), _f(-2.12194440e-4)
_E2, _E3, _E4, _E5, _E6 = _f(0.499999920), _f(0.166664192), _f(0.0416682318), _f(0.00837489834), _f(0.00138367422)
_L0, _L1, _L2, _L3, _L4 = _f(0.99999996988), _f(-0.499994931), _f(0.333190967), _f(-0.248429817), _f(0.191060050)
_L5, _L6, _L7, _L8 = _f(-0.136632425), _f(0.0782259175), _f(-0.0295052199), _f(0.00523269003)
_0, _1, _2, _ROUND, _LARGEST, _NAN = _f(0), _f(1), _f(2), _f(0.5), _f(87), _f(math.nan)
_LOW_15, _INFINITE_HALF, _INFINITE = np.uint32(0x7FFF), np.uint32(0x7C00), np.uint32(0x7F800000)
_HALF_TO_FLOAT = _f(2.0**112)  # between the biases of the exponents


def _as_real(values: Any, kind: Any, out: Any) -> Any:
    """Compiled: ``values`` themselves, or the numbers whose bits they are, written to ``out``."""


def _evaluate(x: Any, y: Any, loss: Any, slope: Any, alpha: Any, beta: Any) -> None:
    """Compiled: write loss and slope of x and y."""


def _add_up(x: Any, y: Any, slope: Any, spare: Any, alpha: Any, beta: Any) -> Any:
    """Compiled: sum of the loss of x and y; writes the slope where that is not empty, using ``spare`` (2, lanes)."""


@overload(_as_real)
def _as_real_of(values, kind, out):
    if values.dtype == types.uint16:
        return lambda values, kind, out: _from_bits(values, kind, out)
    return lambda values, kind, out: values


@overload(_evaluate)
def _evaluate_of(x, y, loss, slope, alpha, beta):
    if x.dtype == types.float32:

        def chosen(x, y, loss, slope, alpha, beta):
            if alpha == 2 and beta == 4:
                _evaluate_2_4(x, y, loss, slope)
            else:
                _evaluate_any(x, y, loss, slope, alpha, beta)

        return chosen
    return lambda x, y, loss, slope, alpha, beta: _evaluate_any(x, y, loss, slope, alpha, beta)


@overload(_add_up)
def _add_up_of(x, y, slope, spare, alpha, beta):
    if x.dtype == types.float32:

        def chosen(x, y, slope, spare, alpha, beta):
            if alpha == 2 and beta == 4:
                return _add_up_2_4(x, y, slope, spare)
            return _add_up_any(x, y, slope, alpha, beta)

        return chosen
    return lambda x, y, slope, spare, alpha, beta: _add_up_any(x, y, slope, alpha, beta)


@njit(cache=True, nogil=True, error_model="numpy")
def focal_blocks(logits, heatmap, alpha, beta, kind, loss, slope, sums, in_group, start, stop):
    """Blocks start to stop. What is not wanted is written over in a buffer that stays in the cache."""
    reals, unwanted = np.empty(BLOCK, heatmap.dtype), np.empty(BLOCK, heatmap.dtype)
    spare = np.empty((2, _LANES), heatmap.dtype)
    per_group = -(-in_group // BLOCK)
    for block in range(start, stop):
        group, part = block // per_group, block % per_group
        low = group * in_group + part * BLOCK
        high = min(low + BLOCK, (group + 1) * in_group)
        x = _as_real(logits[low:high], kind, reals[: high - low])
        y = heatmap[low:high]
        if sums.size:
            sums[group, part] = _add_up(x, y, slope[low:high], spare, alpha, beta)
        else:
            steep = slope[low:high] if len(slope) else unwanted[: high - low]
            _evaluate(x, y, loss[low:high], steep, alpha, beta)


@njit(nogil=True, error_model="numpy")
def _from_bits(bits, kind, out):
    if kind == BFLOAT:
        for k in range(len(bits)):
            out[k] = np.uint32(np.uint32(bits[k]) << np.uint32(16)).view(np.float32)
    else:
        for k in range(len(bits)):
            word = np.uint32(bits[k])
            magnitude = np.uint32(word & _LOW_15)
            shifted = np.uint32(magnitude << np.uint32(13))
            number = np.float32(shifted.view(np.float32) * _HALF_TO_FLOAT)
            if magnitude >= _INFINITE_HALF:
                number = np.uint32(shifted | _INFINITE).view(np.float32)
            out[k] = -number if word > _LOW_15 else number
    return out


@njit(nogil=True, error_model="numpy", fastmath=_FAST)
def _evaluate_2_4(x, y, loss, slope):
    for k in range(len(x)):
        loss[k], slope[k] = _value_and_slope(x[k], y[k])


@njit(nogil=True, error_model="numpy", fastmath=_FAST)
def _add_up_2_4(xs, ys, slopes, spare):
    lanes, unwanted = spare[0], spare[1]
    lanes[:] = 0
    whole = len(xs) // _LANES * _LANES
    for i in range(0, whole, _LANES):
        x, y = xs[i : i + _LANES], ys[i : i + _LANES]
        slope = slopes[i : i + _LANES] if len(slopes) else unwanted
        for k in range(_LANES):
            loss, slope[k] = _value_and_slope(x[k], y[k])
            lanes[k] += loss
    total = 0.0
    for k in range(_LANES):
        total += lanes[k]
    for i in range(whole, len(xs)):
        loss, steep = _value_and_slope(xs[i], ys[i])
        total += loss
        if len(slopes):
            slopes[i] = steep
    return total


@njit(inline="always")
def _value_and_slope(x, y):
    """Float32 arithmetic without calls or branches, so that the loop becomes vector instructions."""
    positive = y == _1
    z = -x if positive else x
    a = _LARGEST if abs(z) > _LARGEST else abs(z)  # a NaN stays one
    n = np.int32(a * _LOG2_E + _ROUND)
    r = np.float32(n) * _LN2_HIGH - a + np.float32(n) * _LN2_LOW
    e = _1 + r * (_1 + r * (_E2 + r * (_E3 + r * (_E4 + r * (_E5 + r * _E6)))))
    e *= np.int32((np.int32(127) - n) << np.int32(23)).view(np.float32)  # exp(-a)
    log = _L4 + e * (_L5 + e * (_L6 + e * (_L7 + e * _L8)))
    softplus = (z if z > _0 else _0) + e * (_L0 + e * (_L1 + e * (_L2 + e * (_L3 + e * log))))
    large = _1 / (_1 + e)
    small = e * large
    p, q = (large, small) if z > _0 else (small, large)
    rest = (_1 - y) * (_1 - y)
    weight = _1 if positive else rest * rest
    weight = weight if abs(y - _ROUND) <= _ROUND else _NAN  # no target of a heatmap: what it gives must be seen
    scaled = weight * p * p
    slope = scaled * (p + _2 * q * softplus)
    return scaled * softplus, -slope if positive else slope


@njit(nogil=True, error_model="numpy")
def _evaluate_any(x, y, loss, slope, alpha, beta):
    for k in range(len(x)):
        loss[k], slope[k] = _any_value_and_slope(np.float64(x[k]), np.float64(y[k]), alpha, beta)


@njit(nogil=True, error_model="numpy")
def _add_up_any(x, y, slope, alpha, beta):
    total = 0.0
    for k in range(len(x)):
        loss, steep = _any_value_and_slope(np.float64(x[k]), np.float64(y[k]), alpha, beta)
        total += loss
        if len(slope):
            slope[k] = steep
    return total


@njit(nogil=True, error_model="numpy")
def _any_value_and_slope(x, y, alpha, beta):
    positive = y == 1
    z = -x if positive else x
    e = math.exp(-abs(z))
    p, q = (1 / (1 + e), e / (1 + e)) if z > 0 else (e / (1 + e), 1 / (1 + e))
    softplus = (z if z > 0 else 0.0) + math.log1p(e)
    scaled = (1.0 if positive else (1 - y) ** beta) * p**alpha
    scaled = scaled if abs(y - 0.5) <= 0.5 else math.nan
    slope = scaled * (p + alpha * q * softplus)
    return scaled * softplus, -slope if positive else slope
