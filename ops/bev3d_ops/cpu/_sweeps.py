"""LiDAR sweeps moved to another frame, without the points on the vehicle itself, in one pass over the points.

Positions are computed in float64 and rounded once, since poses are in the thousands of metres.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["append_sweep", "transform_sweeps"]

_POINTS_PER_THREAD = 50_000


@njit(inline="always")
def _rows_of(transform):
    """Rotation and translation as scalars, which no store to the output can change."""
    return (
        (transform[0, 0], transform[0, 1], transform[0, 2], transform[0, 3]),
        (transform[1, 0], transform[1, 1], transform[1, 2], transform[1, 3]),
        (transform[2, 0], transform[2, 1], transform[2, 2], transform[2, 3]),
    )


@njit(inline="always")
def _along(row, x, y, z):
    return row[0] * x + row[1] * y + row[2] * z + row[3]


@njit(cache=True, nogil=True)
def append_sweep(scan, transform, half_width_m, intensity_scale, lag_s, out, start):
    """Write the points of a scan to ``out`` from row ``start`` on, and return the row after the last one.

    A point with both |x| and |y| below ``half_width_m`` in the scan's own frame is left out.

    Args:
        scan: (P, 4 or more) float32: x, y, z, intensity.
        transform: (4, 4) float64.
        half_width_m: metres.
        intensity_scale: factor on the intensity.
        lag_s: value of the last column, seconds.
        out: (at least start + P, 5) float32.
        start: first row to write.
    """
    scale, lag = np.float32(intensity_scale), np.float32(lag_s)
    to_x, to_y, to_z = _rows_of(transform)
    row = start
    for i in range(len(scan)):
        # a third of a real scan, and in runs: the branch is cheaper than the arithmetic
        if abs(scan[i, 0]) < half_width_m and abs(scan[i, 1]) < half_width_m:
            continue
        x, y, z = np.float64(scan[i, 0]), np.float64(scan[i, 1]), np.float64(scan[i, 2])
        out[row, 0], out[row, 1], out[row, 2] = _along(to_x, x, y, z), _along(to_y, x, y, z), _along(to_z, x, y, z)
        out[row, 3] = scan[i, 3] * scale
        out[row, 4] = lag
        row += 1
    return row


@njit(cache=True, nogil=True)
def _transform(points, offsets, transforms, lags_s, half_width_m, intensity_scale, out, keep, first, last):
    columns = out.shape[1] - 1
    scale = points.dtype.type(intensity_scale)
    for sweep in range(len(transforms)):
        to_x, to_y, to_z = _rows_of(transforms[sweep])
        for i in range(max(offsets[sweep], first), min(offsets[sweep + 1], last)):
            x, y, z = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
            out[i, 0], out[i, 1], out[i, 2] = _along(to_x, x, y, z), _along(to_y, x, y, z), _along(to_z, x, y, z)
            if columns > 3:
                out[i, 3] = points[i, 3] * scale
            for column in range(4, columns):
                out[i, column] = points[i, column]
            out[i, columns] = lags_s[sweep]
            keep[i] = not ((abs(x) < half_width_m) & (abs(y) < half_width_m))
    for i in range(max(offsets[len(transforms)], first), last):  # of no sweep
        out[i] = 0.0
        keep[i] = False


def transform_sweeps(
    points: np.ndarray,
    offsets: np.ndarray,
    transforms: np.ndarray,
    lags_s: np.ndarray,
    columns: int,
    half_width_m: float,
    intensity_scale: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Every point in the frame to which its sweep's transform leads, and which are not on the vehicle itself.

    Args:
        points: (P, C) float32 or float64, C-contiguous: x, y, z and, where C > 3, intensity and more.
        offsets: (S + 1) int64, rising from 0 to at most P: points offsets[s] to offsets[s + 1] are of sweep s.
        transforms: (S, 4, 4) float64.
        lags_s: (S) float64, seconds.
        columns: 3 to C, how many of the points' columns stay.
        half_width_m: points with \\|x\\| and \\|y\\| below it, in their own frame, are not kept.
        intensity_scale: factor on column 3.

    Returns:
        (P, columns + 1) in the dtype of ``points``, the last column the lag, and (P) bool: what to keep. Points
        from the last offset on are 0 and not kept.
    """
    out = np.empty((len(points), columns + 1), points.dtype)
    keep = np.empty(len(points), np.bool_)
    run_in_ranges(
        lambda i, j: _transform(
            points, offsets, transforms, lags_s, float(half_width_m), float(intensity_scale), out, keep, i, j
        ),
        len(points),
        _POINTS_PER_THREAD,
    )
    return out, keep
