"""Point clouds of a batch on their way into voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["POINT_CHANNELS", "VoxelCaps", "join_clouds"]

POINT_CHANNELS = 5
"""x, y, z in metres, intensity, time lag in seconds."""


@dataclass(frozen=True)
class VoxelCaps:
    """How much hard voxelisation keeps; dynamic voxelisation keeps all.

    Attributes:
        max_points: of a voxel.
        max_voxels_train: of a sample, in training.
        max_voxels_eval: of a sample, otherwise.

    Raises:
        ValueError: below 1.
    """

    max_points: int
    max_voxels_train: int
    max_voxels_eval: int

    def __post_init__(self) -> None:
        for name in ("max_points", "max_voxels_train", "max_voxels_eval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected >= 1, got {getattr(self, name)}")

    def max_voxels(self, training: bool) -> int:
        """Of a sample."""
        return self.max_voxels_train if training else self.max_voxels_eval


def join_clouds(clouds: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All points (P, 5) of a batch, and the sample of each.

    Raises:
        ValueError: no cloud, or one that is not (P, 5).
        TypeError: a cloud that is not an array of floats.
    """
    if not len(clouds):
        raise ValueError("clouds: expected at least one, got none")
    for i, points in enumerate(clouds):
        if not isinstance(points, np.ndarray) or points.dtype.kind != "f":
            got = points.dtype if isinstance(points, np.ndarray) else type(points).__name__
            raise TypeError(f"clouds[{i}]: expected a NumPy array of floats, got {got}")
        if points.ndim != 2 or points.shape[1] != POINT_CHANNELS:
            raise ValueError(f"clouds[{i}]: expected shape (P, {POINT_CHANNELS}), got {points.shape}")
    points = np.concatenate([np.asarray(points, np.float32) for points in clouds])
    return points, np.repeat(np.arange(len(clouds)), [len(points) for points in clouds])
