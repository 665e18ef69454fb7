"""From a checkpoint to boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_worlds import BlockWorld, make_sample, maps_of_targets

from bev3d.boxes import Box
from bev3d.config import Config
from bev3d.models import ModelInputs
from bev3d.targets import targets_from_config
from bev3d.training import detect, predict, train


class Oracle(nn.Module):
    """Answers with the targets themselves, as logits and maps."""

    def __init__(self, config: Config, boxes: list[Tensor], labels: list[Tensor]) -> None:
        super().__init__()
        self.targets, self.config = targets_from_config(config)(boxes, labels), config

    def forward(self, inputs: ModelInputs) -> list[dict[str, Tensor]]:
        return maps_of_targets(self.targets, self.config)


@pytest.mark.parametrize("nms", ["none", "circle", "bev"])
def test_perfect_maps_give_the_boxes_back(small_config: Config, nms: str) -> None:
    config = replace(small_config, nms=nms, score_threshold=0.5, nms_radius_m=(0.5,))
    samples = [make_sample(str(i), config, i, objects=3, ground=0) for i in range(2)]
    boxes = [torch.from_numpy(sample.boxes) for sample in samples]
    labels = [torch.from_numpy(sample.labels) for sample in samples]
    found = detect(Oracle(config, boxes, labels), ModelInputs({}, 2), ["0", "1"], config)
    for sample, detections in zip(samples, found, strict=True):
        assert detections.token == sample.token
        assert detections.class_names == config.class_names
        nearest = np.abs(detections.boxes[:, None, :2] - sample.boxes[None, :, :2]).sum(-1).argmin(1)
        assert sorted(nearest) == [0, 1, 2]
        np.testing.assert_allclose(detections.boxes[:, : Box.VX], sample.boxes[nearest][:, : Box.VX], atol=1e-4)
        np.testing.assert_array_equal(detections.labels, sample.labels[nearest])
        assert (np.diff(detections.scores) <= 0).all()
        assert detections.boxes.dtype == detections.scores.dtype == np.float64
        assert detections.labels.dtype == np.int64


def test_close_peaks_of_one_class_are_suppressed_by_its_own_radius(small_config: Config) -> None:
    box = [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    boxes = torch.tensor([box, [1.2, *box[1:]], [-1.0, 2.0, *box[2:]], [1.2, 2.0, *box[2:]]])
    labels = torch.tensor([0, 0, 2, 2])
    config = replace(small_config, score_threshold=0.5, nms_radius_m=(3.0, 0.1, 1.0), min_radius=0)
    (found,) = detect(Oracle(config, [boxes], [labels]), ModelInputs({}, 1), ["x"], config)
    assert sorted(found.labels.tolist()) == [0, 2, 2]
    limited = replace(config, max_detections=2)
    (found,) = detect(Oracle(config, [boxes], [labels]), ModelInputs({}, 1), ["x"], limited)
    assert len(found.boxes) == len(found.scores) == len(found.labels) == 2


def test_predicts_every_sample_also_without_points_or_objects(
    small_config: Config, world: BlockWorld, tmp_path: Path
) -> None:
    checkpoint = train(small_config, ".", tmp_path, dataset=world).checkpoint
    config = replace(small_config, score_threshold=0.9999)
    empty = BlockWorld(small_config, 5, objects=0, ground=0)
    found = predict(checkpoint, ".", config=config, dataset=empty)
    assert list(found) == list(empty.tokens)
    assert all(detections.boxes.shape == (0, 9) for detections in found.values())
    assert all(detections.labels.shape == detections.scores.shape == (0,) for detections in found.values())
    again = predict(checkpoint, ".", dataset=world)
    assert list(again) == list(world.tokens)
    assert all(np.isfinite(detections.boxes).all() for detections in again.values())


def test_a_trained_detector_finds_the_blocks(small_config: Config, tmp_path: Path) -> None:
    config = replace(small_config, epochs=40, learning_rate=6e-3, flip=False, score_threshold=0.3)
    world = BlockWorld(config, 4)
    checkpoint = train(config, ".", tmp_path, dataset=world).checkpoint
    found = predict(checkpoint, ".", dataset=world)
    hits = total = 0
    for sample in (world[i] for i in range(4)):
        detections = found[sample.token]
        for box, label in zip(sample.boxes, sample.labels, strict=True):
            same = detections.boxes[detections.labels == label]
            hits += bool(len(same) and np.linalg.norm(same[:, :2] - box[:2], axis=1).min() < 0.5)
            total += 1
    assert hits >= total - 1
