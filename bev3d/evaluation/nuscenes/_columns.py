"""Boxes of many samples as columns, which is how the metric computes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_ATTRIBUTE", "NO_POINT_COUNT", "BoxColumns"]

NO_ATTRIBUTE = -1
NO_POINT_COUNT = -1


@dataclass(frozen=True, eq=False)
class BoxColumns:
    """Ground truth or predictions in the global frame; rows stand in the order in which the metric breaks ties.

    Attributes:
        sample: (N,) int64, index of the sample among those evaluated.
        translation: (N, 3) float64, centre in metres.
        size: (N, 3) float64, width, length, height in metres.
        rotation: (N, 4) float64, quaternion w, x, y, z of any length but 0.
        velocity: (N, 2) float64, m/s; NaN where it is not known.
        score: (N,) float64; -1 for ground truth.
        label: (N,) int64, index into the ten classes.
        attribute: (N,) int64, index into the attributes; :data:`NO_ATTRIBUTE` without one.
        num_points: (N,) int64, lidar and radar; :data:`NO_POINT_COUNT` for predictions.
    """

    sample: NDArray[np.int64]
    translation: NDArray[np.float64]
    size: NDArray[np.float64]
    rotation: NDArray[np.float64]
    velocity: NDArray[np.float64]
    score: NDArray[np.float64]
    label: NDArray[np.int64]
    attribute: NDArray[np.int64]
    num_points: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sample)

    def take(self, rows: NDArray[Any]) -> BoxColumns:
        """The rows of these indices, or where a mask is true."""
        return BoxColumns(*(getattr(self, field.name)[rows] for field in fields(self)))

    @staticmethod
    def concatenate(parts: Sequence[BoxColumns]) -> BoxColumns:
        """One after the other."""
        return BoxColumns(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(BoxColumns)))

    @staticmethod
    def empty(count: int = 0) -> BoxColumns:
        """Columns of zeros, without attributes and point counts."""
        return BoxColumns(
            sample=np.zeros(count, dtype=np.int64),
            translation=np.zeros((count, 3)),
            size=np.zeros((count, 3)),
            rotation=np.zeros((count, 4)),
            velocity=np.zeros((count, 2)),
            score=np.zeros(count),
            label=np.zeros(count, dtype=np.int64),
            attribute=np.full(count, NO_ATTRIBUTE, dtype=np.int64),
            num_points=np.full(count, NO_POINT_COUNT, dtype=np.int64),
        )
