"""A LiDAR sweep moved to another frame, without the points on the vehicle itself, in one pass over the points."""

import numpy as np
from numba import njit

__all__ = ["append_sweep"]


@njit(cache=True, nogil=True)
def append_sweep(scan, transform, half_width_m, intensity_scale, lag_s, out, start):
    """Write the points of a scan to ``out`` from row ``start`` on, and return the row after the last one.

    A point with both |x| and |y| below ``half_width_m`` in the scan's own frame is left out. Positions are computed in
    float64 and rounded once, since poses are in the thousands of metres.

    Args:
        scan: (P, 4 or more) float32: x, y, z, intensity.
        transform: (4, 4) float64.
        half_width_m: metres.
        intensity_scale: factor on the intensity.
        lag_s: value of the last column, seconds.
        out: (at least start + P, 5) float32.
        start: first row to write.
    """
    row = start
    scale = np.float32(intensity_scale)
    lag = np.float32(lag_s)
    for i in range(len(scan)):
        if abs(scan[i, 0]) < half_width_m and abs(scan[i, 1]) < half_width_m:
            continue
        x, y, z = np.float64(scan[i, 0]), np.float64(scan[i, 1]), np.float64(scan[i, 2])
        for axis in range(3):
            moved = transform[axis, 0] * x + transform[axis, 1] * y + transform[axis, 2] * z + transform[axis, 3]
            out[row, axis] = np.float32(moved)
        out[row, 3] = scan[i, 3] * scale
        out[row, 4] = lag
        row += 1
    return row
