"""Every term of a centre head by settings alone, and the way of the GPU, which asks nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from models_samples import cloud, no_objects, objects, perfect_maps
from torch import Tensor

from bev3d.config import Config
from bev3d.losses import (
    balanced_l1_loss,
    corner_loss,
    gaussian_box_loss,
    huber_loss,
    iou_quality_target,
    rotated_iou_loss,
    smooth_l1_loss,
)
from bev3d.models import DetectionLoss, build_detector, decode_outputs, make_inputs, make_targets
from bev3d.models._centre_loss import CentreTerms
from bev3d.targets import Targets, TaskTargets

IOU_KINDS = ("iou", "log_iou", "giou", "diou", "ciou", "eiou", "focal_eiou", "alpha_iou")
GAUSSIANS = ("gwd", "kld", "jd", "bd", "kfiou", "probiou")
ALL_TERMS = {
    "iou_weight": 0.5,
    "corner_weight": 0.25,
    "gaussian_weight": 0.3,
    "iou_head": True,
    "iou_quality_weight": 1.0,
}


def targets_of(config: Config, count: int = 4, seed: int = 0) -> Targets:
    targets = make_targets(config)(*objects(config, count, seed))
    assert isinstance(targets, Targets)
    return targets


def shaken(config: Config, targets: Targets) -> list[dict[str, Tensor]]:
    """Maps near the targets."""
    torch.manual_seed(0)
    outputs = perfect_maps(targets, config)
    with torch.no_grad():
        for maps in outputs:
            for name, value in maps.items():
                value += 0.1 * torch.randn_like(value) if name != "heatmap" else 0
    return outputs


def pairs(config: Config, outputs: list[dict[str, Tensor]], targets: Targets) -> list[tuple[Tensor, Tensor, int]]:
    """Predicted and true boxes, float64, and the number of objects of each task, object by object."""
    result = []
    cell_m = config.stride * config.voxel_size_m[0]
    for maps, task in zip(outputs, targets.tasks, strict=True):
        rows: list[list[list[float]]] = [[], []]
        maps = {name: value.detach() for name, value in maps.items()}
        for b, slot in task.mask.nonzero().tolist():
            cell = int(task.cell_index[b, slot])
            row, column = divmod(cell, config.output_size[0])
            for side, values in enumerate(
                (
                    {n: v[b, :, row, column] for n, v in maps.items()},
                    {n: v[b, slot] for n, v in task.regression.items()},
                )
            ):
                x = config.range_m[0] + (column + float(values["offset"][0])) * cell_m
                y = config.range_m[1] + (row + float(values["offset"][1])) * cell_m
                yaw = torch.atan2(values["heading"][0], values["heading"][1])
                sizes = values["log_size"].double().exp().tolist()
                rows[side].append([x, y, float(values["height"][0]), *sizes, float(yaw)])
        table = [torch.tensor(side, dtype=torch.float64).reshape(-1, 7) for side in rows]
        result.append((table[0], table[1], max(len(table[0]), 1)))
    return result


@pytest.mark.parametrize(
    ("setting", "function", "options", "scale"),
    [
        *(({"iou_weight": 1.0, "iou_kind": k}, rotated_iou_loss, {"kind": k}, 1.0) for k in IOU_KINDS),
        ({"iou_weight": 1.0, "iou_space": "bev"}, rotated_iou_loss, {"kind": "diou", "space": "bev"}, 1.0),
        *(({"gaussian_weight": 1.0, "gaussian_kind": k}, gaussian_box_loss, {"kind": k}, 1.0) for k in GAUSSIANS),
        ({"gaussian_weight": 1.0, "gaussian_space": "bev"}, gaussian_box_loss, {"space": "bev"}, 1.0),
        ({"corner_weight": 1.0}, corner_loss, {}, 1 / 8),
        ({"corner_weight": 1.0, "corner_variant": "per_corner"}, corner_loss, {"variant": "per_corner"}, 1.0),
        ({"corner_weight": 1.0, "corner_flip_invariant": False}, corner_loss, {"flip_invariant": False}, 1 / 8),
    ],
)
def test_terms_of_boxes_are_the_losses_of_the_library(
    tiny_config: Config, setting: dict[str, Any], function: Any, options: dict[str, Any], scale: float
) -> None:
    config = replace(tiny_config, **setting)
    targets = targets_of(config)
    outputs = shaken(config, targets)
    _, terms, _ = DetectionLoss(config)(outputs, targets)
    (name,) = terms.keys() & {"iou", "corner", "gaussian"}
    expected = sum(
        function(*boxes, **options).sum() * scale / count for *boxes, count in pairs(config, outputs, targets)
    )
    assert terms[name].item() == pytest.approx(float(expected), rel=1e-4)
    assert terms[name].item() > 0


@pytest.mark.parametrize(
    ("setting", "function"),
    [
        ({"regression_loss": "smooth_l1", "smooth_l1_beta": 0.05}, lambda a, b: smooth_l1_loss(a, b, beta=0.05)),
        ({"regression_loss": "huber"}, huber_loss),
        ({"regression_loss": "balanced_l1"}, balanced_l1_loss),
    ],
)
def test_the_regression_loss_has_a_name(tiny_config: Config, setting: dict[str, Any], function: Any) -> None:
    config = replace(tiny_config, height_weight=2.0, **setting)
    targets = targets_of(config)
    outputs = shaken(config, targets)
    _, terms, _ = DetectionLoss(config)(outputs, targets)
    expected = sum(
        2 * function(predicted[:, 2], truth[:, 2]).sum() / count
        for predicted, truth, count in pairs(config, outputs, targets)
    )
    assert terms["regression/height"].item() == pytest.approx(float(expected), rel=1e-4)


def test_predicted_overlap_is_compared_with_the_true_one(tiny_config: Config) -> None:
    config = replace(tiny_config, iou_head=True, iou_quality_weight=0.7)
    targets = targets_of(config)
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


def test_gathered_focal_is_the_dense_one_where_no_cell_is_shared(tiny_config: Config) -> None:
    targets = targets_of(tiny_config)
    assert all(task.collisions() == [0, 0] for task in targets.tasks)
    outputs = shaken(tiny_config, targets)
    with torch.no_grad():
        for maps in outputs:
            maps["heatmap"].normal_()
    values = [
        DetectionLoss(replace(tiny_config, heatmap_loss=kind))(outputs, targets).terms["heatmap"].item()  # type: ignore[arg-type]
        for kind in ("focal", "gathered_focal")
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    assert values[0] > 0.1


def test_published_velocity_loss_is_l1(tiny_config: Config) -> None:
    config = replace(tiny_config, velocity_delta_mps=0.0, velocity_weight=1.0)
    targets = targets_of(config)
    outputs = perfect_maps(targets, config)
    with torch.no_grad():
        for maps in outputs:
            maps["velocity"] += 3.0
    tasks = sum(bool(task.mask.any()) for task in targets.tasks)
    assert DetectionLoss(config)(outputs, targets).terms["regression/velocity"].item() == pytest.approx(
        6.0 * tasks, rel=1e-5
    )


def test_perfect_maps_cost_nothing_with_everything_on(tiny_config: Config) -> None:
    config = replace(tiny_config, **ALL_TERMS)  # type: ignore[arg-type]
    targets = targets_of(config)
    _, terms, _ = DetectionLoss(config)(perfect_maps(targets, config), targets)
    assert {"iou", "iou_quality", "corner", "gaussian"} < set(terms)
    for name, value in terms.items():
        assert value.item() == pytest.approx(0, abs=5e-5), name


def test_without_velocities(tiny_config: Config) -> None:
    config = replace(tiny_config, velocity_head=False)
    targets = targets_of(config)
    outputs = build_detector(config)(make_inputs([cloud(config, 500)] * 2, config))
    assert all("velocity" not in maps for maps in outputs)
    assert "regression/velocity" not in DetectionLoss(config)(outputs, targets).terms


class _Elsewhere:
    """A mask that says that it is on a GPU, and is on the CPU: the way that does not ask what it holds."""

    def __init__(self, mask: Tensor) -> None:
        self.mask, self.device = mask, torch.device("cuda")

    def __getitem__(self, key: Any) -> Tensor:
        return self.mask[key]


def test_the_way_of_the_gpu_gives_the_same(tiny_config: Config) -> None:
    config = replace(tiny_config, max_objects=9, **ALL_TERMS)  # type: ignore[arg-type]
    targets = targets_of(config, count=5)
    terms = CentreTerms(config)
    results = []
    for elsewhere in (False, True):
        outputs = shaken(config, targets)
        batch = terms.prepare(outputs, targets, terms.counts(targets).clamp(min=1))
        if elsewhere:
            tasks = [
                TaskTargets(t.heatmap, t.cell_index, t.class_index, t.box_index, _Elsewhere(t.mask), t.regression)  # type: ignore[arg-type]
                for t in targets.tasks
            ]
            found = [terms._boxes(maps, task) for maps, task in zip(outputs, tasks, strict=True)]
            assert all(boxes.shape == (2, 9, 7) for boxes, _, _ in found), "every slot, taken or free"
            batch = replace(batch, boxes=[f[:2] for f in found], quality=[f[2] for f in found])
        wanted = ("iou", "corner", "gaussian", "iou_quality")
        values = {name: loss(batch) for name, (loss, _) in terms.losses().items() if name in wanted}
        sum(values.values()).backward()  # type: ignore[union-attr]
        grads = [maps[name].grad.clone() for maps in outputs for name in ("offset", "log_size", "heading", "iou")]
        results.append((values, grads))
    for name in results[0][0]:
        torch.testing.assert_close(results[0][0][name], results[1][0][name], rtol=1e-5, atol=1e-6)
    for one, two in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_no_objects_and_a_class_that_never_occurs_keep_the_graph(tiny_config: Config) -> None:
    config = replace(tiny_config, **ALL_TERMS)  # type: ignore[arg-type]
    boxes, labels = objects(config, 4)
    one_class = (boxes, [torch.zeros_like(label) for label in labels])
    for sample in (no_objects(), one_class):
        detector = build_detector(config)
        targets = make_targets(config)(*sample)
        outputs = detector(make_inputs([cloud(config, 300)] * 2, config))
        total, terms, _ = DetectionLoss(config)(outputs, targets)
        assert all(torch.isfinite(value) for value in terms.values())
        total.backward()
        for name, parameter in detector.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
    none = make_targets(config)(*no_objects())
    _, terms, _ = DetectionLoss(config)(detector(make_inputs([cloud(config, 300)] * 2, config)), none)
    assert all(value.item() == 0 for name, value in terms.items() if name != "heatmap")


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


def test_counts_are_means_over_the_ranks(tiny_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ranks, this one with 3 objects a sample and another without any."""
    targets = targets_of(tiny_config, count=3)
    outputs = shaken(tiny_config, targets)
    alone = DetectionLoss(tiny_config)(outputs, targets).terms
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda count: None)
    shared = DetectionLoss(tiny_config)(outputs, targets).terms
    own = DetectionLoss(tiny_config, synchronise=False)(outputs, targets).terms
    counts = [int(task.mask.sum()) for task in targets.tasks]
    assert min(counts) > 1
    for name, value in alone.items():
        assert own[name].item() == value.item()
        assert shared[name].item() == pytest.approx(2 * value.item(), rel=1e-5, abs=1e-6), name
