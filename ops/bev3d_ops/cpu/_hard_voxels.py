"""Voxels of a bounded number of points on the CPU: which point takes which slot, and the copy into the slots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from bev3d_ops.cpu._threads import run_in_ranges
from bev3d_ops.cpu._voxel_bits import MOST_WORDS, fill_voxels, words_of
from bev3d_ops.cpu._voxels import _cell, sort_points

__all__ = ["group_points", "hard_voxels", "hard_voxels_filled", "take_slots", "ungroup_points"]

_WORDS_OF_A_POINT = 4  # of a grid sparser than this the bits are not worth their memory


@njit(cache=True, nogil=True, error_model="numpy")
def _choose(keys, order, starts, sample_shift, points, most):
    """Of each sample the ``most`` voxels whose first points come first; returns (V,) bool."""
    voxels = len(starts) - 1
    kept = np.zeros(voxels, np.bool_)
    begins = np.full(points, -1, np.int64)  # the voxel that begins with this point
    sample_of = np.empty(voxels, np.int64)  # numbered without gaps
    sample = np.int64(0)
    for voxel in range(voxels):
        begins[order[starts[voxel]]] = voxel
        if voxel and keys[starts[voxel]] >> sample_shift != keys[starts[voxel - 1]] >> sample_shift:
            sample += 1
        sample_of[voxel] = sample
    taken = np.zeros(sample + 1, np.int64)
    for i in range(points):
        voxel = begins[i]
        if voxel >= 0 and taken[sample_of[voxel]] < most:
            taken[sample_of[voxel]] += 1
            kept[voxel] = True
    return kept


@njit(cache=True, nogil=True, error_model="numpy")
def _assign(keys, order, starts, fields, kept, slots, cells, numbers, point_to_voxel):
    row = 0
    for voxel in range(len(kept)):
        if not kept[voxel]:
            continue
        first = starts[voxel]
        numbers[row] = min(starts[voxel + 1] - first, slots.shape[1])
        _cell(keys[first], fields, cells[row])
        for k in range(numbers[row]):
            slots[row, k] = order[first + k]
            point_to_voxel[order[first + k]] = row
        row += 1


def hard_voxels(
    points: np.ndarray,
    samples: np.ndarray | None,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    max_points: int,
    max_voxels: int,
    batch_size: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points of each voxel and what was left out.

    Args:
        points, samples, range_m, voxel_size_m: see :func:`bev3d_ops.cpu._voxels.sort_points`.
        max_points: of a voxel.
        max_voxels: of a sample.
        batch_size: asks for arrays of ``batch_size * max_voxels`` rows, of which the last are empty: slots and cells
            -1, number 0. None: as many rows as voxels are kept, whatever the number of samples.

    Returns:
        slots (V, max_points) of point indices or -1; cells (V, 3 or 4); points of each voxel (V,); voxel of each
        point (P,) or -1; numbers of points and voxels that the caps left out (2,). All int64.
    """
    found = sort_points(points, samples, range_m, voxel_size_m, batch_size)
    voxels = len(found.starts) - 1
    if voxels <= max_voxels:  # of all samples together
        kept = np.ones(voxels, np.bool_)
    else:
        kept = _choose(found.keys, found.order, found.starts, int(found.fields.sum()), len(points), max_voxels)
    count = int(kept.sum())
    rows = count if batch_size is None else batch_size * max_voxels
    slots = np.full((rows, max_points), -1, np.int64)
    cells = np.full((rows, 4 if found.samples else 3), -1, np.int64)
    numbers = np.zeros(rows, np.int64)
    point_to_voxel = np.full(len(points), -1, np.int64)
    _assign(found.keys, found.order, found.starts, found.fields, kept, slots, cells, numbers, point_to_voxel)
    dropped = np.array([len(found.order) - int(numbers.sum()), voxels - count], np.int64)
    return slots, cells, numbers, point_to_voxel, dropped


def hard_voxels_filled(
    points: np.ndarray,
    samples: np.ndarray | None,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    max_points: int,
    max_voxels: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """:func:`hard_voxels` and :func:`group_points` in one, with the slot of each point instead of the slots.

    Returns:
        voxels (V, max_points, C); cells; points of each voxel; row * max_points + place of each point (P,) or -1; voxel
        of each point; left out.
    """
    given = (points, samples, range_m, voxel_size_m, max_points, max_voxels)
    words = words_of(samples, range_m, voxel_size_m)
    if words <= min(MOST_WORDS, _WORDS_OF_A_POINT * (len(points) + 1024)):
        return fill_voxels(*given, words)
    slots, cells, numbers, point_to_voxel, dropped = hard_voxels(*given)
    taken = np.flatnonzero(slots >= 0)
    places = np.full(len(points), -1, np.int64)
    places[slots.reshape(-1)[taken]] = taken
    return group_points(points, slots), cells, numbers, places, point_to_voxel, dropped


@njit(cache=True, nogil=True, error_model="numpy")
def _group(points, slots, out, first, last):
    for row in range(first, last):
        out[row] = 0  # most slots are empty
        for k in range(slots.shape[1]):
            i = slots[row, k]
            if i >= 0 and i < points.shape[0]:
                for channel in range(points.shape[1]):
                    out[row, k, channel] = points[i, channel]


@njit(cache=True, nogil=True, error_model="numpy")
def _ungroup(grad, slots, out):
    for row in range(slots.shape[0]):
        for k in range(slots.shape[1]):
            i = slots[row, k]
            if i >= 0 and i < out.shape[0]:
                for channel in range(out.shape[1]):
                    out[i, channel] += grad[row, k, channel]


@njit(cache=True, nogil=True, error_model="numpy")
def _take(rows, places, out):
    for i in range(len(places)):
        place = places[i]
        if place >= 0 and place < len(rows):
            for channel in range(out.shape[1]):
                out[i, channel] = rows[place, channel]


def take_slots(grad: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(P, C): grad (V, M, C) at places (P,), row * M + place, 0 where there is none such."""
    out = np.zeros((len(places), grad.shape[2]), grad.dtype)
    _take(grad.reshape(grad.shape[0] * grad.shape[1], grad.shape[2]), places, out)
    return out


def group_points(points: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """(V, M, C): points (P, C) at slots (V, M), 0 where a slot names no point."""
    out = np.empty((*slots.shape, points.shape[1]), points.dtype)
    least = max(1, 100_000 // max(1, slots.shape[1] * points.shape[1]))
    run_in_ranges(lambda first, last: _group(points, slots, out, first, last), len(slots), least)
    return out


def ungroup_points(grad: np.ndarray, slots: np.ndarray, points: int) -> np.ndarray:
    """(P, C): sums of grad (V, M, C) over the slots that name each point."""
    out = np.zeros((points, grad.shape[2]), grad.dtype)
    _ungroup(grad, slots, out)
    return out
