"""Published combinations: their weights, and that they run on what the library makes."""

from __future__ import annotations

import math

import pytest
import torch

from bev3d.losses import (
    centerpoint_preset,
    cross_entropy,
    cross_entropy_dice_preset,
    dice_loss,
    focal_tversky_preset,
    gather_regression_loss,
    heatmap_focal_loss,
    num_pos,
    second_preset,
)
from bev3d.targets import HeatmapTargets


@pytest.mark.parametrize(("dataset", "weight"), [("nuscenes", 0.25), ("waymo", 2.0)])
def test_centerpoint_on_targets_of_two_tasks(dataset: str, weight: float) -> None:
    torch.manual_seed(0)
    boxes = torch.tensor([[3.0, 1, 0, 4, 2, 1.5, 0.3, 1, math.nan], [-4.0, 2, 0, 0.7, 0.7, 1.8, 1, math.nan, math.nan]])
    grid = {"range_m": (-8, -8, -3, 8, 8, 1), "voxel_size_m": (0.25, 0.25, 4), "stride": 4}
    targets = HeatmapTargets(tasks=[["car"], ["pedestrian"]], **grid)([boxes], [torch.tensor([0, 1])])
    inputs: dict[str, list[dict[str, object]]] = {"heatmap": [], "regression": []}
    expected = 0.0
    for task in targets.tasks:
        maps = {name: torch.randn(1, value.shape[-1], 16, 16) for name, value in task.regression.items()}
        logits, number = torch.randn(task.heatmap.shape), num_pos(task.mask)
        inputs["heatmap"].append({"pred": logits, "target": task.heatmap, "avg_factor": number})
        inputs["regression"].append(
            {
                "pred": maps,
                "target": task.regression,
                "cell_index": task.cell_index,
                "mask": task.mask,
                "avg_factor": number,
            }
        )
        weights = {"offset": 1.0, "height": 1.0, "log_size": 1.0, "heading": 1.0}
        weights |= {"velocity": 0.2} if dataset == "nuscenes" else {}
        terms = gather_regression_loss(maps, task.regression, task.cell_index, task.mask, weights=weights)
        expected += (heatmap_focal_loss(logits, task.heatmap).sum() / number).item()
        expected += weight * sum((term.sum() / number).item() for term in terms.values())
    result = centerpoint_preset(dataset)(inputs)  # type: ignore[arg-type]
    assert result.total.item() == pytest.approx(expected, rel=1e-5)
    assert ("regression/0/velocity" in result.terms) == (dataset == "nuscenes")


def test_second_weighs_one_two_and_a_fifth() -> None:
    torch.manual_seed(0)
    preset = second_preset()
    assert preset.weights == {"classification": 1.0, "location": 2.0, "direction": 0.2}
    pred, target = torch.randn(5, 7), torch.randn(5, 7)
    turned = target.clone()
    turned[:, 6] += math.pi
    inputs = {
        "classification": {"pred": torch.randn(40, 3), "target": torch.zeros(40, 3), "avg_factor": 5.0},
        "location": {"pred": pred, "target": target, "avg_factor": 5.0},
        "direction": {"pred": torch.randn(5, 2), "target": target[:, 6], "avg_factor": 5.0},
    }
    first = preset(inputs)
    inputs["location"]["target"] = turned
    assert preset(inputs).terms["location"].item() == pytest.approx(first.terms["location"].item(), rel=1e-4)
    assert first.total.isfinite()


def test_segmentation_presets_add_their_terms() -> None:
    logits, labels = torch.randn(2, 3, 8, 8), torch.randint(-1, 3, (2, 8, 8))
    result = cross_entropy_dice_preset(0.5)({"cross_entropy": (logits, labels), "dice": (logits, labels)})
    expected = cross_entropy(logits, labels, reduction="mean")
    expected = expected + 0.5 * dice_loss(logits, labels, ignore_index=-1, reduction="mean")
    torch.testing.assert_close(result.total, expected)
    assert focal_tversky_preset()({"focal": (logits, labels), "tversky": (logits, labels)}).total > 0


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"dataset.*kitti"):
        centerpoint_preset("kitti")  # type: ignore[arg-type]
    inputs = {name: (torch.zeros(1, 2), torch.zeros(1, 2)) for name in ("classification", "location")}
    with pytest.raises(ValueError, match="direction"):
        second_preset()(inputs)
    inputs["direction"] = (torch.zeros(1, 2), torch.zeros(1))
    with pytest.raises(ValueError, match=r"\(\.\.\., 7\)"):
        second_preset()(inputs)
