"""LiDAR files, and several of them merged into one cloud."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data._binary import read_float32_records
from bev3d.data.nuscenes._rows import SampleDataRow
from bev3d.data.nuscenes._tables import NuScenesTables
from bev3d_ops.cpu._sweeps import append_sweep

__all__ = ["merge_sweeps", "read_lidar"]

COLUMNS = 5  # x, y, z, intensity in 0 .. 255, ring index
EGO_HALF_WIDTH_M = 1.0
FULL_INTENSITY = 255.0


def read_lidar(path: Path) -> NDArray[np.float32]:
    """One ``.pcd.bin``: (P, 5) float32, x, y, z in metres, intensity in 0 .. 255, ring index.

    Raises:
        DataFormatError: no such file, or a length that is not a multiple of 20 bytes.
    """
    return read_float32_records(path, COLUMNS)


def merge_sweeps(
    tables: NuScenesTables, rows: Sequence[SampleDataRow], sample_from_global: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Points of a key frame and of the sweeps before it in one frame.

    Each file is taken through ``sample_from_global @ global_from_ego @ ego_from_sensor`` of its own instant, in
    float64. Points with \\|x\\| < 1 m and \\|y\\| < 1 m in the sensor's own frame (the vehicle's roof) are dropped
    from every file, the key frame included, as the devkit does. Moving objects smear: only the vehicle's motion is
    undone.

    Args:
        tables: where poses are looked up.
        rows: the key frame first; time lags count from it.
        sample_from_global: (4, 4).

    Returns:
        (P, 5) float32: x, y, z in metres, intensity in [0, 1], time lag in seconds.

    Raises:
        DataFormatError: a file that is missing or truncated; the text names the file and its ``sample_data`` row.
    """
    scans = [_scan_of(tables, row) for row in rows]
    out = np.empty((sum(len(scan) for scan in scans), 5), dtype=np.float32)
    newest = 1e-6 * rows[0]["timestamp"]
    stop = 0
    for row, scan in zip(rows, scans, strict=True):
        transform = sample_from_global @ tables.global_from_sensor(row)
        lag = newest - 1e-6 * row["timestamp"]
        stop = append_sweep(scan, transform, EGO_HALF_WIDTH_M, 1 / FULL_INTENSITY, lag, out, stop)
    return out[:stop]


def _scan_of(tables: NuScenesTables, row: SampleDataRow) -> NDArray[np.float32]:
    path = tables.dataroot / row["filename"]
    if not path.is_file():
        raise DataFormatError(f"{path}: no such file (sample_data {row['token']})")
    return read_lidar(path)
