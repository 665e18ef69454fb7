"""The predicted overlap: what it learns and what it does to scores; and objects counted over ranks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from models_samples import centre_targets, objects, pairs, perfect_maps, shaken

from bev3d.config import Config
from bev3d.losses import iou_quality_target
from bev3d.models import DetectionLoss, decode_outputs, make_targets
from bev3d.targets import Targets


def test_predicted_overlap_is_compared_with_the_true_one(tiny_config: Config) -> None:
    config = replace(tiny_config, iou_head=True, iou_quality_weight=0.7)
    targets = centre_targets(config)
    outputs = shaken(config, targets)
    with torch.no_grad():
        for maps in outputs:
            maps["iou"].fill_(0.25)
    result = DetectionLoss(config)(outputs, targets)
    expected = 0.0
    for predicted, truth, count in pairs(config, outputs, targets):
        expected += float((0.25 - iou_quality_target(predicted, truth, mode="centred")).abs().sum() / count)
    assert result.terms["iou_quality"].item() == pytest.approx(expected, rel=1e-4)
    assert result.weights["iou_quality"] == 0.7
    only = replace(config, heatmap_weight=0.0, regression_weight=0.0)
    DetectionLoss(only)(outputs, targets).total.backward()
    for maps in outputs:
        assert maps["iou"].grad is not None
        assert maps["iou"].grad.abs().sum() > 0
        assert maps["log_size"].grad is None or not maps["log_size"].grad.any(), "boxes learn nothing from it"


def test_scores_are_rectified_by_class(tiny_config: Config) -> None:
    """Classes car, truck and pedestrian, the last in a task of its own."""
    config = replace(tiny_config, iou_head=True, iou_quality_weight=1.0, score_rectification=(0.25, 0.5, 1.0))
    boxes, _ = objects(config, 3, samples=1)
    targets = make_targets(config)(boxes, [torch.arange(3)])
    assert isinstance(targets, Targets)
    outputs = perfect_maps(targets, config)
    with torch.no_grad():
        for maps in outputs:
            maps["heatmap"].clamp_(max=0.0)  # peaks of 1/2
            maps["iou"].fill_(0.28)  # an overlap of 0.64
    ((_, scores, labels),) = decode_outputs(outputs, config)
    expected = [0.5 ** (1 - a) * 0.64**a for a in (0.25, 0.5, 1.0)]
    assert len(labels) == 3
    assert scores[labels.argsort()].tolist() == pytest.approx(expected, rel=1e-5)
    ((_, scores, _),) = decode_outputs(outputs, replace(config, score_rectification=(0.0,)))
    assert scores.tolist() == pytest.approx([0.5] * 3, rel=1e-5)


def test_sums_are_divided_by_the_counts_that_are_given(tiny_config: Config) -> None:
    """As over two ranks, this one with 3 objects a sample and another without any: each then has half of them."""
    targets = centre_targets(tiny_config, count=3)
    outputs = shaken(tiny_config, targets)
    loss = DetectionLoss(tiny_config)
    alone, counts = loss(outputs, targets).terms, loss.counts(targets)
    assert counts.tolist() == [float(task.mask.sum()) for task in targets.tasks]
    assert min(counts) > 1
    shared = loss(outputs, targets, counts=counts / 2).terms
    for name, value in alone.items():
        assert shared[name].item() == pytest.approx(2 * value.item(), rel=1e-5, abs=1e-6), name
