"""Decimal numbers in text to float64, correctly rounded: the same bits as Python's ``float``.

Most numbers need one exact division or product (Clinger, 1990); the others a product with a power of ten of 128 bits
(Eisel and Lemire: Lemire, "Number parsing at a gigabyte per second", 2021, arXiv 2101.11408).
"""

import numpy as np
from numba import njit

__all__ = ["decimal_powers", "parse_number"]

LEAST_POWER, GREATEST_POWER = -300, 300
MOST_DIGITS = 19  # as many as fit into 64 bits

ZERO, NINE, MINUS, PLUS, POINT, SMALL_E, BIG_E = (np.uint8(ord(c)) for c in "09-+.eE")
ONE, TEN, HALF_WORD = np.uint64(1), np.uint64(10), np.uint64(32)
LOW_HALF = np.uint64(0xFFFFFFFF)
EXACT = np.uint64(1 << 53)
SPARE_BITS = np.uint64(0x1FF)
HIDDEN_BIT = np.uint64(1 << 52)
EXACT_TENS = np.array([10.0**k for k in range(23)])


def decimal_powers() -> np.ndarray:
    """(601, 2) uint64: the upper 128 bits of 5^q for q from -300 to 300, the higher word first."""
    rows = []
    for q in range(LEAST_POWER, GREATEST_POWER + 1):
        if q >= 0:
            value = 5**q
            extra = 128 - value.bit_length()
            value = value << extra if extra >= 0 else value >> -extra
        else:
            divisor = 5**-q
            # one part more: the reciprocal of a power that fits into 64 bits is rounded up, the others are cut off
            extra = 127 if q >= -27 else divisor.bit_length() + 128
            value = (1 << (divisor.bit_length() + extra)) // divisor + 1
            value >>= value.bit_length() - 128
        rows.append((value >> 64, value & 0xFFFFFFFFFFFFFFFF))
    return np.array(rows, dtype=np.uint64)


@njit(cache=True, nogil=True)
def _multiply(a, b):
    """High and low word of the product of two 64-bit words."""
    a_low, a_high = a & LOW_HALF, a >> HALF_WORD
    b_low, b_high = b & LOW_HALF, b >> HALF_WORD
    low, high = a_low * b_low, a_high * b_high
    first, second = a_high * b_low, a_low * b_high
    middle = (low >> HALF_WORD) + (first & LOW_HALF) + (second & LOW_HALF)
    high += (first >> HALF_WORD) + (second >> HALF_WORD) + (middle >> HALF_WORD)
    return high, (middle << HALF_WORD) | (low & LOW_HALF)


@njit(cache=True, nogil=True)
def _scaled(digits, power, powers):
    """``digits`` times ten to the ``power``, and whether it is certain: a subnormal, an overflow is not."""
    leading = 0
    while not digits >> np.uint64(63):
        digits <<= ONE
        leading += 1
    row = power - LEAST_POWER
    high, low = _multiply(digits, powers[row, 0])
    if (high & SPARE_BITS) == SPARE_BITS:
        carry, _ = _multiply(digits, powers[row, 1])
        low += carry
        if carry > low:
            high += ONE
    upper = high >> np.uint64(63)
    shift = upper + np.uint64(9)
    mantissa = high >> shift
    exponent = ((217706 * power) >> 16) + 63 + np.int64(upper) - leading + 1023
    if low <= ONE and -4 <= power <= 23 and (mantissa & np.uint64(3)) == ONE and (mantissa << shift) == high:
        mantissa &= ~ONE  # exactly between two numbers: to the even one
    mantissa = (mantissa + (mantissa & ONE)) >> ONE
    if mantissa >= HIDDEN_BIT << ONE:
        mantissa = HIDDEN_BIT
        exponent += 1
    if exponent <= 0 or exponent >= 2047:
        return 0.0, False
    bits = (np.uint64(exponent) << np.uint64(52)) | (mantissa & ~HIDDEN_BIT)
    return np.uint64(bits).view(np.float64), True


@njit(cache=True, nogil=True)
def parse_number(text, at, powers):
    """A JSON number that begins at ``at``.

    Args:
        text: (B,) uint8; a byte that belongs to no number follows.
        at: index of the first byte.
        powers: see :func:`decimal_powers`.

    Returns the number, the index after it, and whether it was understood: more than 19 digits, an exponent out of range
    or anything but a JSON number is not, and has to be read in another way.
    """
    negative = text[at] == MINUS
    if negative:
        at += 1
    first = at
    digits, count, power = np.uint64(0), 0, 0
    while ZERO <= text[at] <= NINE:
        digits = digits * TEN + np.uint64(text[at] - ZERO)
        count += digits != 0
        at += 1
    if at == first or (text[first] == ZERO and at - first > 1):
        return 0.0, at, False
    whole = True
    if text[at] == POINT:
        whole = False
        at += 1
        first = at
        while ZERO <= text[at] <= NINE:
            digits = digits * TEN + np.uint64(text[at] - ZERO)
            count += digits != 0
            at += 1
        power = first - at
        if at == first:
            return 0.0, at, False
    if text[at] == SMALL_E or text[at] == BIG_E:
        whole = False
        at += 1
        sign = -1 if text[at] == MINUS else 1
        if text[at] == MINUS or text[at] == PLUS:
            at += 1
        first = at
        exponent = 0
        while ZERO <= text[at] <= NINE:
            if exponent < 10_000:
                exponent = exponent * 10 + int(text[at] - ZERO)
            at += 1
        power += sign * exponent
        if at == first:
            return 0.0, at, False
    if count > MOST_DIGITS:
        return 0.0, at, False
    value, good = _value(digits, power, powers)
    # the integer -0 is 0
    return (-value if negative and not (whole and digits == 0) else value), at, good


@njit(cache=True, nogil=True)
def _value(digits, power, powers):
    if digits == 0:
        return 0.0, True
    if digits <= EXACT and -22 <= power <= 22:
        if power < 0:
            return np.float64(digits) / EXACT_TENS[-power], True
        return np.float64(digits) * EXACT_TENS[power], True
    if power < LEAST_POWER or power > GREATEST_POWER:
        return 0.0, False
    return _scaled(digits, power, powers)
