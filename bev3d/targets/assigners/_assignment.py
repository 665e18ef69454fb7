"""What every assigner gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["IGNORED", "NEGATIVE", "Array", "Assignment", "build"]

Array = Any  # np.ndarray or torch.Tensor, and the same out as in

NEGATIVE = -1
IGNORED = -2


@dataclass(frozen=True, eq=False)
class Assignment:
    """Which object each of A anchors (points, predictions, proposals) has to find.

    The kind of array and the device of the anchors.

    Attributes:
        gt_index: (A,) int64, row of the object among those given; ``NEGATIVE`` (-1) background; ``IGNORED`` (-2)
            neither, to be left out of every loss.
        labels: (A,) int64, class of the object, -1 where there is none.
        quality: (A,) in [0, 1], of the anchors' dtype, float32 at least: how well the anchor fits; what is meant, each
            assigner says.
    """

    gt_index: Array
    labels: Array
    quality: Array

    @property
    def positive(self) -> Array:
        """(A,) bool."""
        return self.gt_index >= 0

    @property
    def negative(self) -> Array:
        """(A,) bool."""
        return self.gt_index == NEGATIVE

    @property
    def ignored(self) -> Array:
        """(A,) bool."""
        return self.gt_index == IGNORED

    def __len__(self) -> int:
        return len(self.gt_index)


def build(
    anchors: Array, gt_index: NDArray[np.int64], labels: NDArray[np.int64], quality: NDArray[np.float64]
) -> Assignment:
    """An assignment in the kind of ``anchors``, from arrays of the CPU.

    Args:
        anchors: as the caller got them.
        gt_index: (A,).
        labels: (G,) of the objects.
        quality: (A,).
    """
    found = np.full(len(gt_index), -1, np.int64)
    positive = gt_index >= 0
    found[positive] = labels[gt_index[positive]]
    if not isinstance(anchors, torch.Tensor):
        return Assignment(gt_index, found, quality.astype(np.promote_types(anchors.dtype, np.float32)))
    dtype = torch.promote_types(anchors.dtype, torch.float32)
    index, label, value = (torch.from_numpy(array).to(anchors.device) for array in (gt_index, found, quality))
    return Assignment(index, label, value.to(dtype))
