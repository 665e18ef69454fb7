"""Rows of a table in JSON straight from its text into columns.

A table is a list of flat objects. Only rows of the usual form are understood, and those are checked to the last byte;
where anything is unusual, be it an escape in a string, an object in a row, a key that is missing or a plain mistake,
the row is left to a reader that takes its time and says what is wrong.
"""

import numpy as np
from numba import njit

from bev3d_ops.cpu._json_text import (
    CLOSE_LIST,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_OBJECT,
    QUOTE,
    find_word,
    skip_space,
    skip_value,
)
from bev3d_ops.cpu._table_values import (
    ANY,
    FLAG,
    KEY,
    KEYS,
    NUMBERS,
    ONE,
    UNUSUAL,
    WHOLE,
    parse_field,
    string_end,
    value_end,
)
from bev3d_ops.cpu._uncounted import uncounted

__all__ = ["ANY", "BAD", "DONE", "FLAG", "FULL", "KEY", "KEYS", "MORE", "NUMBERS", "UNUSUAL", "WHOLE", "parse_rows"]

MORE, DONE, FULL, BAD = range(4)
"""Where reading stopped: in want of more text, at the end of the table, of the arrays, before what is no row."""


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
    end = string_end(text, at)
    if end == UNUSUAL:
        return -1, UNUSUAL
    return find_word(text, at, end, words, word_at, 0), end


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
            at = value_end(text, at, powers)
        else:
            at = parse_field(text, at, kinds[which], widths[which], slots[which], keys, numbers, row, powers)
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
