"""Values of maps at the cells of objects, and the way back, on the CPU."""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["gather_cells", "scatter_cells"]


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(maps, cell_index, out, first, last):
    _, channels, cells = maps.shape
    objects = cell_index.shape[1]
    for row in range(first, last):
        sample, m = row // objects, row % objects
        cell = cell_index[sample, m]
        inside = (cell >= 0) & (cell < cells)
        for channel in range(channels):
            out[sample, m, channel] = maps[sample, channel, cell] if inside else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(grad, cell_index, out, first, last):
    channels, cells = out.shape[1], out.shape[2]
    for i in range(first, last):
        sample, channel = i // channels, i % channels
        for m in range(cell_index.shape[1]):
            cell = cell_index[sample, m]
            if (cell >= 0) & (cell < cells):
                out[sample, channel, cell] += grad[sample, m, channel]


def gather_cells(maps: np.ndarray, cell_index: np.ndarray) -> np.ndarray:
    """(B, M, C) from maps (B, C, cells), float32 or float64, at cell_index (B, M) int64."""
    out = np.empty((*cell_index.shape, maps.shape[1]), maps.dtype)
    run_in_ranges(lambda i, j: _gather(maps, cell_index, out, i, j), cell_index.size, 20_000)
    return out


def scatter_cells(grad: np.ndarray, cell_index: np.ndarray, cells: int) -> np.ndarray:
    """(B, C, cells) zero but for the sums of grad (B, M, C) at cell_index (B, M), in the order of the objects."""
    batch, _, channels = grad.shape
    out = np.zeros((batch, channels, cells), grad.dtype)
    run_in_ranges(lambda i, j: _scatter(grad, cell_index, out, i, j), batch * channels, 64)
    return out
