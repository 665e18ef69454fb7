"""Boxes of a trained detector for every sample of a split."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bev3d._errors import UserError
from bev3d._progress import track
from bev3d.config import Config
from bev3d.config._fields import GridConfig, ModelConfig
from bev3d.data import Dataset, Detections, open_dataset
from bev3d.models import Detector, ModelInputs, build_detector, decode_outputs, make_inputs
from bev3d.nms import nms_bev, nms_circle
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

    def load(indices: Sequence[int]) -> tuple[list[str], ModelInputs]:
        samples = [dataset[i] for i in indices]
        return [sample.token for sample in samples], make_inputs([s.points for s in samples], config)

    found: dict[str, Detections] = {}
    for tokens, inputs in track(prefetch(load, batches), "predicting", total=len(batches), unit="batches"):
        for detections in detect(detector, inputs, tokens, config):
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
    detector.load_state_dict(read.weights)
    return detector.eval(), config


@torch.inference_mode()
def detect(detector: Detector, inputs: ModelInputs, tokens: Sequence[str], config: Config) -> list[Detections]:
    """Boxes in a batch of images.

    Peaks of each task's heatmap are decoded, overlapping ones of a class suppressed, and the best kept.

    Args:
        detector: in evaluation mode.
        inputs: of :func:`bev3d.models.make_inputs`.
        tokens: names of the B samples.
        config: thresholds, suppression and grid.
    """
    found = decode_outputs(detector(inputs), config)
    return [_finish(token, *one, config) for token, one in zip(tokens, found, strict=True)]


def _finish(token: str, boxes: Tensor, scores: Tensor, labels: Tensor, config: Config) -> Detections:
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
