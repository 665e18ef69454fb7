"""What a detector sees before any threshold, for pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bev3d.models import Detector, ModelInputs

__all__ = ["PredictedHeatmap", "heatmaps"]


@dataclass(frozen=True, eq=False)
class PredictedHeatmap:
    """One task in one sample.

    Attributes:
        probabilities: (C_t, H, W).
        offset: (2, H, W) of the centre from the lower corner of its cell, in cells.
    """

    probabilities: Tensor
    offset: Tensor


@torch.inference_mode()
def heatmaps(detector: Detector, inputs: ModelInputs) -> list[list[PredictedHeatmap]]:
    """For each of B samples the heatmaps of its tasks.

    Args:
        detector: in evaluation mode.
        inputs: of :func:`bev3d.models.make_inputs`.
    """
    tasks = detector(inputs)
    return [
        [PredictedHeatmap(maps["heatmap"][i].sigmoid(), maps["offset"][i]) for maps in tasks]
        for i in range(inputs.batch_size)
    ]
