"""The composed loss: its terms, its normalisers, boxes decoded at cells."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bev3d.config import Config
from bev3d.losses import corner_loss, rotated_iou_loss
from bev3d.models import DetectionLoss, ModelInputs, build_detector, encoder_channels
from bev3d.models._decode import boxes_at_cells, gather_cells
from bev3d.targets import Targets, targets_from_config

NAN = math.nan
BOXES = [[-1.3, 0.4, -1.0, 2.0, 1.0, 0.8, 0.7, 1.0, NAN], [2.1, -3.2, -0.5, 0.6, 0.5, 1.7, -2.9, 0.0, 0.0]]
TRUCK = [[0.2, 2.3, -0.6, 3.0, 1.5, 1.6, 3.0, NAN, NAN]]
REGRESSION = ("offset", "height", "log_size", "heading", "velocity")


def make_targets(config: Config) -> Targets:
    """Sample 0 holds a car and a pedestrian, sample 1 a truck."""
    boxes = [torch.tensor(BOXES, dtype=torch.float64), torch.tensor(TRUCK, dtype=torch.float64)]
    return targets_from_config(config)(boxes, [torch.tensor([0, 2]), torch.tensor([1])])


def perfect(targets: Targets, config: Config) -> list[dict[str, Tensor]]:
    """Maps that hold the targets; unknown velocities 0."""
    columns, rows = config.output_size
    outputs = []
    for task in targets.tasks:
        maps = {"heatmap": torch.where(task.heatmap == 1, 30.0, -30.0)}
        for name, values in task.regression.items():
            flat = torch.zeros(len(values), values.shape[-1], rows * columns)
            for b, slot in task.mask.nonzero().tolist():
                flat[b, :, task.cell_index[b, slot]] = values[b, slot].nan_to_num()
            maps[name] = flat.unflatten(2, (rows, columns))
        outputs.append({name: value.requires_grad_() for name, value in maps.items()})
    return outputs


@pytest.fixture
def config(tiny_config: Config) -> Config:
    """All terms on."""
    return replace(tiny_config, iou_weight=0.5, corner_weight=0.25, max_objects=4)


def test_perfect_maps_cost_nothing(config: Config) -> None:
    targets = make_targets(config)
    total, terms, _ = DetectionLoss(config)(perfect(targets, config), targets)
    assert set(terms) == {"heatmap", *(f"regression/{name}" for name in REGRESSION), "iou", "corner"}
    for name, value in terms.items():
        assert value.item() == pytest.approx(0, abs=2e-5), name
    assert torch.isfinite(total)


def test_terms_by_hand_are_divided_by_the_objects_of_their_task(config: Config) -> None:
    targets = make_targets(config)
    outputs = perfect(targets, config)
    with torch.no_grad():
        for maps in outputs:
            maps["height"] += 0.3
            maps["offset"] += 0.1
            maps["velocity"] += 1.0
    total, terms, weights = DetectionLoss(config)(outputs, targets)
    # two tasks, each the mean over its objects: 2 and 1
    assert terms["regression/height"].item() == pytest.approx(0.6, abs=1e-5)
    assert terms["regression/offset"].item() == pytest.approx(0.4, abs=1e-5)
    # Huber of 1 m/s is 1/8; vx of the car is known, the truck's is not: 1 / 2; the pedestrian has both: 2 / 1
    assert terms["regression/velocity"].item() == pytest.approx(0.2 * 2.5 / 8, abs=1e-5)
    cell = 0.5
    truth = torch.tensor(BOXES + TRUCK, dtype=torch.float64)
    moved = truth.clone()
    moved[:, :2] += 0.1 * cell
    moved[:, 2] += 0.3
    share = torch.tensor([1 / 2, 1, 1 / 2])
    overlap = (rotated_iou_loss(moved, truth, kind=config.iou_kind) * share).sum()
    assert terms["iou"].item() == pytest.approx(overlap.item(), abs=1e-4)
    corners = (corner_loss(moved, truth) / 8 * share).sum()
    assert terms["corner"].item() == pytest.approx(corners.item(), abs=1e-4)
    regression = sum(terms[f"regression/{name}"].item() for name in REGRESSION)
    parts = terms["heatmap"].item() + 0.25 * regression + 0.5 * terms["iou"].item() + 0.25 * terms["corner"].item()
    assert total.item() == pytest.approx(parts, rel=1e-5)
    assert weights == {"heatmap": 1.0, "regression": 0.25, "iou": 0.5, "corner": 0.25}


def test_terms_of_weight_zero_are_not_computed(tiny_config: Config) -> None:
    targets = make_targets(tiny_config)
    _, terms, _ = DetectionLoss(tiny_config)(perfect(targets, tiny_config), targets)
    assert "iou" not in terms
    assert "corner" not in terms


def test_every_parameter_learns_from_the_loss(config: Config) -> None:
    detector = build_detector(config)
    outputs = detector(ModelInputs({"images": torch.randn(2, encoder_channels(config), 32, 32)}, 2))
    total, terms, _ = DetectionLoss(config)(outputs, make_targets(config))
    assert all(torch.isfinite(value) for value in terms.values())
    total.backward()
    for name, parameter in detector.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_no_objects_keep_the_graph(config: Config) -> None:
    detector = build_detector(config)
    none = torch.zeros(0, 9, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
    targets = targets_from_config(config)([none[0], none[0]], [none[1], none[1]])
    total, terms, _ = DetectionLoss(config)(
        detector(ModelInputs({"images": torch.randn(2, encoder_channels(config), 32, 32)}, 2)), targets
    )
    assert all(value.item() == 0 for name, value in terms.items() if name != "heatmap")
    total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in detector.parameters())


def test_boxes_at_cells_undo_the_targets(config: Config) -> None:
    targets = make_targets(config)
    task = targets.tasks[0]
    boxes = boxes_at_cells(task.regression, task.cell_index, config)
    assert boxes.shape == (2, 4, 7)
    torch.testing.assert_close(boxes[task.mask], torch.tensor([BOXES[0][:7], TRUCK[0][:7]]), atol=1e-5, rtol=0)


def test_decoding_has_finite_gradients_at_the_origin_of_the_heading(config: Config) -> None:
    maps = {name: torch.zeros(1, 1, size, requires_grad=True) for name, size in
            {"offset": 2, "height": 1, "log_size": 3, "heading": 2}.items()}  # fmt: skip
    boxes_at_cells(maps, torch.zeros(1, 1, dtype=torch.int64), config).sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in maps.values())


def test_gather_cells() -> None:
    maps = torch.arange(24.0).reshape(1, 2, 3, 4)
    index = torch.tensor([[0, 7, 11]])
    assert gather_cells(maps, index).tolist() == [[[0.0, 12.0], [7.0, 19.0], [11.0, 23.0]]]
