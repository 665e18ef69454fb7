"""Values of a row of a table in JSON straight from its text into columns.

Only values of the usual form are understood, and those are checked to the last byte; the others are UNUSUAL.
"""

import numpy as np
from numba import njit

from bev3d_ops.cpu._decimal import parse_number
from bev3d_ops.cpu._json_text import CLOSE_LIST, COMMA, OPEN_LIST, QUOTE, skip_space
from bev3d_ops.cpu._token_keys import hex_key, token_key

__all__ = ["ANY", "FLAG", "KEY", "KEYS", "NUMBERS", "ONE", "UNUSUAL", "WHOLE", "parse_field", "string_end", "value_end"]

ANY, KEY, KEYS, NUMBERS, WHOLE, FLAG = range(6)
"""Kinds of fields: any value, a token, a list of tokens, numbers in brackets, a whole number, a truth value."""

UNUSUAL = -1
ONE = np.uint64(1)
# Bytes below 32 are not allowed in a JSON string, from 127 on and after a backslash they need decoding.
PLAIN = np.zeros(256, dtype=np.bool_)
PLAIN[32:127] = True
PLAIN[[QUOTE, 92]] = False
LARGEST_WHOLE = float(1 << 53)
DEEPEST = 4
TRUE, FALSE, NULL = (np.frombuffer(word, dtype=np.uint8) for word in (b"true", b"false", b"null"))


@njit(cache=True, nogil=True)
def string_end(text, at):
    """Index of the closing quote of the plain string whose opening quote is before ``at``, or UNUSUAL."""
    i = np.uint64(at)  # an index without a sign needs no look at what it would mean below 0
    while PLAIN[text[i]]:
        i += ONE
    return np.int64(i) if text[i] == QUOTE else UNUSUAL


@njit(cache=True, nogil=True)
def _starts_with(text, at, word):
    # A byte that differs ends the comparison, and so does the one behind the text.
    for i in range(len(word)):  # noqa: SIM110
        if text[at + i] != word[i]:
            return False
    return True


@njit(cache=True, nogil=True)
def _scalar_end(text, at, powers):
    """Index after the string, number, truth value or null at ``at``, or UNUSUAL."""
    if text[at] == QUOTE:
        end = string_end(text, at + 1)
        return end + 1 if end != UNUSUAL else UNUSUAL
    if _starts_with(text, at, TRUE) or _starts_with(text, at, NULL):
        return at + 4
    if _starts_with(text, at, FALSE):
        return at + 5
    _, end, good = parse_number(text, at, powers)
    return end if good else UNUSUAL


@njit(cache=True, nogil=True)
def value_end(text, at, powers):
    """Index after a scalar, or after lists of scalars in one another, or UNUSUAL."""
    depth = 0
    while True:
        while text[at] == OPEN_LIST and depth < DEEPEST:
            depth += 1
            at = skip_space(text, at + 1)
            if text[at] == CLOSE_LIST:
                break
        if text[at] != CLOSE_LIST or depth == 0:
            at = _scalar_end(text, at, powers)
            if at == UNUSUAL or depth == 0:
                return at
        at = skip_space(text, at)
        while text[at] == CLOSE_LIST:
            depth -= 1
            at += 1
            if depth == 0:
                return at
            at = skip_space(text, at)
        if text[at] != COMMA:
            return UNUSUAL
        at = skip_space(text, at + 1)
        if text[at] == CLOSE_LIST:
            return UNUSUAL


@njit(cache=True, nogil=True)
def _numbers(text, at, width, into, row, slot, powers):
    """``width`` numbers in brackets from ``at`` on; the index after them, or UNUSUAL."""
    if text[at] != OPEN_LIST:
        return UNUSUAL
    at = skip_space(text, at + 1)
    for k in range(width):
        into[row, slot + k], at, good = parse_number(text, at, powers)
        if not good:
            return UNUSUAL
        at = skip_space(text, at)
        if text[at] != (CLOSE_LIST if k == width - 1 else COMMA):
            return UNUSUAL
        at = skip_space(text, at + 1) if k < width - 1 else at + 1
    return at


@njit(cache=True, nogil=True)
def _key(text, at, into, row, slot):
    """The key of a string; the index after it, or UNUSUAL."""
    if text[at] != QUOTE:
        return UNUSUAL
    good, high, low = hex_key(text, at + 1)
    end = at + 33
    if not good or text[end] != QUOTE:
        end = string_end(text, at + 1)
        if end == UNUSUAL:
            return UNUSUAL
        high, low = token_key(text, at + 1, end)
    into[row, slot, 0], into[row, slot, 1] = high, low
    return end + 1


@njit(cache=True, nogil=True)
def _keys(text, at, into, row, slot):
    """The key of the first of a list of strings; the index after the list, or UNUSUAL, and how many there are."""
    if text[at] != OPEN_LIST:
        return UNUSUAL, 0
    at = skip_space(text, at + 1)
    if text[at] == CLOSE_LIST:
        into[row, slot, 0], into[row, slot, 1] = token_key(text, at, at)
        return at + 1, 0
    count = 0
    while True:
        if count == 0:
            at = _key(text, at, into, row, slot)
        else:
            at = string_end(text, at + 1) + 1 if text[at] == QUOTE else UNUSUAL
        if at <= 0:
            return UNUSUAL, 0
        count += 1
        at = skip_space(text, at)
        if text[at] == CLOSE_LIST:
            return at + 1, count
        if text[at] != COMMA:
            return UNUSUAL, 0
        at = skip_space(text, at + 1)


@njit(cache=True, nogil=True)
def parse_field(text, at, kind, width, slot, keys, numbers, row, powers):
    """The value at ``at`` into its place; the index after it, or UNUSUAL."""
    if kind == KEY:
        return _key(text, at, keys, row, slot)
    if kind == KEYS:
        at, count = _keys(text, at, keys, row, slot)
        numbers[row, width] = count
        return at
    if kind == NUMBERS:
        return _numbers(text, at, width, numbers, row, slot, powers)
    if kind == WHOLE:
        value, at, good = parse_number(text, at, powers)
        numbers[row, slot] = value
        return at if good and abs(value) < LARGEST_WHOLE and value == np.floor(value) else UNUSUAL
    if kind == FLAG:
        numbers[row, slot] = text[at] == TRUE[0]
        if _starts_with(text, at, TRUE):
            return at + 4
        return at + 5 if _starts_with(text, at, FALSE) else UNUSUAL
    return value_end(text, at, powers)
