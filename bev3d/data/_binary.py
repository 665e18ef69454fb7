"""Files of float32 records, as LiDAR scans are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError

__all__ = ["read_float32_records"]


def read_float32_records(path: Path, columns: int) -> NDArray[np.float32]:
    """A headerless little-endian float32 file as (records, columns).

    Raises:
        DataFormatError: no such file, or a length that is not a multiple of the record (a truncated download).
    """
    if not path.is_file():
        raise DataFormatError(f"{path}: no such file")
    size, record = path.stat().st_size, 4 * columns
    if size % record:
        raise DataFormatError(
            f"{path}: expected a multiple of {record} bytes ({columns} float32 a point), got {size} bytes"
        )
    return np.fromfile(path, dtype="<f4").reshape(-1, columns)
