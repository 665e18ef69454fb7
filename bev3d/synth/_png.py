"""PNG files without an image library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._files import atomic_path

__all__ = ["write_png"]


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an 8-bit image atomically.

    Args:
        path: file to write.
        pixels: (H, W) grey or (H, W, 3) RGB.
    """
    height, width = pixels.shape[:2]
    colour = 0 if pixels.ndim == 2 else 2
    rows = pixels.reshape(height, -1)
    scanlines = np.column_stack([np.zeros(height, np.uint8), rows]).tobytes()  # filter 0 in front of each row
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(scanlines, 1)), (b"IEND", b""))
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n")
        for name, data in chunks:
            stream.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))
