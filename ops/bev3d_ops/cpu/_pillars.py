"""Height-slice statistics of pillars: from a point cloud to a bird's-eye-view image in one pass."""

import math

import numpy as np
from numba import njit

__all__ = ["CELL_FEATURES", "LAG_SCALE", "SLICE_FEATURES", "height_slice_image"]

SLICE_FEATURES = 2
CELL_FEATURES = 10
LAG_SCALE = 4.0  # five sweeps span a quarter of a second: brings the lag to [0, 1] like the other features


def height_slice_image(points, range_m, voxel_size_m, slices):
    """Statistics of the points of every pillar.

    Features of a cell, S = ``slices``, all 0 where no point is:

    * 2 s, 2 s + 1 for each slice s of z: log(1 + count); largest height above the slice's floor, in slices
    * 2 S + 0, 1: log(1 + count) of all points; of the key frame's points (time lag 0)
    * 2 S + 2, 3, 4: maximum, mean, minimum of (z - z0) / (z1 - z0)
    * 2 S + 5, 6: mean and maximum of the intensity
    * 2 S + 7: mean time lag, in quarters of a second
    * 2 S + 8, 9: mean place within the cell along x and y, in cells, 0 at its middle

    Args:
        points: (P, 5) float32 x, y, z, intensity, time lag; points outside the range, or NaN, are left out.
        range_m: six floats x0, y0, z0, x1, y1, z1; the upper bounds are exclusive.
        voxel_size_m: two or three floats; the first two give the cell.
        slices: number of slices of z.

    Returns:
        (H, W, 2 S + 10) float32, rows along y, columns along x. The features of a cell lie together, which is
        the channels-last layout of an image for torch.
    """
    columns = round((range_m[3] - range_m[0]) / voxel_size_m[0])
    rows = round((range_m[4] - range_m[1]) / voxel_size_m[1])
    image = np.zeros((rows, columns, SLICE_FEATURES * slices + CELL_FEATURES), np.float32)
    limits = np.array([*range_m, voxel_size_m[0], voxel_size_m[1]], np.float64)
    _accumulate(np.ascontiguousarray(points, dtype=np.float32), limits, slices, image)
    _finish(slices, image)
    return image


@njit(cache=True, nogil=True)
def _accumulate(points, limits, slices, image):
    x0, y0, z0 = limits[0], limits[1], limits[2]
    per_x, per_y, per_z = 1.0 / limits[6], 1.0 / limits[7], 1.0 / (limits[5] - z0)
    rows, columns, _ = image.shape
    base = 2 * slices
    for i in range(points.shape[0]):
        u = (points[i, 0] - x0) * per_x
        v = (points[i, 1] - y0) * per_y
        height = (points[i, 2] - z0) * per_z
        # written so that NaN fails it
        if not (u >= 0.0 and u < columns and v >= 0.0 and v < rows and height >= 0.0 and height < 1.0):
            continue
        column, row = int(u), int(v)
        cell = image[row, column]
        level = height * slices
        s = min(int(level), slices - 1)
        intensity, lag = points[i, 3], points[i, 4]
        cell[2 * s] += 1.0
        cell[2 * s + 1] = max(cell[2 * s + 1], np.float32(level - s))
        first = cell[base] == 0.0
        cell[base] += 1.0
        if lag == 0.0:
            cell[base + 1] += 1.0
        cell[base + 2] = max(cell[base + 2], np.float32(height))
        cell[base + 3] += height
        cell[base + 4] = np.float32(height) if first else min(cell[base + 4], np.float32(height))
        cell[base + 5] += intensity
        cell[base + 6] = intensity if first else max(cell[base + 6], intensity)
        cell[base + 7] += lag * LAG_SCALE
        cell[base + 8] += u - column - 0.5
        cell[base + 9] += v - row - 0.5


@njit(cache=True, nogil=True)
def _finish(slices, image):
    base = 2 * slices
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            cell = image[row, column]
            count = cell[base]
            if count == 0.0:
                continue
            for mean in (3, 5, 7, 8, 9):
                cell[base + mean] /= count
            for s in range(slices):
                cell[2 * s] = math.log1p(cell[2 * s])
            cell[base] = math.log1p(count)
            cell[base + 1] = math.log1p(cell[base + 1])
