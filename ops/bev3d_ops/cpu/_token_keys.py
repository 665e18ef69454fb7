"""Tokens as two 64-bit words, and an index that finds them.

A token of 32 hexadecimal digits, as nuScenes has them, is its own key; any other text is hashed. Two texts that are not
the same have the same key with a probability of 2^-128 at most where they are not made for it.
"""

import numpy as np
from numba import njit

__all__ = ["ABSENT", "NONE", "find_keys", "hex_key", "index_keys", "token_key", "token_keys"]

NONE, ABSENT = -1, -2
"""In place of a row: the empty token, a token that no row has."""

DIGITS = 32
HEX = np.full(256, 255, dtype=np.uint8)
HEX[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)
NOT_HEX = np.uint8(0x80)
ZERO, ONE, FOUR, THIRTY_THREE = (np.uint64(k) for k in (0, 1, 4, 33))
# FNV-1a with its own prime and with that of SplitMix64, and the mixer of MurmurHash3.
OFFSET, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
OTHER_OFFSET, OTHER_PRIME = np.uint64(0x6C62272E07BB0142), np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)


@njit(cache=True, nogil=True)
def _mixed(word):
    word = (word ^ (word >> THIRTY_THREE)) * MIX_1
    word = (word ^ (word >> THIRTY_THREE)) * MIX_2
    return word ^ (word >> THIRTY_THREE)


@njit(cache=True, nogil=True)
def hex_key(text, start):
    """Whether 32 hexadecimal digits, not all 0, begin at ``start``, and the two words that they make.

    No more than one byte that is no digit is looked at behind the text's end.
    """
    high, low = ZERO, ZERO
    i = np.uint64(start)
    for _ in range(16):
        digit = HEX[text[i]]
        if digit & NOT_HEX:
            return False, ZERO, ZERO
        high = (high << FOUR) | np.uint64(digit)
        i += ONE
    for _ in range(16):
        digit = HEX[text[i]]
        if digit & NOT_HEX:
            return False, ZERO, ZERO
        low = (low << FOUR) | np.uint64(digit)
        i += ONE
    return (high | low) != ZERO, high, low


@njit(cache=True, nogil=True)
def token_key(text, start, stop):
    """The two words of ``text[start:stop]``; both 0 for the empty text."""
    if stop - start == DIGITS:
        good, high, low = hex_key(text, start)
        if good:
            return high, low
    if stop == start:
        return ZERO, ZERO
    high, low = OFFSET, OTHER_OFFSET
    for i in range(start, stop):
        byte = np.uint64(text[i])
        high = (high ^ byte) * PRIME
        low = (low ^ byte) * OTHER_PRIME
        low ^= low >> THIRTY_THREE
    return _mixed(high), _mixed(low)


@njit(cache=True, nogil=True)
def token_keys(text, stops, keys):
    """Keys of texts that stand one after the other; text k ends at ``stops[k]``."""
    start = 0
    for k in range(len(stops)):
        keys[k, 0], keys[k, 1] = token_key(text, start, stops[k])
        start = stops[k]


@njit(cache=True, nogil=True)
def index_keys(keys, slots):
    """Enter rows into a hash table with open addressing.

    Args:
        keys: (N, 2) uint64.
        slots: (2^k,) int32 of -1, more than N, written to.

    Returns the first row whose key another one before it has, or -1.
    """
    mask = np.uint64(len(slots) - 1)
    for row in range(len(keys)):
        at = keys[row, 1] & mask
        while slots[at] >= 0:
            other = slots[at]
            if keys[other, 0] == keys[row, 0] and keys[other, 1] == keys[row, 1]:
                return row
            at = (at + ONE) & mask
        slots[at] = row
    return -1


@njit(cache=True, nogil=True)
def find_keys(wanted, keys, slots, found, first, last):
    """Rows of keys ``first`` to ``last``, into ``found``; NONE for the empty token, ABSENT where no row has the key."""
    mask = np.uint64(len(slots) - 1)
    guess = 0
    for k in range(first, last):
        high, low = wanted[k, 0], wanted[k, 1]
        if (high | low) == ZERO:
            found[k] = NONE
            continue
        # Tables that belong together mostly stand in the same order.
        if guess < len(keys) and keys[guess, 0] == high and keys[guess, 1] == low:
            found[k] = guess
            guess += 1
            continue
        at = low & mask
        found[k] = ABSENT
        while slots[at] >= 0:
            row = slots[at]
            if keys[row, 0] == high and keys[row, 1] == low:
                found[k] = row
                guess = row + 1
                break
            at = (at + ONE) & mask
