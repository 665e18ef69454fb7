"""What holds for every encoder and head: gradients, empty frames, seeds, states, autocast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from models_samples import cloud, no_objects, objects, perfect_anchors, perfect_maps, silent

from bev3d.config import Config
from bev3d.models import AnchorTargets, DetectionLoss, build_detector, decode_outputs, make_inputs, make_targets


def test_gradients_of_the_loss_reach_every_parameter(any_config: Config) -> None:
    config = replace(any_config, iou_weight=0.1, corner_weight=0.1)
    detector = build_detector(config)
    boxes, labels = objects(config, 6)
    labels = [torch.arange(6) % 3 for _ in labels]
    outputs = detector(make_inputs([cloud(config, 2000, seed) for seed in (0, 1)], config))
    total, terms, _ = DetectionLoss(config)(outputs, make_targets(config)(boxes, labels))
    assert all(torch.isfinite(value) for value in terms.values())
    total.backward()
    without = silent(detector)
    for name, parameter in detector.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0 or name in without, name


@pytest.mark.parametrize("training", [True, False])
def test_frames_without_points(any_config: Config, training: bool) -> None:
    detector = build_detector(any_config).train(training)
    empty = np.zeros((0, 5), np.float32)
    for clouds in ([empty, empty], [empty, cloud(any_config, 500)]):
        outputs = detector(make_inputs(clouds, any_config))
        assert all(torch.isfinite(value).all() and len(value) == 2 for maps in outputs for value in maps.values())
        total = DetectionLoss(any_config)(outputs, make_targets(any_config)(*no_objects())).total
        detector.zero_grad(set_to_none=True)
        total.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in detector.parameters())
        with torch.no_grad():
            assert len(decode_outputs(outputs, any_config)) == 2


def test_decoding_perfect_outputs_gives_the_boxes_back(any_config: Config) -> None:
    config = replace(any_config, score_threshold=0.5)
    boxes, labels = objects(config, 4, seed=8)
    targets = make_targets(config)(boxes, labels)
    outputs = perfect_anchors(targets, config) if isinstance(targets, AnchorTargets) else perfect_maps(targets, config)
    for (found, _, classes), truth, label in zip(decode_outputs(outputs, config), boxes, labels, strict=True):
        distance = (found[:, None, :6].double() - truth[None, :, :6]).abs().amax(-1)
        nearest = distance.argmin(1)
        assert distance.amin(1).max() < 2e-5
        assert set(nearest.tolist()) == set(range(4)), "every box is found"
        assert torch.equal(classes, label[nearest])
        assert torch.all(torch.cos(found[:, 6].double() - truth[nearest, 6]) > 1 - 1e-9)
        torch.testing.assert_close(found[:, 7:].double(), truth[nearest, 7:], atol=1e-5, rtol=0)


def test_a_seed_gives_the_weights_and_leaves_the_generator(any_config: Config) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, two = build_detector(any_config), build_detector(any_config)
    other = build_detector(replace(any_config, seed=1))
    make_inputs([cloud(any_config, 100)], any_config)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_state_moves_to_another_detector(any_config: Config) -> None:
    one, two = build_detector(any_config), build_detector(replace(any_config, seed=1)).eval()
    inputs = make_inputs([cloud(any_config, 1000)] * 2, any_config)
    one(inputs)  # moves the running statistics
    one.eval()
    before = two(inputs)[0]
    two.load_state_dict(one.state_dict())
    for name, value in one(inputs)[0].items():
        assert torch.equal(value, two(inputs)[0][name]), name
        assert not torch.equal(value, before[name]), name


def test_samples_of_a_batch_do_not_mix_in_evaluation(any_config: Config) -> None:
    detector = build_detector(any_config).eval()
    clouds = [cloud(any_config, 800, seed) for seed in (0, 1)]
    both = detector(make_inputs(clouds, any_config))
    single = detector(make_inputs(clouds[1:], any_config))
    for maps, alone in zip(both, single, strict=True):
        for name in maps:
            torch.testing.assert_close(maps[name][1:], alone[name], rtol=1e-4, atol=1e-5)


def test_autocast_leaves_outputs_and_losses_in_float32(any_config: Config) -> None:
    config = replace(any_config, iou_weight=0.1)
    detector = build_detector(config)
    inputs = make_inputs([cloud(config, 1000)] * 2, config)
    targets = make_targets(config)(*objects(config, 4))
    exact = detector(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = detector(inputs)
        inside = DetectionLoss(config)(outputs, targets)
    outside = DetectionLoss(config)(outputs, targets)
    assert all(value.dtype == torch.float32 for maps in outputs for value in maps.values())
    for name, value in outside.terms.items():
        assert value.dtype == torch.float32, name
        torch.testing.assert_close(value, inside.terms[name], rtol=1e-6, atol=0)
    inside.total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in detector.parameters())
    for maps, precise in zip(outputs, exact, strict=True):
        for name in maps:
            scale = precise[name].abs().max().item() + 0.1
            assert (maps[name] - precise[name]).abs().max().item() < 0.1 * scale, name


def test_points_of_a_learned_encoder_are_where_they_belong(pillar_config: Config, voxel_config: Config) -> None:
    """Points in a corner change that corner and not the others."""
    for config in (pillar_config, voxel_config):
        detector = build_detector(config).eval()
        points = np.random.default_rng(0).uniform((3, -3.9, -2, 0, 0), (3.9, -3, 0, 1, 0), (300, 5)).astype(np.float32)
        empty, some = (make_inputs([cloud_], config) for cloud_ in (points[:0], points))
        change = (detector.encoder(some.tensors, 1) - detector.encoder(empty.tensors, 1)).abs().sum((0, 1))
        rows, columns = change.shape
        assert change[: rows // 4, 3 * columns // 4 :].sum() > 0
        assert change[rows // 2 :].sum() == 0
        assert change[:, : columns // 2].sum() == 0


def test_hard_voxels_obey_the_caps_of_training_and_prediction(voxel_config: Config) -> None:
    config = replace(voxel_config, voxelization="hard", max_voxels_train=10, max_voxels_eval=20)
    points = [cloud(config, 2000)]
    counts = [len(make_inputs(points, config, training=t).tensors["voxel_coordinates"]) for t in (True, False)]
    assert counts == [10, 20]
    assert build_detector(config)(make_inputs(points, config))[0]["heatmap"].shape[-2:] == (16, 16)


def test_wrong_clouds_are_named(any_config: Config) -> None:
    with pytest.raises(ValueError, match=r"clouds\[1\]: expected shape \(P, 5\), got \(7, 4\)"):
        make_inputs([np.zeros((0, 5), np.float32), np.zeros((7, 4), np.float32)], any_config)
