"""Sites that a strided or transposed convolution reaches, sorted, and the pairs that reach them, on the CPU."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["reached_sites"]

_MOST_WORDS = 1 << 22  # 32 MiB of one bit a cell of the result; beyond it keys are sorted instead


@njit(cache=True, nogil=True, error_model="numpy")
def _keys_of(sites, z_steps, y_steps, x_steps, limits, counts, keys):
    """Count the pairs of each offset; where ``keys`` has room, write the keys they arrive at, site by site."""
    k_z, k_y, k_x = z_steps.shape[1], y_steps.shape[1], x_steps.shape[1]
    n = 0
    for i in range(sites.shape[0]):
        for kz in range(k_z):
            z = z_steps[sites[i, 1], kz]
            if z < 0:
                continue
            for ky in range(k_y):
                y = y_steps[sites[i, 2], ky]
                if y < 0:
                    continue
                row = ((sites[i, 0] * limits[1] + z) * limits[2] + y) * limits[3]
                for kx in range(k_x):
                    x = x_steps[sites[i, 3], kx]
                    if x >= 0:
                        counts[(kz * k_y + ky) * k_x + kx] += 1
                        if n < len(keys):
                            keys[n] = row + x
                        n += 1
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _pair(sites, z_steps, y_steps, x_steps, ranks, cursors, pair_in, pair_out):
    """The pairs in the order of their offsets; ``ranks`` are the rows arrived at, in the order of ``_keys_of``."""
    k_z, k_y, k_x = z_steps.shape[1], y_steps.shape[1], x_steps.shape[1]
    n = 0
    for i in range(sites.shape[0]):
        for kz in range(k_z):
            if z_steps[sites[i, 1], kz] < 0:
                continue
            for ky in range(k_y):
                if y_steps[sites[i, 2], ky] < 0:
                    continue
                for kx in range(k_x):
                    if x_steps[sites[i, 3], kx] >= 0:
                        k = (kz * k_y + ky) * k_x + kx
                        pair_in[cursors[k]], pair_out[cursors[k]] = i, ranks[n]
                        cursors[k] += 1
                        n += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _ones(word):
    """Number of bits that are set."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True, error_model="numpy")
def _rank_by_bits(keys, words):
    """(sorted distinct keys, rank of each key among them) through one bit for each of 64 * ``words`` possible keys."""
    bits = np.zeros(words, np.uint64)
    for key in keys:
        bits[key >> 6] |= np.uint64(1) << np.uint64(key & 63)
    before = np.empty(words, np.int32)
    total = 0
    for w in range(words):
        before[w] = total
        if bits[w]:
            total += _ones(bits[w])
    distinct, ranks = np.empty(total, np.int64), np.empty(len(keys), np.int32)
    for n in range(len(keys)):
        key = keys[n]
        below = bits[key >> 6] & ((np.uint64(1) << np.uint64(key & 63)) - np.uint64(1))
        ranks[n] = before[key >> 6] + _ones(below)
        distinct[ranks[n]] = key
    return distinct, ranks


def _rank_by_sorting(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, ranks = np.unique(keys, return_inverse=True)
    if len(distinct) >= 2**31:
        raise ValueError(f"spatial_shape: expected fewer than 2^31 sites in the result, got {len(distinct)}")
    return distinct, ranks.reshape(-1).astype(np.int32)


def reached_sites(
    sites: np.ndarray, steps: tuple[np.ndarray, np.ndarray, np.ndarray], limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sites of the result and the pairs.

    Args:
        sites: (V, 4) int64 batch, z, y, x, inside their shape.
        steps: for z, y and x (size, kernel): where a place arrives through each offset, or -1.
        limits: (4,) B, D, H, W of the result.

    Returns:
        (V_out, 4) int64 ascending; pair_in, pair_out (P,) int32, by offset and then by site; offsets (K + 1,) int64.

    Raises:
        ValueError: more cells in the result than can be numbered.
    """
    cells = 1
    for limit in limits.tolist():
        cells *= limit
    if cells >= 2**62:
        raise ValueError(f"spatial_shape: expected fewer than 2**62 cells in the result, got {tuple(limits.tolist())}")
    z_steps, y_steps, x_steps = steps
    counts = np.zeros(int(np.prod([step.shape[1] for step in steps])), np.int64)
    total = _keys_of(sites, z_steps, y_steps, x_steps, limits, counts, np.empty(0, np.int64))
    keys = np.empty(total, np.int64)
    counts[:] = 0
    _keys_of(sites, z_steps, y_steps, x_steps, limits, counts, keys)
    words = (cells + 63) // 64
    distinct, ranks = _rank_by_bits(keys, words) if words <= _MOST_WORDS else _rank_by_sorting(keys)
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    pair_in, pair_out = np.empty(total, np.int32), np.empty(total, np.int32)
    _pair(sites, z_steps, y_steps, x_steps, ranks, offsets[:-1].copy(), pair_in, pair_out)
    reached = np.stack(np.unravel_index(distinct, limits.tolist()), axis=1) if total else np.empty((0, 4), np.int64)
    return np.ascontiguousarray(reached, dtype=np.int64), pair_in, pair_out, offsets
