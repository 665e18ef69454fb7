"""From the network's outputs to scored boxes, before any suppression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.targets import decode_heatmap

__all__ = ["decode_outputs"]

Found = tuple[Tensor, Tensor, Tensor]


def decode_outputs(outputs: Sequence[Mapping[str, Tensor]], config: Config) -> list[Found]:
    """Boxes that a detector's outputs stand for.

    Args:
        outputs: what the detector of ``config`` gave for B samples.
        config: classes, grid and thresholds.

    Returns:
        For each sample boxes (K, 9), scores (K,) and labels (K,) int64 over all classes.
    """
    found: list[list[Found]] = []
    first_class = 0
    for task, maps in zip(config.tasks, outputs, strict=True):
        windows = config.peak_window
        if len(windows) > 1:
            windows = windows[first_class : first_class + len(task)]
        found.append([(b, s, labels + first_class) for b, s, labels in _decode_task(maps, config, windows)])
        first_class += len(task)
    samples = zip(*found, strict=True)
    return [_join(parts) for parts in samples]


def _join(parts: Sequence[Found]) -> Found:
    boxes, scores, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return boxes, scores, labels


def _decode_task(maps: Mapping[str, Tensor], config: Config, windows: Sequence[int]) -> list[Found]:
    return decode_heatmap(
        maps["heatmap"].sigmoid(),
        {name: values for name, values in maps.items() if name != "heatmap"},
        range_m=config.range_m,
        voxel_size_m=config.voxel_size_m,
        stride=config.stride,
        max_objects=config.max_objects,
        score_threshold=config.score_threshold,
        peak_window=windows,
    )
