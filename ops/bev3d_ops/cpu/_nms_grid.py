"""Greedy suppression over a hash grid of the boxes kept so far.

A kept box lies in the one cell that holds its centre, in the grid of its level, the binary exponent of its radius,
whose cells are 2 to 4 times that radius wide: memory grows with the number of boxes alone, whatever their sizes and
the extent of the scene. A query visits the cells within reach at every level in use or, where those are more than
the boxes of that level, these boxes one by one. Cells of other places, levels and groups may share a bucket: the
test of the pair is exact, so that this costs time only.

How far apart the centres of A and B can be, whose IoU is more than t: the shadow of a rectangle on a line is
symmetric and falls off from the middle, so that at most (1 - s/h)/2 of A lies further than s from its centre in one
direction, h its half extent there. The intersection is more than t of A's area and lies at least d - h' from its
centre, h' the half extent of B, hence d < h' + max(0, 1 - 2t) h; and likewise with A and B exchanged.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bev3d_ops.cpu._nms_pair import COS, HALF_LENGTH, HALF_WIDTH, RADIUS, SIN, X, Y, is_suppressed
from bev3d_ops.reference._nms import CIRCLE

__all__ = ["find_owners"]

_LEVELS = 160  # binary exponents of the radius from -20 on; what is smaller or larger shares the first or last
_LOWEST = -20
_FARTHEST = 4e18  # cells beyond share the last one; fits 64 bits

# Rows of what is known of a level; the first entry of the last row counts the levels in use, which follow.
_CELLS_PER_M, _LARGEST_RADIUS, _LEAST_AREA, _LARGEST_AREA, _FIRST, _COUNT, _IN_USE = range(7)

# Rows of the chains of ranks, each -1 at its end.
_IN_BUCKET, _IN_LEVEL = range(2)


@njit(inline="always")
def _cell(coordinate, cells_per_m):
    """Index of the cell, monotone in the coordinate for every finite one."""
    return np.int64(min(max(np.floor(coordinate * cells_per_m), -_FARTHEST), _FARTHEST))


@njit(inline="always")
def _bucket(column, row, level, group, mask):
    mixed = column * 0x1E3779B97F4A7C15 + row * 0x42B2AE3D27D4EB4F + (group * 512 + level) * 0x165667B19E3779F9
    mixed ^= mixed >> 32
    mixed *= 0x27D4EB2F165667C5
    mixed ^= mixed >> 29
    return mixed & mask


@njit(inline="always")
def _reach(one, other, share):
    """Largest distance of the centres of two boxes of such radii; one part in 1e9 more, for the rounding."""
    return (min(one, other) + share * max(one, other)) * (1 + 1e-9)


@njit(inline="always")
def _is_too_different(area, least, largest, threshold):
    """Whether the ratio of ``area`` to every area from ``least`` to ``largest`` bounds the IoU to the threshold."""
    nearest = min(max(area, least), largest)
    return min(area, nearest) <= threshold * max(area, nearest) * (1 - 1e-12)


@njit(cache=True, nogil=True, error_model="numpy")
def _insert(rows, i, group, buckets, chains, levels):
    radius, area = rows[i, RADIUS], 4.0 * rows[i, HALF_LENGTH] * rows[i, HALF_WIDTH]
    level = min(max(math.frexp(radius)[1] - _LOWEST, 0), _LEVELS - 1)
    if levels[_COUNT, level] == 0:
        levels[_CELLS_PER_M, level] = math.ldexp(1.0, -(level + _LOWEST + 1))
        levels[_LEAST_AREA, level] = levels[_LARGEST_AREA, level] = area
        levels[_FIRST, level] = -1
        levels[_IN_USE, 0] += 1
        levels[_IN_USE, np.int64(levels[_IN_USE, 0])] = level
    levels[_LARGEST_RADIUS, level] = max(levels[_LARGEST_RADIUS, level], radius)
    levels[_LEAST_AREA, level] = min(levels[_LEAST_AREA, level], area)
    levels[_LARGEST_AREA, level] = max(levels[_LARGEST_AREA, level], area)
    cells_per_m = levels[_CELLS_PER_M, level]
    bucket = _bucket(_cell(rows[i, X], cells_per_m), _cell(rows[i, Y], cells_per_m), level, group, len(buckets) - 1)
    levels[_COUNT, level] += 1
    chains[_IN_LEVEL, i], levels[_FIRST, level] = np.int32(levels[_FIRST, level]), i
    chains[_IN_BUCKET, i], buckets[bucket] = buckets[bucket], i


@njit(cache=True, nogil=True, error_model="numpy")
def _first_suppressor(rows, groups, i, buckets, chains, levels, threshold, kind, share, any_will_do):
    """Rank of the best kept box that suppresses that of rank ``i``, or ``i`` itself where none does."""
    x, y, radius, group = rows[i, X], rows[i, Y], rows[i, RADIUS], groups[i]
    c, s, half_length, half_width = rows[i, COS], rows[i, SIN], rows[i, HALF_LENGTH], rows[i, HALF_WIDTH]
    best = i
    for place in range(1, np.int64(levels[_IN_USE, 0]) + 1):
        level = np.int64(levels[_IN_USE, place])
        least, largest = levels[_LEAST_AREA, level], levels[_LARGEST_AREA, level]
        if kind != CIRCLE and _is_too_different(4.0 * half_length * half_width, least, largest, threshold):
            continue
        reach, cells_per_m = _reach(radius, levels[_LARGEST_RADIUS, level], share), levels[_CELLS_PER_M, level]
        left, right = _cell(x - reach, cells_per_m), _cell(x + reach, cells_per_m)
        low, high = _cell(y - reach, cells_per_m), _cell(y + reach, cells_per_m)
        # in floating point, where this cannot overflow
        whole = (np.float64(right) - left + 1) * (np.float64(high) - low + 1) >= levels[_COUNT, level]
        chain = _IN_LEVEL if whole else _IN_BUCKET
        if whole:
            right, high = left, low
        for column in range(left, right + 1):
            for row in range(low, high + 1):
                k = np.int32(levels[_FIRST, level])
                if not whole:
                    k = buckets[_bucket(column, row, level, group, len(buckets) - 1)]
                while k >= 0:
                    dx, dy = x - rows[k, X], y - rows[k, Y]
                    squared, reach = dx * dx + dy * dy, _reach(radius, rows[k, RADIUS], share)
                    if squared <= reach * reach and k < best and groups[k] == group:
                        if kind == CIRCLE:
                            goes = squared <= threshold * threshold
                        else:
                            goes = is_suppressed(
                                dx, dy, rows[k, COS], rows[k, SIN], rows[k, HALF_LENGTH], rows[k, HALF_WIDTH],
                                c, s, half_length, half_width, threshold, kind,
                            )  # fmt: skip
                        if goes:
                            best = k
                            if any_will_do:
                                return best
                    k = chains[chain, k]
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def find_owners(rows, groups, threshold, kind, any_will_do, part, parts, owners):
    """For every rank of this part's groups the rank of the box that stands for it: its own where it is kept.

    Args:
        rows: (K, 8) from ``rank_boxes``.
        groups: (K,) int64 by rank.
        threshold, kind: as ``nms_ranked``.
        any_will_do: a suppressed box gets any kept one that suppresses it, which is found sooner than the first.
        part, parts: groups are dealt out to the parts, which run side by side and never meet.
        owners: (K,) int64, written for this part's ranks.
    """
    size = 64
    while size * parts < len(rows):
        size *= 2
    # few arrays: each one handed to a function costs two atomic operations
    buckets, chains = np.full(size, -1, np.int32), np.empty((2, len(rows)), np.int32)
    levels = np.zeros((7, _LEVELS + 1), np.float64)
    share = 1.0 if kind == CIRCLE else max(0.0, 1.0 - 2.0 * threshold)
    for i in range(len(rows)):
        if parts > 1 and _bucket(0, 0, 0, groups[i], 0x7FFFFFFF) % parts != part:
            continue
        owners[i] = i
        if rows[i, RADIUS] < 0:
            continue
        owners[i] = _first_suppressor(rows, groups, i, buckets, chains, levels, threshold, kind, share, any_will_do)
        if owners[i] == i:
            _insert(rows, i, groups[i], buckets, chains, levels)
