"""Largest feature among the sites that a kernel covers, and the way back, on the CPU."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bev3d_ops.cpu._sparse_pairs import Pairs, ranges_of_work

__all__ = ["sparse_max_pool", "sparse_max_pool_grad"]

_BLOCK_ROWS = 1024
_LEAST_NUMBERS = 1_000_000  # read, that are worth a thread


@njit(cache=True, nogil=True, error_model="numpy")
def _pool(features, best, winner, source, target, starts, first, last):
    for block in range(first, last):
        for k in range(starts.shape[0]):
            for p in range(starts[k, block], starts[k, block + 1]):
                i, o = source[p], target[p]
                for c in range(features.shape[1]):
                    value, old = features[i, c], best[o, c]
                    # NaN wins, and of equals the first
                    better = (value > old) | (math.isnan(value) & (not math.isnan(old)))
                    if better | (winner[o, c] < 0):
                        best[o, c], winner[o, c] = value, i


@njit(cache=True, nogil=True, error_model="numpy")
def _give_back(grad, winner, out, source, target, starts, first, last):
    for block in range(first, last):
        for k in range(starts.shape[0]):
            for p in range(starts[k, block], starts[k, block + 1]):
                o, i = source[p], target[p]
                for c in range(grad.shape[1]):
                    if winner[o, c] == i:
                        out[i, c] += grad[o, c]


def sparse_max_pool(
    features: np.ndarray, pair_in: np.ndarray, pair_out: np.ndarray, offsets: np.ndarray, out_count: int
) -> tuple[np.ndarray, np.ndarray]:
    """(out_count, C) largest features and the int32 rows they come from; 0 and -1 where no pair arrives."""
    pairs = Pairs.ordered(pair_in, pair_out, offsets, len(features), out_count)
    best = np.zeros((out_count, features.shape[1]), features.dtype)
    winner = np.full(best.shape, -1, np.int32)
    starts = pairs.blocks(_BLOCK_ROWS)

    def pool(first: int, last: int) -> None:
        _pool(features, best, winner, pairs.source, pairs.target, starts, first, last)

    ranges_of_work(pool, np.diff(starts, axis=1).sum(axis=0), _LEAST_NUMBERS // max(1, features.shape[1]))
    return best, winner


def sparse_max_pool_grad(
    grad: np.ndarray,
    winner: np.ndarray,
    pair_in: np.ndarray,
    pair_out: np.ndarray,
    offsets: np.ndarray,
    in_count: int,
) -> np.ndarray:
    """(in_count, C): each row's share of grad (V_out, C), in the order of the offsets."""
    pairs = Pairs.ordered(pair_out, pair_in, offsets, len(grad), in_count)
    out = np.zeros((in_count, grad.shape[1]), grad.dtype)
    starts = pairs.blocks(_BLOCK_ROWS)

    def give_back(first: int, last: int) -> None:
        _give_back(grad, winner, out, pairs.source, pairs.target, starts, first, last)

    ranges_of_work(give_back, np.diff(starts, axis=1).sum(axis=0), _LEAST_NUMBERS // max(1, grad.shape[1]))
    return out
