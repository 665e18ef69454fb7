"""Boxes of a nuScenes submission straight from its text into columns.

Only text of the usual form is understood; where anything is unusual, be it an escape in a string, an unknown key, a
number of twenty digits or a plain mistake, the sample is left to a reader that takes its time and says what is wrong.
"""

import numpy as np
from numba import njit

from bev3d_ops.cpu._decimal import parse_number
from bev3d_ops.cpu._json_text import (
    CLOSE_LIST,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    KEY_START,
    KEY_STOP,
    OPEN_LIST,
    OPEN_OBJECT,
    QUOTE,
    VALUE_START,
    VALUE_STOP,
    find_word,
    skip_space,
)

__all__ = ["KEYS", "NUMBERS", "UNUSUAL", "parse_samples"]

KEYS = (
    "translation", "size", "rotation", "velocity", "detection_score", "sample_token", "detection_name",
    "attribute_name",
)  # fmt: skip
TRANSLATION, SIZE, ROTATION, VELOCITY, SCORE, TOKEN, NAME, ATTRIBUTE = range(8)
ALL_SEEN = (1 << len(KEYS)) - 1

NUMBERS = 13
"""Columns of numbers: translation 0 to 2, size 3 to 5, rotation 6 to 9, velocity 10 and 11, score 12."""
FIRST_COLUMN = np.array([0, 3, 6, 10, 12])
WIDTH = np.array([3, 3, 4, 2, 1])

UNUSUAL = -1


@njit(cache=True, nogil=True)
def _numbers(text, at, width, into, powers):
    """``width`` numbers in brackets (one goes without) from ``at`` on; the index after them, or UNUSUAL."""
    if width > 1:
        if text[at] != OPEN_LIST:
            return UNUSUAL
        at = skip_space(text, at + 1)
    for k in range(width):
        into[k], at, good = parse_number(text, at, powers)
        if not good:
            return UNUSUAL
        if width == 1:
            return at
        at = skip_space(text, at)
        if text[at] != (CLOSE_LIST if k == width - 1 else COMMA):
            return UNUSUAL
        at = skip_space(text, at + 1) if k < width - 1 else at + 1
    return at


@njit(cache=True, nogil=True)
def _string_end(text, at):
    """Index of the closing quote of the plain string whose opening quote is before ``at``, or UNUSUAL."""
    # Bytes below 32 are not allowed in a JSON string, from 127 on and after a backslash they need decoding.
    while 32 <= text[at] < 127 and text[at] != 92:
        if text[at] == QUOTE:
            return at
        at += 1
    return UNUSUAL


@njit(cache=True, nogil=True)
def _same(text, start, stop, other, other_stop):
    if stop - start != other_stop - other:
        return False
    same = True
    for i in range(stop - start):
        same &= text[start + i] == text[other + i]
    return same


@njit(cache=True, nogil=True)
def _box(text, at, key, key_stop, numbers, names, vocabulary, powers):
    """One box whose ``{`` is at ``at``, into ``numbers`` (13,) and ``names`` (2,); the index after it, or UNUSUAL."""
    keys, key_at, classes, class_at, attributes, attribute_at = vocabulary
    seen, guess = 0, 0
    at = skip_space(text, at + 1)
    while text[at] == QUOTE:
        end = _string_end(text, at + 1)
        if end == UNUSUAL:
            return UNUSUAL
        which = find_word(text, at + 1, end, keys, key_at, guess)
        if which < 0 or seen >> which & 1:
            return UNUSUAL
        seen |= 1 << which
        guess = which + 1
        at = skip_space(text, end + 1)
        if text[at] != COLON:
            return UNUSUAL
        at = skip_space(text, at + 1)
        if which <= SCORE:
            at = _numbers(text, at, WIDTH[which], numbers[FIRST_COLUMN[which] :], powers)
        else:
            end = _string_end(text, at + 1) if text[at] == QUOTE else UNUSUAL
            if end == UNUSUAL:
                return UNUSUAL
            if which == TOKEN and not _same(text, at + 1, end, key, key_stop):
                return UNUSUAL
            if which == NAME:
                names[0] = find_word(text, at + 1, end, classes, class_at, 0)
            elif which == ATTRIBUTE:
                names[1] = -1 if end == at + 1 else find_word(text, at + 1, end, attributes, attribute_at, 0)
                if names[1] < 0 and end > at + 1:
                    return UNUSUAL
            at = end + 1
        if at == UNUSUAL:
            return UNUSUAL
        at = skip_space(text, at)
        if text[at] == CLOSE_OBJECT:
            return at + 1 if seen == ALL_SEEN and _is_sound(numbers, names) else UNUSUAL
        if text[at] != COMMA:
            return UNUSUAL
        at = skip_space(text, at + 1)
    return UNUSUAL


@njit(cache=True, nogil=True)
def _is_sound(numbers, names):
    sizes = numbers[3] > 0 and numbers[4] > 0 and numbers[5] > 0
    turned = numbers[6] != 0 or numbers[7] != 0 or numbers[8] != 0 or numbers[9] != 0
    return sizes and turned and 0 <= numbers[12] <= 1 and names[0] >= 0


@njit(cache=True, nogil=True)
def parse_samples(text, members, row_start, vocabulary, powers, numbers, names, counts, first, last):
    """Boxes of samples ``first`` to ``last``.

    Args:
        text: (B,) uint8, with one byte behind the last value that belongs to none.
        members: (S, 5) int64, token and list of boxes of each sample, see ``split_members``.
        row_start: (S,) int64, where the rows of a sample begin; there is room for as many as it opens objects.
        vocabulary: words and their starts for keys, classes and attributes, see ``find_word``.
        powers: see ``decimal_powers``.
        numbers: (N, 13) float64, written to.
        names: (N, 2) int8, class and attribute (-1: none), written to.
        counts: (S,) int64, written to: boxes, or UNUSUAL.
        first: sample.
        last: sample after the last one.
    """
    for s in range(first, last):
        counts[s] = UNUSUAL
        at, stop, row = members[s, VALUE_START], members[s, VALUE_STOP], row_start[s]
        if text[at] != OPEN_LIST:
            continue
        at = skip_space(text, at + 1)
        count, more = 0, text[at] != CLOSE_LIST
        while more and text[at] == OPEN_OBJECT:
            key, key_stop = members[s, KEY_START], members[s, KEY_STOP]
            at = _box(text, at, key, key_stop, numbers[row + count], names[row + count], vocabulary, powers)
            if at == UNUSUAL:
                break
            count += 1
            at = skip_space(text, at)
            more = text[at] == COMMA
            if more:
                at = skip_space(text, at + 1)
        if at != UNUSUAL and not more and text[at] == CLOSE_LIST and at + 1 == stop:
            counts[s] = count
