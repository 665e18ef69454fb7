"""What a detector sees before any threshold, for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bev3d.config import Config
from bev3d.models import ModelInputs
from bev3d.training._detect import joined_outputs
from bev3d.training._views import has_heatmaps

__all__ = ["PredictedHeatmap", "heatmaps"]


@dataclass(frozen=True, eq=False)
class PredictedHeatmap:
    """One task in one sample.

    Attributes:
        probabilities: (C_t, H, W), on the CPU.
        offset: (2, H, W) of the centre from the lower corner of its cell, in cells.
    """

    probabilities: Tensor
    offset: Tensor


@torch.inference_mode()
def heatmaps(
    detector: nn.Module, views: ModelInputs | Sequence[ModelInputs], config: Config
) -> list[list[PredictedHeatmap]]:
    """For each of B samples the heatmaps of its tasks, mirror images joined; no tasks where the head has no heatmap.

    Args:
        detector: in evaluation mode, on any device.
        views: of :func:`bev3d.training.make_views`.
        config: its settings.
    """
    count = (views if isinstance(views, ModelInputs) else views[0]).batch_size
    tasks = joined_outputs(detector, views, config)
    if not has_heatmaps(tasks):
        return [[] for _ in range(count)]
    return [
        [PredictedHeatmap(maps["heatmap"][i].sigmoid().cpu(), maps["offset"][i].cpu()) for maps in tasks]
        for i in range(count)
    ]
