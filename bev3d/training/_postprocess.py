"""From scored boxes to detections: thresholds, range, suppression, limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.data import Detections
from bev3d.nms import batched_nms, nms_weighted
from bev3d.training._by_class import by_threshold, of_class

__all__ = ["postprocess"]

Found = tuple[Tensor, Tensor, Tensor]


def postprocess(token: str, found: Found, config: Config) -> tuple[Detections, int]:
    """What stays of the boxes that a network found in one sample.

    In this order: boxes whose numbers are not finite are left out, then those below their class's score or with
    their centre outside ``post_range_m``; suppression; at most ``max_per_class`` of each class; at most
    ``max_detections``, best scores first.

    Args:
        token: the sample.
        found: boxes (K, 9), scores (K,) and labels (K,), on any device.
        config: settings of prediction.

    Returns:
        The detections, and how many boxes had numbers that are not finite (an unknown velocity is NaN and may be).
    """
    boxes, scores, labels = found[0].double(), found[1].double(), found[2].long()
    sound = boxes[:, :7].isfinite().all(1) & ~boxes[:, 7:].isinf().any(1) & scores.isfinite()
    wanted = sound & _is_wanted(boxes, scores, labels, config)
    boxes, scores, labels = _suppress(boxes[wanted], scores[wanted], labels[wanted], config)
    order = scores.argsort(descending=True, stable=True)
    if config.max_per_class:
        order = order[_rank_in_class(labels[order]) < of_class(config.max_per_class, labels[order])]
    best = order[: config.max_detections]
    detections = Detections(
        token=token,
        boxes=np.ascontiguousarray(boxes[best].cpu().numpy()),
        scores=scores[best].cpu().numpy(),
        labels=labels[best].cpu().numpy(),
        class_names=config.class_names,
    )
    return detections, int((~sound).sum())


def _is_wanted(boxes: Tensor, scores: Tensor, labels: Tensor, config: Config) -> Tensor:
    """(K,) bool: in range, and good enough for its class."""
    wanted = torch.ones_like(scores, dtype=torch.bool)
    if config.class_score_thresholds:
        wanted &= scores >= of_class(config.class_score_thresholds, labels)
    if config.post_range_m:
        low, high = boxes.new_tensor(config.post_range_m).view(2, 3)
        wanted &= ((boxes[:, :3] >= low) & (boxes[:, :3] <= high)).all(1)
    return wanted


def _suppress(boxes: Tensor, scores: Tensor, labels: Tensor, config: Config) -> Found:
    if config.nms == "none":
        return boxes, scores, labels
    thresholds = config.nms_radius_m if config.nms == "circle" else config.nms_iou
    parts: list[Found] = []
    for threshold, members in by_threshold(labels, thresholds):
        group = boxes[members], scores[members], labels[members]
        apart = None if config.nms_agnostic else group[2]
        if config.nms == "weighted":
            merged = nms_weighted(*group[:2], threshold, labels=apart, pre_max=config.nms_pre_max)
            parts.append((merged.boxes, merged.scores, group[2][merged.indices]))
        else:
            kept = batched_nms(*group[:2], apart, threshold, config.nms, pre_max=config.nms_pre_max)
            parts.append((group[0][kept], group[1][kept], group[2][kept]))
    return _join(parts) if parts else (boxes, scores, labels)


def _join(parts: Sequence[Found]) -> Found:
    boxes, scores, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return boxes, scores, labels


def _rank_in_class(labels: Tensor) -> Tensor:
    """(K,) how many of the same class stand before each."""
    ranks = torch.empty_like(labels)
    for label in labels.unique().tolist():
        members = labels == label
        ranks[members] = torch.arange(int(members.sum()), device=labels.device)
    return ranks
