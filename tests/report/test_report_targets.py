"""What pictures show as targets: what the head of the configuration is trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bev3d.config import load_config
from bev3d.data import Sample
from bev3d.report import about_targets, target_layer

CAR, PEDESTRIAN = 0, 1


def scene() -> Sample:
    boxes = np.array([[20.2, 0.2, -1.0, 3.9, 1.6, 1.56, 0.0], [10.2, -8.2, -0.6, 0.8, 0.6, 1.73, 0.0], [300.0] * 7])
    boxes[2, 3:7] = (3.9, 1.6, 1.56, 0.0)
    return Sample(
        token="0",
        points=np.zeros((0, 5), np.float32),
        boxes=np.c_[boxes, np.zeros((3, 2))],
        labels=np.array([CAR, PEDESTRIAN, CAR]),
        names=("Car", "Pedestrian", "Car"),
        num_points=np.array([5, 5, 5]),
        class_names=("Car", "Pedestrian", "Cyclist"),
    )


def test_positive_anchors_lie_on_their_boxes() -> None:
    config = replace(load_config("kitti_anchor"), anchor_align="cell_centre")
    layer, caption = target_layer(scene(), config)
    assert layer.values.shape == (3, 200, 176)
    # cells of 0.4 m from x 0 and y -40: that of the car's centre and the pedestrian's
    assert layer.values[CAR, 100, 50] == 1
    assert layer.values[PEDESTRIAN, 79, 25] == 1
    assert not layer.values[2].any()
    at = layer.corners + np.array(layer.cell_size) / 2
    assert np.abs(at - layer.centres).max() < 1.2
    assert {tuple(row) for row in layer.centres.round(3).tolist()} == {(20.2, 0.2), (10.2, -8.2)}
    count = len(layer.cells)
    assert caption == f"{count} anchors are positive for 2 boxes, 1 boxes have none (outside the grid or the classes)."
    assert "positive anchor" in about_targets(config)


def test_heatmaps_of_a_centre_head() -> None:
    config = load_config("kitti_3class")
    layer, caption = target_layer(scene(), config)
    assert layer.values[CAR, 100, 50] == pytest.approx(1)
    assert layer.values[CAR].sum() > 1
    assert caption.startswith("2 boxes have a target, 1 have none")
    assert "Gaussian" in about_targets(config)


def test_no_boxes() -> None:
    bare = scene()
    bare = replace(bare, boxes=bare.boxes[:0], labels=bare.labels[:0], names=(), num_points=bare.num_points[:0])
    for preset in ("kitti_anchor", "kitti_3class"):
        layer, _ = target_layer(bare, load_config(preset))
        assert not layer.values.any()
        assert layer.cells.shape == (0, 2)
