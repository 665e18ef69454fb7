"""What a detector sees before any threshold, for pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from bev3d.models import Detector

__all__ = ["heatmaps"]


@torch.inference_mode()
def heatmaps(detector: Detector, images: Tensor) -> list[list[Tensor]]:
    """Probabilities of the peaks: for each of B samples a list over the tasks of (C_t, H, W).

    Args:
        detector: in evaluation mode.
        images: (B, C, H, W) from :func:`bev3d.models.encode_points`.
    """
    tasks = [maps["heatmap"].sigmoid() for maps in detector(images)]
    return [[task[i] for task in tasks] for i in range(len(images))]
