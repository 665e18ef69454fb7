"""Boxes of a trained detector for every sample of a split."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bev3d._errors import UserError
from bev3d._progress import track
from bev3d.config import Config
from bev3d.config._fields import GridConfig, ModelConfig
from bev3d.data import Dataset, Detections, open_dataset
from bev3d.models import Detector, build_detector, encode_points
from bev3d.nms import nms_bev, nms_circle
from bev3d.targets import decode_heatmap
from bev3d.training._batches import prefetch
from bev3d.training._checkpoint import load_checkpoint

__all__ = ["detect", "load_detector", "predict"]


def predict(
    checkpoint: str | Path,
    dataroot: str | Path,
    *,
    config: Config | None = None,
    split: str | None = None,
    dataset: Dataset | None = None,
) -> dict[str, Detections]:
    """Run a trained detector over a split.

    Args:
        checkpoint: file that :func:`train` wrote.
        dataroot: folder of the data set.
        config: settings of prediction and data; those of the checkpoint where it is None. Grid, classes and
            network must be the checkpoint's.
        split: ``config.val_split`` where it is None.
        dataset: samples in place of those under ``dataroot``.

    Returns:
        Detections by sample token, in the order of the data set.

    Raises:
        FileNotFoundError: no such checkpoint.
        UserError: a damaged checkpoint, or one of another network.
    """
    detector, config = load_detector(checkpoint, config)
    if dataset is None:
        dataset = open_dataset(config, Path(dataroot), split or config.val_split)
    size, count = config.batch_size, len(dataset)
    batches = [range(first, min(first + size, count)) for first in range(0, count, size)]

    def load(indices: Sequence[int]) -> tuple[list[str], Tensor]:
        samples = [dataset[i] for i in indices]
        return [sample.token for sample in samples], encode_points([s.points for s in samples], config)

    found: dict[str, Detections] = {}
    for tokens, images in track(prefetch(load, batches), "predicting", total=len(batches), unit="batches"):
        for detections in detect(detector, images, tokens, config):
            found[detections.token] = detections
    return found


def load_detector(checkpoint: str | Path, config: Config | None = None) -> tuple[Detector, Config]:
    """The detector of a checkpoint, ready to predict, and the configuration to predict with.

    Raises:
        FileNotFoundError: no such file.
        UserError: a damaged file, or a ``config`` whose grid, classes or network are not the checkpoint's.
    """
    read = load_checkpoint(checkpoint)
    if config is None:
        config = read.config
    shaping = ["tasks", *(field.name for kind in (GridConfig, ModelConfig) for field in dataclasses.fields(kind))]
    for key in shaping:
        expected, got = getattr(read.config, key), getattr(config, key)
        if expected != got:
            raise UserError(f"{read.path}: expected {key} {expected} as the checkpoint was trained, got {got}")
    detector = build_detector(config)
    detector.load_state_dict(read.state["model"])
    return detector.eval(), config


@torch.inference_mode()
def detect(detector: Detector, images: Tensor, tokens: Sequence[str], config: Config) -> list[Detections]:
    """Boxes in a batch of images.

    Peaks of each task's heatmap are decoded, overlapping ones of a class suppressed, and the best kept.

    Args:
        detector: in evaluation mode.
        images: (B, C, H, W) from :func:`bev3d.models.encode_points`.
        tokens: names of the B samples.
        config: thresholds, suppression and grid.
    """
    found: list[list[tuple[Tensor, Tensor, Tensor]]] = [[] for _ in tokens]
    first_class = 0
    for task, maps in zip(config.tasks, detector(images), strict=True):
        windows = config.peak_window
        if len(windows) > 1:
            windows = windows[first_class : first_class + len(task)]
        for i, (boxes, scores, labels) in enumerate(_decode(maps, config, windows)):
            found[i].append((boxes, scores, labels + first_class))
        first_class += len(task)
    return [_finish(token, parts, config) for token, parts in zip(tokens, found, strict=True)]


def _decode(maps: Mapping[str, Tensor], config: Config, windows: Sequence[int]) -> list[tuple[Tensor, Tensor, Tensor]]:
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


def _finish(token: str, parts: Sequence[tuple[Tensor, Tensor, Tensor]], config: Config) -> Detections:
    boxes, scores, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    boxes, scores, labels = boxes.double(), scores.double(), labels.long()
    kept = _suppress(boxes, scores, labels, config)
    best = kept[scores[kept].argsort(descending=True, stable=True)][: config.max_detections]
    return Detections(
        token=token,
        boxes=np.ascontiguousarray(boxes[best].numpy()),
        scores=scores[best].numpy(),
        labels=labels[best].numpy(),
        class_names=config.class_names,
    )


def _suppress(boxes: Tensor, scores: Tensor, labels: Tensor, config: Config) -> Tensor:
    """Indices of the boxes that stay, class by class."""
    if config.nms == "none":
        return torch.arange(len(scores))
    kept = []
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        if config.nms == "circle":
            radius = config.nms_radius_m[label if len(config.nms_radius_m) > 1 else 0]
            chosen = nms_circle(boxes[members], scores[members], radius)
        else:
            chosen = nms_bev(boxes[members], scores[members], config.nms_iou)
        kept.append(members[chosen])
    return torch.cat(kept) if kept else torch.empty(0, dtype=torch.int64)
