"""From the network's outputs to scored boxes, before any suppression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.models._anchor_decode import decode_anchors
from bev3d.targets import decode_heatmap

__all__ = ["decode_outputs"]

Number = TypeVar("Number", int, float)
Found = tuple[Tensor, Tensor, Tensor]


def decode_outputs(outputs: Sequence[Mapping[str, Tensor]], config: Config) -> list[Found]:
    """Boxes that a detector's outputs stand for.

    Args:
        outputs: what the detector of ``config`` gave for B samples.
        config: classes, grid and thresholds.

    Returns:
        For each sample boxes (K, 9), velocity NaN where the head predicts none, scores (K,) and labels (K,) int64 over
        all classes. With ``iou_head`` a score is the heatmap's^(1 - a) * IoU^a, a of ``score_rectification``
        (CIA-SSD, Zheng et al. 2021, arXiv 2012.03015).
    """
    if config.head == "anchor":
        return decode_anchors(outputs[0], config)
    found: list[list[Found]] = []
    first = 0
    for task, maps in zip(config.tasks, outputs, strict=True):
        found.append([(b, s, labels + first) for b, s, labels in _decode_task(maps, config, first, len(task))])
        first += len(task)
    samples = zip(*found, strict=True)
    return [_join(parts) for parts in samples]


def _join(parts: Sequence[Found]) -> Found:
    boxes, scores, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return boxes, scores, labels


def _decode_task(maps: Mapping[str, Tensor], config: Config, first: int, count: int) -> list[Found]:
    """Boxes of the task whose ``count`` classes begin at ``first``."""
    quality: dict[str, Any] = {}
    if config.iou_head:
        exponents = _of_task(config.score_rectification, first, count)
        quality = {"quality": (maps["iou"] + 1) / 2, "quality_exponent": exponents}
    return decode_heatmap(
        maps["heatmap"].sigmoid(),
        {name: values for name, values in maps.items() if name not in ("heatmap", "iou")},
        range_m=config.range_m,
        voxel_size_m=config.voxel_size_m,
        stride=config.stride,
        max_objects=config.max_objects,
        score_threshold=config.score_threshold,
        peak_window=_of_task(config.peak_window, first, count),
        **quality,
    )


def _of_task(values: Sequence[Number], first: int, count: int) -> Sequence[Number]:
    """Settings by class, of the task's classes; one for all stays as it is."""
    return values if len(values) == 1 else values[first : first + count]
