"""Voxels of a bounded number of points, filled in one walk over the points.

One bit for each cell of the grid: set where a point lies, and counted, it gives each cell its row among the sorted ones
without a sort; a table of rows would be 32 times the size. Then each point goes straight to its slot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from bev3d_ops._voxel_grid import voxel_grid
from bev3d_ops.cpu._memory import empty
from bev3d_ops.cpu._prefetch import prefetch_to_write

__all__ = ["MOST_WORDS", "fill_voxels", "words_of"]

MOST_WORDS = 1 << 24  # 2^30 cells: a key is then an int32
_NONE = np.empty(0, np.int64)
_AHEAD = 16  # points; about the time that memory needs


@njit(cache=True, nogil=True, error_model="numpy")
def _mark(points, samples, limits, grid, bits, keys):
    """Set the bits of the cells that hold points, write each point's cell or -1; the number of points inside.

    limits: x0, y0, z0, x1, y1, z1 and the cell's three sizes; grid: W, H, D. Written so that NaN lies outside, with
    cells as in ``_voxels``.
    """
    x0, y0, z0, x1, y1, z1, size_x, size_y, size_z = limits
    width, height, depth = grid[0], grid[1], grid[2]
    inside = 0
    for i in range(points.shape[0]):
        keys[i] = -1
        x, y, z = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
        if not (x >= x0 and x < x1 and y >= y0 and y < y1 and z >= z0 and z < z1):
            continue
        # below the upper bound the quotient may still round up to the number of cells
        column = min(np.int64((x - x0) / size_x), width - 1)
        row = min(np.int64((y - y0) / size_y), height - 1)
        level = min(np.int64((z - z0) / size_z), depth - 1)
        if len(samples):
            if samples[i] < 0:
                continue
            level += samples[i] * depth
        key = (level * height + row) * width + column
        keys[i] = key
        bits[key >> 6] |= np.uint64(1) << np.uint64(key & 63)
        inside += 1
    return inside


@njit(cache=True, nogil=True, error_model="numpy")
def _mark_first(keys, cells, most, bits):
    """Set, of each sample of ``cells`` cells, the bits of the ``most`` cells whose first points come first."""
    opened = np.zeros((64 * len(bits)) // cells + 1, np.int64)
    for i in range(len(keys)):
        key = np.int64(keys[i])
        if key < 0:
            continue
        bit = np.uint64(1) << np.uint64(key & 63)
        if not bits[key >> 6] & bit and opened[key // cells] < most:
            opened[key // cells] += 1
            bits[key >> 6] |= bit


@njit(cache=True, nogil=True, error_model="numpy")
def _ones(word):
    """Number of bits that are set."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True, error_model="numpy")
def _count(bits, before):
    """Write how many bits are set before each word; their number."""
    total = 0
    for w in range(len(bits)):
        before[w] = total
        if bits[w]:
            total += _ones(bits[w])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _name(keys, bits, before, grid, cells):
    """Turn the keys into rows, -1 where the cell has none, and write (sample,) z, y, x of each row."""
    for i in range(len(keys)):
        key = np.int64(keys[i])
        if key < 0:
            continue
        word, bit = bits[key >> 6], np.uint64(1) << np.uint64(key & 63)
        keys[i] = before[key >> 6] + _ones(word & (bit - np.uint64(1))) if word & bit else -1
    last = cells.shape[1] - 1
    row = 0
    for w in range(len(bits)):
        word = bits[w]
        while word:
            below = ~word & (word - np.uint64(1))
            key = 64 * w + _ones(below)
            word &= word - np.uint64(1)
            line, level = key // grid[0], key // (grid[0] * grid[1])
            cells[row, last], cells[row, last - 1] = key - line * grid[0], line - level * grid[1]
            cells[row, last - 2] = level % grid[2]
            if last == 3:
                cells[row, 0] = level // grid[2]
            row += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(points, rows, most, voxels, numbers, places, point_to_voxel):
    """Copy each point to the next slot of its row; voxels: flat, 0."""
    count, channels = points.shape
    for i in range(count):
        ahead = i + _AHEAD
        if ahead < count and rows[ahead] >= 0:
            prefetch_to_write(voxels, np.int64(rows[ahead]) * most * channels)
        row = np.int64(rows[i])
        place = np.int64(-1)
        if row >= 0 and numbers[row] < most:
            place = row * most + numbers[row]
            numbers[row] += 1
            start = place * channels
            if channels == 4 or channels == 5:  # the usual ones: a loop would cost more than the copy
                voxels[start], voxels[start + 1] = points[i, 0], points[i, 1]
                voxels[start + 2], voxels[start + 3] = points[i, 2], points[i, 3]
                if channels == 5:
                    voxels[start + 4] = points[i, 4]
            else:
                for channel in range(channels):
                    voxels[start + channel] = points[i, channel]
        else:
            row = np.int64(-1)
        places[i], point_to_voxel[i] = place, row


def words_of(samples: np.ndarray | None, range_m: Sequence[float], voxel_size_m: Sequence[float]) -> int:
    """Words of 64 bits for the cells of all samples."""
    width, height, depth = voxel_grid(range_m, voxel_size_m)
    batch = 1 if samples is None else max(int(samples.max(initial=0)) + 1, 1)
    return (batch * width * height * depth + 63) // 64


def fill_voxels(
    points: np.ndarray,
    samples: np.ndarray | None,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    max_points: int,
    max_voxels: int,
    words: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Voxels of points (P, C), C-contiguous.

    Args:
        points, samples, range_m, voxel_size_m, max_points, max_voxels: see ``_hard_voxels.hard_voxels``.
        words: :func:`words_of` them, at most MOST_WORDS.

    Returns:
        voxels (V, max_points, C) in the dtype of the points, cells (V, 3 or 4), points of each voxel (V,), slot of each
        point (P,) row * max_points + place or -1, voxel of each point (P,) or -1, points and voxels left out (2,).
    """
    grid = np.array(voxel_grid(range_m, voxel_size_m), np.int64)
    limits = tuple(float(value) for value in (*range_m, *voxel_size_m))
    bits, before, keys = np.zeros(words, np.uint64), np.empty(words, np.int32), np.empty(len(points), np.int32)
    inside = _mark(points, _NONE if samples is None else samples, limits, grid, bits, keys)
    rows = found = _count(bits, before)
    if found > max_voxels:  # of all samples together
        bits[:] = 0
        _mark_first(keys, int(grid.prod()), max_voxels, bits)
        rows = _count(bits, before)
    cells, numbers = np.empty((rows, 3 if samples is None else 4), np.int64), np.zeros(rows, np.int64)
    _name(keys, bits, before, grid, cells)
    voxels = _zeros(rows * max_points * points.shape[1], points.dtype)
    places, point_to_voxel = np.empty(len(points), np.int64), np.empty(len(points), np.int64)
    _fill(points, keys, max_points, voxels, numbers, places, point_to_voxel)
    dropped = np.array([inside - int(numbers.sum()), found - rows], np.int64)
    return voxels.reshape(rows, max_points, points.shape[1]), cells, numbers, places, point_to_voxel, dropped


def _zeros(count: int, dtype: np.dtype) -> np.ndarray:
    """Written, not left to the first touch: that comes page by page here, in no order."""
    out = empty(count, dtype)
    out.fill(0)
    return out
