"""Calibration of a KITTI frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError

__all__ = ["KittiCalib", "read_calib"]

Matrix = NDArray[np.float64]

# Tracking and raw spell two of the keys differently.
_SHAPES = {
    "P0": (3, 4),
    "P1": (3, 4),
    "P2": (3, 4),
    "P3": (3, 4),
    "R0_rect": (3, 3),
    "Tr_velo_to_cam": (3, 4),
}
_OTHER_SPELLING = {"R_rect": "R0_rect", "Tr_velo_cam": "Tr_velo_to_cam"}


@dataclass(frozen=True, eq=False)
class KittiCalib:
    """Projections of the four cameras, rectification and LiDAR extrinsics.

    Attributes:
        projections: (4, 3, 4), P0 to P3: pixels from the rectified frame of camera 0. P2 is the left colour camera.
        r0_rect: (3, 3).
        tr_velo_to_cam: (3, 4), metres.
    """

    projections: Matrix
    r0_rect: Matrix
    tr_velo_to_cam: Matrix

    @cached_property
    def rect_from_velo(self) -> Matrix:
        """(4, 4): R0_rect times Tr_velo_to_cam, both padded."""
        rectify, move = np.eye(4), np.eye(4)
        rectify[:3, :3] = self.r0_rect
        move[:3] = self.tr_velo_to_cam
        return rectify @ move

    def image_from_rect(self, points: Matrix, camera: int = 2) -> tuple[Matrix, Matrix]:
        """Pixels (N, 2) and depth (N,) of points (N, 3) in the rectified frame; pixels mean nothing at depth <= 0."""
        projection = self.projections[camera]
        projected = points @ projection[:, :3].T + projection[:, 3]
        depth = projected[:, 2]
        safe = np.where(np.abs(depth) > 1e-9, depth, 1e-9)
        return projected[:, :2] / safe[:, None], depth

    def image_from_velo(self, points: Matrix, camera: int = 2) -> tuple[Matrix, Matrix]:
        """Pixels (N, 2) and depth (N,) of points (N, 3) in the velodyne frame."""
        rect = points @ self.rect_from_velo[:3, :3].T + self.rect_from_velo[:3, 3]
        return self.image_from_rect(rect, camera)


def read_calib(path: Path) -> KittiCalib:
    """A ``calib/ID.txt`` of the object benchmark.

    Raises:
        DataFormatError: no such file, a missing key, or a wrong count of numbers; the text names file and key.
    """
    found = _read_keys(path)
    for key, shape in _SHAPES.items():
        if key not in found:
            raise DataFormatError(f"{path}: missing key {key}; expected {', '.join(_SHAPES)}")
        if found[key].size != shape[0] * shape[1] or not np.isfinite(found[key]).all():
            expected = f"{shape[0] * shape[1]} finite numbers"
            raise DataFormatError(f"{path}, {key}: expected {expected}, got {found[key].tolist()}")
    projections = np.stack([found[f"P{i}"].reshape(3, 4) for i in range(4)])
    return KittiCalib(projections, found["R0_rect"].reshape(3, 3), found["Tr_velo_to_cam"].reshape(3, 4))


def _read_keys(path: Path) -> dict[str, Matrix]:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        raise DataFormatError(f"{path}: no such calibration file") from None
    found = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        key = words[0].rstrip(":")
        try:
            values = np.array([float(word) for word in words[1:]])
        except ValueError as error:
            raise DataFormatError(f"{path}:{number}: expected numbers after {key}, got {error}") from None
        found[_OTHER_SPELLING.get(key, key)] = values
    return found
