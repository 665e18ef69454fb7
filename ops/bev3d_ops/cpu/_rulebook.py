"""Which voxel reaches which through which offset of a 3D kernel, on the CPU.

Sites are sorted by a flat key, so that the neighbours at one offset are found by walking two ascending lists side by
side, and every list of pairs comes out ascending.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from bev3d_ops.cpu._rulebook_reach import reached_sites
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["strided_pairs", "submanifold_pairs"]

RulebookPairs = tuple[np.ndarray, np.ndarray, np.ndarray]


@njit(cache=True, nogil=True, error_model="numpy")
def _flat_keys(coordinates, limits, pitches, keys):
    """Fill keys; returns (first row that is outside or -1, whether the keys ascend strictly)."""
    ascends = True
    for i in range(coordinates.shape[0]):
        key = 0
        for axis in range(4):
            at = coordinates[i, axis]
            if at < 0 or at >= limits[axis]:
                return i, False
            key = key * pitches[axis] + at
        keys[i] = key
        ascends &= i == 0 or key > keys[i - 1]
    return -1, ascends


@njit(cache=True, nogil=True, error_model="numpy")
def _walk_row(keys, shift, dilation, sources, targets, counts):
    """Pairs of the offsets (kz, ky, 0), (kz, ky, 1), ..: site ``keys[i]`` finds ``keys[i] + shift + kx * dilation``."""
    size, extent = len(keys), len(counts)
    counts[:] = 0
    j = 0
    for i in range(size):
        lowest = keys[i] + shift
        while j < size and keys[j] < lowest:
            j += 1
        if j == size:
            return
        m = j
        while m < size and keys[m] <= lowest + (extent - 1) * dilation:
            distance = keys[m] - lowest
            if distance % dilation == 0:
                kx = distance // dilation
                sources[kx, counts[kx]], targets[kx, counts[kx]] = m, i
                counts[kx] += 1
            m += 1


def sorted_sites(
    coordinates: np.ndarray, limits: Sequence[int], pitches: Sequence[int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Ascending flat keys of the sites, and the row of each (None where the rows are in that order already).

    Raises:
        ValueError: a coordinate outside ``limits`` (B, D, H, W), a site given twice, or too many cells to number.
    """
    cells = 1
    for pitch in pitches:
        cells *= pitch
    if cells >= 2**62:
        raise ValueError(f"spatial_shape: expected fewer than 2**62 cells in a batch, got {tuple(limits)}")
    keys = np.empty(len(coordinates), np.int64)
    outside, ascends = _flat_keys(coordinates, np.array(limits, np.int64), np.array(pitches, np.int64), keys)
    if outside >= 0:
        raise ValueError(
            f"coordinates: expected 0 <= (batch, z, y, x) < {tuple(limits)}, got {coordinates[outside].tolist()} "
            f"in row {outside}"
        )
    if ascends:
        return keys, None
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if twice.size:
        a, b = order[twice[0]], order[twice[0] + 1]
        raise ValueError(
            f"coordinates: expected each site once, got {coordinates[a].tolist()} in rows {a} and {b} "
            f"({twice.size} repeated rows in all)"
        )
    return keys, order.astype(np.int32)


def submanifold_pairs(
    coordinates: np.ndarray, limits: Sequence[int], kernel_size: Sequence[int], dilation: Sequence[int]
) -> RulebookPairs:
    """See :func:`bev3d_ops.registered.submanifold_pairs`; coordinates (V, 4) int64, limits (B, D, H, W)."""
    before = [(k // 2) * d for k, d in zip(kernel_size, dilation, strict=True)]
    # room between rows, planes and volumes, so that a step over the border meets no other row's sites
    gaps = [0, *(max(b, (k - 1) * d - b) for b, k, d in zip(before, kernel_size, dilation, strict=True))]
    pitches = [limit + gap for limit, gap in zip(limits, gaps, strict=True)]
    keys, order = sorted_sites(coordinates, limits, pitches)
    rows, extent, size = kernel_size[0] * kernel_size[1], kernel_size[2], len(keys)
    sources = np.empty((rows, extent, size), np.int32)
    targets = np.empty((rows, extent, size), np.int32)
    counts = np.zeros((rows, extent), np.int64)

    def walk(first: int, last: int) -> None:
        for row in range(first, last):
            dz = (row // kernel_size[1]) * dilation[0] - before[0]
            dy = (row % kernel_size[1]) * dilation[1] - before[1]
            shift = (dz * pitches[2] + dy) * pitches[3] - before[2]
            _walk_row(keys, shift, dilation[2], sources[row], targets[row], counts[row])

    run_in_ranges(walk, rows, max(1, 100_000 // max(size, 1)))
    offsets = np.zeros(rows * extent + 1, np.int64)
    np.cumsum(counts.reshape(-1), out=offsets[1:])
    pair_in, pair_out = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int32)
    for buffer, pairs in ((sources, pair_in), (targets, pair_out)):
        for k, found in enumerate(buffer.reshape(rows * extent, size)):
            part = found[: offsets[k + 1] - offsets[k]]
            pairs[offsets[k] : offsets[k + 1]] = part if order is None else order[part]
    return pair_in, pair_out, offsets


def strided_pairs(
    coordinates: np.ndarray,
    limits: Sequence[int],
    out_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """See :func:`bev3d_ops.registered.strided_pairs`; coordinates (V, 4) int64, limits (B, D, H, W)."""
    _, order = sorted_sites(coordinates, limits, limits)
    sites = coordinates if order is None else coordinates[order]
    axes = zip(limits[1:], out_shape, kernel_size, stride, padding, dilation, strict=True)
    steps = [_axis_steps(size, to, k, s, p, d, transposed) for size, to, k, s, p, d in axes]
    out_limits = np.array([limits[0], *out_shape], np.int64)
    reached, pair_in, pair_out, offsets = reached_sites(sites, (steps[0], steps[1], steps[2]), out_limits)
    return reached, pair_in if order is None else order[pair_in], pair_out, offsets


def _axis_steps(
    size: int, out_size: int, kernel: int, stride: int, padding: int, dilation: int, transposed: bool
) -> np.ndarray:
    """(size, kernel) int64: where each place of an axis arrives through each offset, or -1."""
    at, offset = np.arange(size, dtype=np.int64)[:, None], dilation * np.arange(kernel, dtype=np.int64)
    if transposed:
        to = at * stride - padding + offset
        reaches = np.ones_like(to, dtype=bool)
    else:
        to, rest = np.divmod(at + padding - offset, stride)
        reaches = rest == 0
    return np.where(reaches & (to >= 0) & (to < out_size), to, -1)
