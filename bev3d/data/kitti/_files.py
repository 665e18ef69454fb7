"""Scans, image sizes and lists of frames of the KITTI object benchmark."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data._binary import read_float32_records

__all__ = ["COMMON_IMAGE_SIZE", "read_frame_ids", "read_image_size", "read_velodyne"]

COMMON_IMAGE_SIZE = (1242, 375)
"""Width and height of most frames in pixels; the others differ by up to 18 and 6."""

_PNG_START = b"\x89PNG\r\n\x1a\n"


def read_velodyne(path: Path) -> NDArray[np.float32]:
    """One scan: (P, 4) float32, x, y, z in metres in the velodyne frame, reflectance in [0, 1].

    Raises:
        DataFormatError: no such file, or a length that is not a multiple of 16 bytes.
    """
    return read_float32_records(path, 4)


def read_image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels from the header of a PNG; no image library is needed.

    Raises:
        DataFormatError: not a PNG.
    """
    with open(path, "rb") as handle:
        header = handle.read(24)
    if len(header) < 24 or not header.startswith(_PNG_START) or header[12:16] != b"IHDR":
        raise DataFormatError(f"{path}: expected a PNG, got a file that starts with {header[:8]!r}")
    width, height = struct.unpack(">II", header[16:24])
    return width, height


def read_frame_ids(dataroot: Path, split: str) -> tuple[str, ...]:
    """Ids of ``ImageSets/<split>.txt``, one a line.

    Raises:
        DataFormatError: no such list (the text names those there are), an empty one, or one that names a frame twice.
    """
    path = dataroot / "ImageSets" / f"{split}.txt"
    if not path.is_file():
        present = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt"))) or "none"
        raise DataFormatError(f"{path}: no such list of frames; splits in {path.parent}: {present}")
    ids = tuple(path.read_text(encoding="ascii", errors="replace").split())
    if not ids:
        raise DataFormatError(f"{path}: expected at least one frame id, got an empty file")
    if len(set(ids)) != len(ids):
        twice = next(name for i, name in enumerate(ids) if name in ids[:i])
        raise DataFormatError(f"{path}: expected every frame once, got {twice} twice")
    return ids
