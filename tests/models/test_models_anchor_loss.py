"""The anchor head's loss: zero where it should be, its normalisers by hand, its graph."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from models_samples import no_objects, objects, perfect_anchors

from bev3d.config import Config
from bev3d.losses import direction_targets
from bev3d.models import AnchorTargets, DetectionLoss, make_targets

NAMES = {"offset", "height", "log_size", "heading", "velocity"}


@pytest.fixture
def config(anchor_config: Config) -> Config:
    """All terms on."""
    return replace(anchor_config, iou_weight=0.5, corner_weight=0.25, gaussian_weight=0.3)


def targets_of(config: Config, boxes: list[torch.Tensor], labels: list[torch.Tensor]) -> AnchorTargets:
    targets = make_targets(config)(boxes, labels)
    assert isinstance(targets, AnchorTargets)
    return targets


def test_perfect_outputs_cost_nothing(config: Config) -> None:
    targets = targets_of(config, *objects(config, 4))
    total, terms, _ = DetectionLoss(config)(perfect_anchors(targets, config), targets)
    names = {f"regression/{name}" for name in NAMES}
    assert set(terms) == {"classification", "direction", "iou", "corner", "gaussian"} | names
    for name, value in terms.items():
        assert value.item() == pytest.approx(0, abs=3e-5), name
    assert torch.isfinite(total)


def test_terms_by_hand_are_means_over_the_positives_of_each_sample(config: Config) -> None:
    boxes, labels = objects(config, 4, seed=1)
    boxes[1], labels[1] = boxes[1][:1], labels[1][:1]
    targets = targets_of(config, boxes, labels)
    outputs = perfect_anchors(targets, config)
    with torch.no_grad():
        outputs[0]["box_code"][..., 2] += 0.5  # beyond beta: 0.5 - 1/18
        outputs[0]["box_code"][..., 6] += 0.05  # within: sin^2 / (2 beta)
        outputs[0]["box_code"][0, :, 7] += 8.0  # velocity of the first sample, beyond delta: 8 - 2
        outputs[0]["direction_logits"].zero_()
    _, terms, weights = DetectionLoss(config)(outputs, targets)
    assert terms["regression/height"].item() == pytest.approx(0.5 - 1 / 18, abs=1e-5)
    assert terms["regression/heading"].item() == pytest.approx(math.sin(0.05) ** 2 * 4.5, abs=1e-5)
    assert terms["regression/velocity"].item() == pytest.approx(0.2 * 6 / 2, abs=1e-5)
    assert terms["direction"].item() == pytest.approx(math.log(2), abs=1e-5)
    expected = {"classification": 1.0, "regression": 2.0, "direction": 0.2, "iou": 0.5, "corner": 0.25, "gaussian": 0.3}
    assert weights == expected


def test_classification_leaves_the_ignored_out(config: Config) -> None:
    targets = targets_of(config, *objects(config, 4, seed=2))
    outputs = perfect_anchors(targets, config)
    counts = targets.mask.sum(1).double()
    zero = torch.zeros_like(outputs[0]["class_logits"]).requires_grad_()
    _, terms, _ = DetectionLoss(config)([{**outputs[0], "class_logits": zero}], targets)
    # at p = 1/2 a positive costs .25 ln 2 / 4 and a negative .75 ln 2 / 4
    positives, counted = targets.mask.sum(1), (targets.labels != -2).sum(1) * 3
    by_sample = (0.25 * positives + 0.75 * (counted - positives)) * math.log(2) / 4 / counts
    assert (targets.labels == -2).any()
    assert terms["classification"].item() == pytest.approx(by_sample.mean().item(), rel=1e-5)


def test_a_wrong_direction_alone_is_seen_by_its_own_term(config: Config) -> None:
    targets = targets_of(config, *objects(config, 4))
    outputs = perfect_anchors(targets, config)
    with torch.no_grad():
        outputs[0]["box_code"][..., 6] += math.pi
        flipped = outputs[0]["direction_logits"].flip(-1)
    outputs[0]["direction_logits"] = flipped.requires_grad_()
    _, terms, _ = DetectionLoss(config)(outputs, targets)
    assert terms["direction"].item() == pytest.approx(60, rel=1e-3)
    for name in ("regression/heading", "iou", "corner", "gaussian"):
        assert terms[name].item() == pytest.approx(0, abs=1e-4), name


def test_no_objects_keep_the_graph(config: Config) -> None:
    targets = targets_of(config, *no_objects())
    anchors = targets.labels.shape[1]
    outputs = {"class_logits": torch.randn(2, anchors, 3), "box_code": torch.randn(2, anchors, 9),
               "direction_logits": torch.randn(2, anchors, 2)}  # fmt: skip
    outputs = {name: value.requires_grad_() for name, value in outputs.items()}
    total, terms, _ = DetectionLoss(config)([outputs], targets)
    assert all(value.item() == 0 for name, value in terms.items() if name != "classification")
    assert terms["classification"].item() > 0
    total.backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in outputs.values())


def test_a_frame_without_objects_beside_one_with(config: Config) -> None:
    boxes, labels = objects(config, 4)
    boxes[1], labels[1] = boxes[1][:0], labels[1][:0]
    targets = targets_of(config, boxes, labels)
    outputs = perfect_anchors(targets, config)
    total, terms, _ = DetectionLoss(config)(outputs, targets)
    assert all(value.item() == pytest.approx(0, abs=3e-5) for value in terms.values())
    total.backward()
    assert all(torch.isfinite(value.grad).all() for value in outputs[0].values())


def test_one_sample_and_two_agree(config: Config) -> None:
    """The mean of two samples' losses: what data-parallel processes of equal batches average to."""
    boxes, labels = objects(config, 4, seed=7)
    torch.manual_seed(0)
    both = targets_of(config, boxes, labels)
    anchors = both.labels.shape[1]
    outputs = {"class_logits": torch.randn(2, anchors, 3), "box_code": 0.1 * torch.randn(2, anchors, 9)}
    outputs["direction_logits"] = torch.randn(2, anchors, 2)
    loss = DetectionLoss(config)
    together = loss([outputs], both).total
    single = [
        loss(
            [{name: value[i : i + 1] for name, value in outputs.items()}],
            targets_of(config, boxes[i : i + 1], labels[i : i + 1]),
        ).total
        for i in range(2)
    ]
    torch.testing.assert_close(together, (single[0] + single[1]) / 2, rtol=1e-5, atol=1e-6)


def test_targets_of_another_head_are_refused(config: Config, tiny_config: Config) -> None:
    anchors, centres = (make_targets(c)(*objects(c, 2)) for c in (config, tiny_config))
    with pytest.raises(TypeError, match="expected AnchorTargets for the anchor head, got Targets"):
        DetectionLoss(config)([{}], centres)
    with pytest.raises(TypeError, match="expected Targets for a centre head, got AnchorTargets"):
        DetectionLoss(tiny_config)([{}], anchors)


def test_directions_of_the_helper_are_the_sectors() -> None:
    """The sample outputs stand on it: sector 0 is within a quarter turn about 3 pi / 4."""
    assert direction_targets(torch.tensor([3 * math.pi / 4, -math.pi / 4]), bins=2).tolist() == [0, 1]
