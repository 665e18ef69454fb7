"""JSON text as bytes: where values begin and end, without making objects of them.

The text ends with a byte that belongs to no value, so that looking one byte ahead is always allowed. Nothing is
decoded and little is checked here: whoever keeps a value reads its bytes properly.
"""

import numpy as np
from numba import njit

__all__ = [
    "KEY_START",
    "KEY_STOP",
    "OBJECTS",
    "VALUE_START",
    "VALUE_STOP",
    "find_word",
    "read_key",
    "skip_space",
    "skip_value",
    "split_members",
]

KEY_START, KEY_STOP, VALUE_START, VALUE_STOP, OBJECTS = range(5)

QUOTE, BACKSLASH, COMMA, COLON = (np.uint8(ord(c)) for c in '"\\,:')
OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST = (np.uint8(ord(c)) for c in "{}[]")
SPACE, TAB, NEWLINE, RETURN = (np.uint8(ord(c)) for c in " \t\n\r")


@njit(cache=True, nogil=True)
def skip_space(text, at):
    """Index of the first byte from ``at`` on that is no white space."""
    while text[at] == SPACE or text[at] == NEWLINE or text[at] == RETURN or text[at] == TAB:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _skip_string(text, at, stop):
    """Index after the string whose opening quote is at ``at``, or ``stop`` + 1 where it does not end."""
    at += 1
    while at < stop and text[at] != QUOTE:
        at += 2 if text[at] == BACKSLASH else 1
    return at + 1


@njit(cache=True, nogil=True)
def skip_value(text, at, stop):
    """Index after the value at ``at``, or ``stop`` + 1 where it does not end, and how many objects it opens."""
    depth, objects = 0, 0
    while at < stop:
        byte = text[at]
        if byte == QUOTE:
            at = _skip_string(text, at, stop)
            if depth == 0:
                return at, objects
            continue
        if byte in (OPEN_OBJECT, OPEN_LIST):
            depth += 1
            objects += byte == OPEN_OBJECT
        elif byte in (CLOSE_OBJECT, CLOSE_LIST):
            depth -= 1
            if depth == 0:
                return at + 1, objects
        if depth <= 0 and byte in (COMMA, CLOSE_OBJECT):
            return at, objects
        at += 1
    return stop + 1, objects


@njit(cache=True, nogil=True)
def read_key(text, at, stop):
    """First byte of the key whose opening quote is at ``at``, byte after it, first byte of its value (-1: no key)."""
    if at >= stop or text[at] != QUOTE:
        return at, at, -1
    end = _skip_string(text, at, stop)
    colon = skip_space(text, end) if end <= stop else stop
    if colon >= stop or text[colon] != COLON:
        return at, at, -1
    return at + 1, end - 1, skip_space(text, colon + 1)


@njit(cache=True, nogil=True)
def split_members(text, at, stop):
    """Members of the object that opens at ``at``.

    Args:
        text: (B,) uint8.
        at: index of ``{``.
        stop: the text ends here; ``text[stop]`` may be read.

    Returns (M, 5) int64, see :data:`KEY_START` and the columns beside it (keys without their quotes), and the index
    after the object; that index is -1 where the text is not an object with strings as keys.
    """
    members = np.empty((16, 5), dtype=np.int64)
    count = 0
    if at >= stop or text[at] != OPEN_OBJECT:
        return members[:0].copy(), -1
    at = skip_space(text, at + 1)
    if at < stop and text[at] == CLOSE_OBJECT:
        return members[:0].copy(), at + 1
    while True:
        if count == len(members):
            members = np.concatenate((members, np.empty_like(members)))
        members[count, KEY_START], members[count, KEY_STOP], at = read_key(text, at, stop)
        if at < 0:
            break
        members[count, VALUE_START] = at
        at, members[count, OBJECTS] = skip_value(text, at, stop)
        if at > stop:
            break
        members[count, VALUE_STOP] = at
        count += 1
        at = skip_space(text, at)
        if at < stop and text[at] == CLOSE_OBJECT:
            return members[:count].copy(), at + 1
        if at >= stop or text[at] != COMMA:
            break
        at = skip_space(text, at + 1)
    return members[:0].copy(), -1


@njit(cache=True, nogil=True)
def find_word(text, start, stop, words, word_start, guess):
    """Index of ``text[start:stop]`` among words, or -1; the search begins with ``guess``.

    Args:
        text: (B,) uint8.
        start: of the word.
        stop: of the word.
        words: all words, one after the other, uint8.
        word_start: (W + 1,) int64.
        guess: index of the likeliest word.
    """
    count = len(word_start) - 1
    for k in range(count):
        word = (guess + k) % count
        first = word_start[word]
        if stop - start != word_start[word + 1] - first:
            continue
        same = True
        for i in range(stop - start):
            if text[start + i] != words[first + i]:
                same = False
                break
        if same:
            return word
    return -1
