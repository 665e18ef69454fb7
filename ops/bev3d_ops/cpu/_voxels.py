"""Voxelisation on the CPU: a key for each point, a radix sort, one walk over the sorted keys.

A key holds the sample and the cell's z, y, x in fields of bits, so that it needs no division to be taken apart, and
sorts as (sample, z, y, x). The sort is stable: within a voxel the points keep their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from bev3d_ops._voxel_grid import KEY_BITS, bit_fields, sample_room, voxel_grid

__all__ = ["Sorted", "dynamic_voxelize", "dynamic_voxelize_fixed", "sort_points"]

_DIGIT = 11  # bits of a pass: its 2,048 counters lie in the first-level cache
_NONE = np.empty(0, np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def _keys(points, samples, batch_size, limits, grid, bits, keys, inside):
    """Keys and indices of the points inside; returns their number and the greatest sample among them.

    limits: x0, y0, z0, x1, y1, z1 and the cell's three sizes; grid: W, H, D. Written so that NaN lies outside.
    """
    count, greatest = 0, np.int64(0)
    x0, y0, z0, x1, y1, z1, size_x, size_y, size_z = limits
    shift_y, shift_z, shift_sample = bits[0], bits[0] + bits[1], bits[0] + bits[1] + bits[2]
    for i in range(points.shape[0]):
        x, y, z = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
        if not (x >= x0 and x < x1 and y >= y0 and y < y1 and z >= z0 and z < z1):
            continue
        # below the upper bound the quotient may still round up to the number of cells
        column = min(np.int64((x - x0) / size_x), grid[0] - 1)
        row = min(np.int64((y - y0) / size_y), grid[1] - 1)
        level = min(np.int64((z - z0) / size_z), grid[2] - 1)
        key = column | row << shift_y | level << shift_z
        if len(samples):
            if samples[i] < 0 or samples[i] >= batch_size:
                continue
            key |= samples[i] << shift_sample
            greatest = max(greatest, samples[i])
        keys[count], inside[count] = key, i
        count += 1
    return count, greatest


@njit(cache=True, nogil=True, error_model="numpy")
def _sort(keys, order, bits, index_bits):
    """Sort ``keys`` (n,), of ``bits`` bits, in place and ``order`` with them: least significant digit first."""
    passes = max(1, (bits + _DIGIT - 1) // _DIGIT)
    width = (bits + passes - 1) // passes
    mask = (1 << width) - 1
    # key and index in one word: half the traffic of two arrays
    words, other = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
    counts = np.zeros((passes, mask + 1), np.int64)
    for i in range(len(keys)):
        words[i] = keys[i] << index_bits | order[i]
        for digit in range(passes):
            counts[digit, (keys[i] >> digit * width) & mask] += 1
    for digit in range(passes):
        place = counts[digit]
        total = 0
        for value in range(mask + 1):
            total, place[value] = total + place[value], total
        shift = index_bits + digit * width
        for word in words:
            value = (word >> shift) & mask
            other[place[value]] = word
            place[value] += 1
        words, other = other, words
    for i in range(len(keys)):
        keys[i], order[i] = words[i] >> index_bits, words[i] & ((1 << index_bits) - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _starts(keys):
    """Where each new key begins, and the number of keys at the end: (V + 1,)."""
    count = 1
    for i in range(1, len(keys)):
        count += keys[i] != keys[i - 1]
    starts = np.empty(count + 1 if len(keys) else 1, np.int64)
    starts[0], voxel = 0, 0
    for i in range(1, len(keys)):
        if keys[i] != keys[i - 1]:
            voxel += 1
            starts[voxel] = i
    starts[-1] = len(keys)
    return starts


@njit(cache=True, nogil=True, error_model="numpy")
def _cell(key, bits, cell):
    """Write (sample,) z, y, x."""
    last = len(cell) - 1
    for axis in range(3):
        cell[last - axis] = key & ((1 << bits[axis]) - 1)
        key >>= bits[axis]
    if last == 3:
        cell[0] = key


@njit(cache=True, nogil=True, error_model="numpy")
def _walk(keys, order, starts, bits, cells, point_to_voxel):
    for voxel in range(len(starts) - 1):
        _cell(keys[starts[voxel]], bits, cells[voxel])
        for i in range(starts[voxel], starts[voxel + 1]):
            point_to_voxel[order[i]] = voxel


class Sorted(NamedTuple):
    """The points inside, sorted by voxel.

    Attributes:
        keys: (n,) int64, ascending.
        order: (n,) int64, indices of the points, ascending within a voxel.
        starts: (V + 1,) int64, where the points of each voxel begin.
        fields: bits of x, y, z in a key.
        samples: whether a key holds a sample.
    """

    keys: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    fields: np.ndarray
    samples: bool


def sort_points(
    points: np.ndarray,
    samples: np.ndarray | None,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    batch_size: int | None = None,
) -> Sorted:
    """Sort points (P, >= 3), float32 or float64, by voxel.

    Args:
        points: metres.
        samples: (P,) int64, the sample of each point, or None; a point of a negative one, or of one that is not
            below the batch size, is as one outside.
        range_m, voxel_size_m: see :func:`bev3d_ops._voxel_grid.voxel_grid`.
        batch_size: None: as many samples as keys have room for.
    """
    grid = voxel_grid(range_m, voxel_size_m)
    fields = np.array(bit_fields(grid), np.int64)
    keys, order = np.empty(len(points), np.int64), np.empty(len(points), np.int64)
    limits = np.array([*range_m, *voxel_size_m], np.float64)
    given = _NONE if samples is None else samples
    room = sample_room(grid, batch_size)
    count, greatest = _keys(points, given, room, limits, np.array(grid, np.int64), fields, keys, order)
    keys, order = keys[:count].copy(), order[:count].copy()
    bits, index_bits = int(fields.sum()) + int(greatest).bit_length(), len(points).bit_length()
    if bits + index_bits <= KEY_BITS:
        _sort(keys, order, bits, index_bits)
    else:  # too much for one word
        by_key = np.argsort(keys, kind="stable")
        keys, order = keys[by_key], order[by_key]
    return Sorted(keys, order, _starts(keys), fields, samples is not None)


def dynamic_voxelize(
    points: np.ndarray, samples: np.ndarray | None, range_m: Sequence[float], voxel_size_m: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cells (V, 3 or 4), voxel of each point (P,), starts (V + 1,) and order (n,), all int64."""
    found = sort_points(points, samples, range_m, voxel_size_m)
    cells = np.empty((len(found.starts) - 1, 4 if found.samples else 3), np.int64)
    point_to_voxel = np.full(len(points), -1, np.int64)
    _walk(found.keys, found.order, found.starts, found.fields, cells, point_to_voxel)
    return cells, point_to_voxel, found.starts, found.order


def dynamic_voxelize_fixed(
    points: np.ndarray, samples: np.ndarray | None, range_m: Sequence[float], voxel_size_m: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`dynamic_voxelize` in arrays for P voxels, and (2,): V and n.

    Past the end cells and order are -1 and starts n.
    """
    cells, point_to_voxel, starts, order = dynamic_voxelize(points, samples, range_m, voxel_size_m)
    count = len(points)
    padded = (_pad(cells, count, -1), point_to_voxel, _pad(starts, count + 1, len(order)), _pad(order, count, -1))
    return *padded, np.array([len(cells), len(order)], np.int64)


def _pad(values: np.ndarray, rows: int, filler: int) -> np.ndarray:
    padded = np.full((rows, *values.shape[1:]), filler, values.dtype)
    padded[: len(values)] = values
    return padded
