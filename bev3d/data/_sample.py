"""What a data set gives: one sample, and what a detector answers for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dataset", "Detections", "Sample"]


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled point cloud, the same for every data set.

    Attributes:
        token: nuScenes sample token, KITTI frame id.
        points: (P, 5) float32: x, y, z in metres in the sample's frame, intensity in [0, 1], time lag in seconds
            (0 for the key frame, positive for earlier sweeps).
        boxes: (N, 9) float64, columns as :class:`bev3d.boxes.Box`; velocity NaN where unknown.
        labels: (N,) int64 index into ``class_names``; -1 for an object outside the classes.
        names: the N raw category names of the data set.
        num_points: (N,) int64 points inside each box as the data set records them; -1 where it does not.
        class_names: the classes that the labels index.
        meta: what only this data set has (calibration, poses, image size).
    """

    token: str
    points: NDArray[np.float32]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    num_points: NDArray[np.int64]
    class_names: tuple[str, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes that a detector found in one sample, in the sample's frame, best score first.

    Attributes:
        token: the sample's token.
        boxes: (K, 9) float64, columns as :class:`bev3d.boxes.Box`.
        scores: (K,) float64 in [0, 1].
        labels: (K,) int64 index into ``class_names``.
        class_names: the classes that the labels index.
    """

    token: str
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]


class Dataset(Protocol):
    """A split of a data set: samples by position."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that labels index."""
        ...

    @property
    def tokens(self) -> Sequence[str]:
        """Token of every sample, in the data set's order."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Points, boxes and labels of one sample."""
        ...

    def annotations(self, index: int) -> Sample:
        """The same sample without its points (0, 5): cheap, for targets, audits and evaluation."""
        ...
