"""Sine and cosine in straight-line arithmetic, so that loops over many angles vectorise."""

from __future__ import annotations

import math

from numba import njit

FAR = 1e5  # radians; beyond it the reduction below would lose digits

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
    turns = math.floor(angle * _TWO_OVER_PI + 0.5)
    r = ((angle - turns * _PART_1) - turns * _PART_2) - turns * _PART_3
    q = r * r
    odd_series = _S4 + q * (_S5 + q * (_S6 + q * (_S7 + q * _S8)))
    sine = r + r * (q * (_S1 + q * (_S2 + q * (_S3 + q * odd_series))))
    even_series = _C5 + q * (_C6 + q * (_C7 + q * (_C8 + q * _C9)))
    cosine = 1.0 + q * (-0.5 + q * (_C2 + q * (_C3 + q * (_C4 + q * even_series))))
    # quarter turns: the last bit swaps the two, the one before it turns the sign
    half_turns = math.floor(turns * 0.5)
    is_odd = turns - 2.0 * half_turns
    sign = 1.0 - 2.0 * (half_turns - 2.0 * math.floor(half_turns * 0.5))
    sin_out = cosine if is_odd != 0.0 else sine
    cos_out = -sine if is_odd != 0.0 else cosine
    return sign * sin_out, sign * cos_out
