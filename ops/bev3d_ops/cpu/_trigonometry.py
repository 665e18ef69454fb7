"""Sine and cosine in straight-line arithmetic, so that loops over many angles vectorise."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

FAR = 1e5  # radians; beyond it the reduction below would lose digits
FAR_SINGLE = 200.0  # the same in float32

_TWO_OVER_PI = 2 / math.pi
# pi/2 in three parts: the first two have so few bits that their products with a count of quarter turns are exact.
_PART_1 = math.ldexp(math.floor(math.ldexp(math.pi / 2, 32)), -32)
_PART_2 = math.ldexp(math.floor(math.ldexp(math.pi / 2 - _PART_1, 65)), -65)
# what is left of pi/2 = 1.5707963267948966192313216916397514420985846996875529...
_PART_3 = (math.pi / 2 - _PART_1 - _PART_2) + 6.123233995736766035868820147292e-17

_SIN = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(9))
_COS = tuple((-1) ** k / math.factorial(2 * k) for k in range(10))
_S1, _S2, _S3, _S4, _S5, _S6, _S7, _S8 = _SIN[1:]
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9 = _COS[2:]


@njit(inline="always")
def sin_cos(angle):
    """Sine and cosine of an angle below ``FAR`` in magnitude; absolute error below 3e-16.

    Taylor series on [-pi/4, pi/4], whose first terms left out are below 1e-18.
    """
    turns = np.floor(angle * _TWO_OVER_PI + 0.5)
    r = ((angle - turns * _PART_1) - turns * _PART_2) - turns * _PART_3
    q = r * r
    odd_series = _S4 + q * (_S5 + q * (_S6 + q * (_S7 + q * _S8)))
    sine = r + r * (q * (_S1 + q * (_S2 + q * (_S3 + q * odd_series))))
    even_series = _C5 + q * (_C6 + q * (_C7 + q * (_C8 + q * _C9)))
    cosine = 1.0 + q * (-0.5 + q * (_C2 + q * (_C3 + q * (_C4 + q * even_series))))
    # quarter turns: the last bit swaps the two, the one before it turns the sign
    half_turns = np.floor(turns * 0.5)
    is_odd = turns - 2.0 * half_turns
    sign = 1.0 - 2.0 * (half_turns - 2.0 * np.floor(half_turns * 0.5))
    sin_out = cosine if is_odd != 0.0 else sine
    cos_out = -sine if is_odd != 0.0 else cosine
    return sign * sin_out, sign * cos_out


_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_TWO_OVER_PI_SINGLE = np.float32(2 / math.pi)
# counts of quarter turns below FAR_SINGLE have 7 bits: 16 are left for the first part
_PART_1_SINGLE = np.float32(math.ldexp(math.floor(math.ldexp(math.pi / 2, 15)), -15))
_PART_2_SINGLE = np.float32(math.pi / 2 - float(_PART_1_SINGLE))
_PART_3_SINGLE = np.float32(math.pi / 2 - float(_PART_1_SINGLE) - float(_PART_2_SINGLE))
_S1_SINGLE, _S2_SINGLE, _S3_SINGLE, _S4_SINGLE = (np.float32(value) for value in _SIN[1:5])
_C2_SINGLE, _C3_SINGLE, _C4_SINGLE, _C5_SINGLE = (np.float32(value) for value in _COS[2:6])


@njit(inline="always")
def sin_cos_single(angle):
    """As :func:`sin_cos` in float32, for angles below ``FAR_SINGLE``; absolute error below 1.2e-7."""
    turns = np.floor(angle * _TWO_OVER_PI_SINGLE + _HALF)
    r = ((angle - turns * _PART_1_SINGLE) - turns * _PART_2_SINGLE) - turns * _PART_3_SINGLE
    q = r * r
    sine = r + r * (q * (_S1_SINGLE + q * (_S2_SINGLE + q * (_S3_SINGLE + q * _S4_SINGLE))))
    cosine = _ONE + q * (q * (_C2_SINGLE + q * (_C3_SINGLE + q * (_C4_SINGLE + q * _C5_SINGLE))) - _HALF)
    half_turns = np.floor(turns * _HALF)
    is_odd = turns - _TWO * half_turns
    sign = _ONE - _TWO * (half_turns - _TWO * np.floor(half_turns * _HALF))
    sin_out = cosine if is_odd != 0 else sine
    cos_out = -sine if is_odd != 0 else cosine
    return sign * sin_out, sign * cos_out
