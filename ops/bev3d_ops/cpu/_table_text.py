"""Rows of a table in JSON straight from its text into columns.

A table is a list of flat objects. Only rows of the usual form are understood, and those are checked to the last byte;
where anything is unusual, be it an escape in a string, an object in a row, a key that is missing or a plain mistake,
the row is left to a reader that takes its time and says what is wrong.
"""

import numpy as np
from numba import njit

from bev3d_ops.cpu._decimal import parse_number
from bev3d_ops.cpu._json_text import (
    CLOSE_LIST,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_LIST,
    OPEN_OBJECT,
    QUOTE,
    find_word,
    skip_space,
    skip_value,
)
from bev3d_ops.cpu._token_keys import hex_key, token_key
from bev3d_ops.cpu._uncounted import uncounted

__all__ = ["ANY", "BAD", "DONE", "FLAG", "FULL", "KEY", "KEYS", "MORE", "NUMBERS", "UNUSUAL", "WHOLE", "parse_rows"]

ANY, KEY, KEYS, NUMBERS, WHOLE, FLAG = range(6)
"""Kinds of fields: any value, a token, a list of tokens, numbers in brackets, a whole number, a truth value."""

MORE, DONE, FULL, BAD = range(4)
"""Where reading stopped: in want of more text, at the end of the table, of the arrays, before what is no row."""

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
def _string_end(text, at):
    """Index of the closing quote of the plain string whose opening quote is before ``at``, or UNUSUAL."""
    i = np.uint64(at)  # an index without a sign needs no look at what it would mean below 0
    while PLAIN[text[i]]:
        i += ONE
    return np.int64(i) if text[i] == QUOTE else UNUSUAL


@njit(cache=True, nogil=True)
def _name(text, at, words, word_at, guess):
    """Which field the string is whose opening quote is before ``at`` (-1: none), and its closing quote or UNUSUAL."""
    if guess < len(word_at) - 1:
        first, size = np.uint64(word_at[guess]), np.uint64(word_at[guess + 1] - word_at[guess])
        i, start = np.uint64(0), np.uint64(at)
        while i < size and text[start + i] == words[first + i]:
            i += ONE
        if i == size and text[start + i] == QUOTE:
            return guess, np.int64(start + i)
    end = _string_end(text, at)
    if end == UNUSUAL:
        return -1, UNUSUAL
    return find_word(text, at, end, words, word_at, 0), end


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
        end = _string_end(text, at + 1)
        return end + 1 if end != UNUSUAL else UNUSUAL
    if _starts_with(text, at, TRUE) or _starts_with(text, at, NULL):
        return at + 4
    if _starts_with(text, at, FALSE):
        return at + 5
    _, end, good = parse_number(text, at, powers)
    return end if good else UNUSUAL


@njit(cache=True, nogil=True)
def _value_end(text, at, powers):
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
        end = _string_end(text, at + 1)
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
            at = _string_end(text, at + 1) + 1 if text[at] == QUOTE else UNUSUAL
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
def _field(text, at, kind, width, slot, keys, numbers, row, powers):
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
    return _value_end(text, at, powers)


@njit(cache=True, nogil=True)
def _row(text, at, fields, keys, numbers, row, powers):
    """One row whose ``{`` is at ``at``; the index after it, or UNUSUAL."""
    words, word_at, kinds, widths, slots = fields
    seen, guess = 0, 0
    at = skip_space(text, at + 1)
    while text[at] == QUOTE:
        which, end = _name(text, at + 1, words, word_at, guess)
        if end == UNUSUAL:
            return UNUSUAL
        if which >= 0:
            if seen >> which & 1:
                return UNUSUAL
            seen |= 1 << which
            guess = which + 1
        at = skip_space(text, end + 1)
        if text[at] != COLON:
            return UNUSUAL
        at = skip_space(text, at + 1)
        if which < 0:
            at = _value_end(text, at, powers)
        else:
            at = _field(text, at, kinds[which], widths[which], slots[which], keys, numbers, row, powers)
        if at == UNUSUAL:
            return UNUSUAL
        at = skip_space(text, at)
        if text[at] == CLOSE_OBJECT:
            return at + 1 if seen == (1 << len(kinds)) - 1 else UNUSUAL
        if text[at] != COMMA:
            return UNUSUAL
        at = skip_space(text, at + 1)
    return UNUSUAL


@njit(cache=True, nogil=True)
def _parse_rows(text, at, stop, fields, powers, place, usual, keys, numbers):
    count = 0
    while True:
        start = skip_space(text, at)
        if start >= stop:
            return at, count, MORE
        if count == len(place):
            return at, count, FULL
        if text[start] != OPEN_OBJECT:
            return start, count, BAD
        end = _row(text, start, fields, keys, numbers, count, powers)
        usual[count] = end != UNUSUAL
        if end == UNUSUAL:
            end, _ = skip_value(text, start, stop)
            if end > stop:
                return at, count, MORE
        after = skip_space(text, end)
        if after >= stop:
            return at, count, MORE
        place[count, 0], place[count, 1] = start, end
        if text[after] == CLOSE_LIST:
            return after + 1, count + 1, DONE
        if text[after] != COMMA:
            return after, count + 1, BAD
        count += 1
        at = after + 1


@njit(cache=True, nogil=True)
def parse_rows(text, at, stop, fields, powers, place, usual, keys, numbers):
    """Rows from ``at`` on, where one begins, each with what follows it: a comma or the end of the table.

    Args:
        text: (B,) uint8; ``text[stop]`` may be read and is 0.
        at: index of the first row's first byte, or of white space before it.
        stop: the text ends here.
        fields: names (bytes of all, and where each begins), kinds, widths and slots: a key goes into
            ``keys[row, slot]``, numbers from ``numbers[row, slot]`` on; the width of KEYS is where their count goes.
        powers: see ``decimal_powers``.
        place: (R, 2) int64, written to: first byte of a row and the one after it.
        usual: (R,) bool, written to: whether the row was understood.
        keys: (R, K, 2) uint64, written to.
        numbers: (R, F) float64, written to.

    Returns the index where to go on, how many rows there are, and why no more.
    """
    words, word_at, kinds, widths, slots = fields
    # Arrays that belong to the caller need not be counted each time that they are handed on, twenty times a row.
    fields = (uncounted(words), uncounted(word_at), uncounted(kinds), uncounted(widths), uncounted(slots))
    return _parse_rows(
        uncounted(text), at, stop, fields, uncounted(powers), uncounted(place), uncounted(usual), uncounted(keys),
        uncounted(numbers),
    )  # fmt: skip
