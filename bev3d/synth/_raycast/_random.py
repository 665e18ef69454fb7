"""Random numbers as a hash of (seed, stream, index): the same for any order of evaluation."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _hash(seed, stream, index):
    """64 random bits from three integers (splitmix64, Steele et al., OOPSLA 2014)."""
    z = seed + np.uint64(0x9E3779B97F4A7C15) * (np.uint64(index) + np.uint64(1))
    z += np.uint64(0xD1B54A32D192ED03) * np.uint64(stream)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def uniform(seed, stream, index):
    """Uniform in (0, 1)."""
    return (float(_hash(seed, stream, index) >> np.uint64(11)) + 0.5) / 9007199254740992.0


@njit(cache=True, nogil=True)
def normal(seed, stream, index):
    """Nearly standard normal, within 3.5: the sum of the four 16-bit parts of a hash (Irwin and Hall)."""
    bits = _hash(seed, stream, index)
    mask = np.uint64(0xFFFF)
    total = float(bits & mask) + float((bits >> np.uint64(16)) & mask)
    total += float((bits >> np.uint64(32)) & mask) + float(bits >> np.uint64(48))
    return (total - 131070.0) * (math.sqrt(3.0) / 65536.0)
