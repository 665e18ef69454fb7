"""How rows that belong to segments are gone through."""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._streams import LINE_BYTES

__all__ = ["least_items", "rows_ahead"]

_AHEAD_BYTES, _SOON_BYTES = 8192, 2560
_NEAR_BYTES = 1 << 19  # fewer stay in a core's own cache
_VALUES_PER_THREAD = 200_000


@njit(inline="always")
def rows_ahead(rows, segments):
    """How many rows ahead those in order, and those of their segments, are asked for; and the lines of a row.

    No lines where the segments (V, C) stay in the cache and the rows (P, C) do or lie several to a line: to ask then
    costs more than it gains.
    """
    row_bytes = max(1, rows.shape[1] * rows.itemsize)
    are_easy = row_bytes < LINE_BYTES or len(rows) * row_bytes <= _NEAR_BYTES
    is_easy = are_easy and len(segments) * row_bytes <= _NEAR_BYTES
    return 1 + _AHEAD_BYTES // row_bytes, 1 + _SOON_BYTES // row_bytes, 0 if is_easy else -(-row_bytes // LINE_BYTES)


def least_items(items: int, values: np.ndarray) -> int:
    """Items that are worth a thread, of as many as hold ``values`` together."""
    return max(1, items * _VALUES_PER_THREAD // max(1, values.size))
