"""What stays of the boxes that a network found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bev3d import ConfigError
from bev3d.config import Config
from bev3d.training import postprocess
from bev3d.training._by_class import by_threshold, of_class

Found = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def open_config(small_config: Config) -> Config:
    """Three classes, nothing suppressed, nothing left out."""
    return replace(small_config, nms="none", max_detections=500)


def row_of(xs: list[float], scores: list[float], labels: list[int]) -> Found:
    """Boxes of 2 x 1 x 1 m along x."""
    boxes = torch.zeros(len(xs), 9)
    boxes[:, 0] = torch.tensor(xs)
    boxes[:, 3:6] = torch.tensor([2.0, 1.0, 1.0])
    return boxes, torch.tensor(scores), torch.tensor(labels)


def kept(found: Found, config: Config) -> list[float]:
    """x of what stays, best first."""
    detections, left_out = postprocess("t", found, config)
    assert left_out == 0
    assert (np.diff(detections.scores) <= 0).all()
    assert detections.token == "t"
    return [round(x, 3) for x in detections.boxes[:, 0].tolist()]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0, 10, 1, 0.5, 11]),
        ({"class_score_thresholds": (0.65,)}, [0, 10, 1]),
        ({"class_score_thresholds": (0.0, 0.0, 0.85)}, [0, 1, 0.5]),
        ({"post_range_m": (0.6, -1.0, -1.0, 10.5, 1.0, 1.0)}, [10, 1]),
        ({"post_range_m": (-50.0, -1.0, 0.5, 50.0, 1.0, 1.0)}, []),
        ({"max_per_class": (1,)}, [0, 10]),
        ({"max_per_class": (2, 1, 1)}, [0, 10, 1]),
        ({"max_detections": 2}, [0, 10]),
        ({"max_detections": 3, "max_per_class": (1, 1, 5)}, [0, 10, 11]),
        ({"nms": "circle", "nms_radius_m": (0.6,)}, [0, 10, 1, 11]),
        ({"nms": "circle", "nms_radius_m": (1.2,)}, [0, 10]),
        ({"nms": "circle", "nms_radius_m": (1.2, 1.0, 0.1)}, [0, 10, 11]),
        ({"nms": "bev", "nms_iou": (0.3,)}, [0, 10]),  # 0.5 m apart: IoU 0.6; 1 m: 1/3
        ({"nms": "bev", "nms_iou": (0.5,)}, [0, 10, 1, 11]),
        ({"nms": "bev", "nms_iou": (0.5, 0.5, 0.3)}, [0, 10, 1]),
        ({"nms": "diou", "nms_iou": (0.3,)}, [0, 10, 1, 11]),  # 1 m: 1/3 less 1 / (3^2 + 1^2) = 0.23
        ({"nms": "diou", "nms_iou": (0.2,)}, [0, 10]),
        ({"nms": "bev", "nms_iou": (0.3,), "nms_pre_max": 1}, [0, 10]),
    ],
)
def test_settings(open_config: Config, settings: dict[str, Any], expected: list[float]) -> None:
    found = row_of([0, 10, 1, 0.5, 11], [0.9, 0.8, 0.7, 0.6, 0.5], [0, 2, 0, 0, 2])
    assert kept(found, replace(open_config, **settings)) == expected


@pytest.mark.parametrize("nms", ["circle", "bev", "diou", "weighted"])
def test_agnostic_suppression_crosses_classes(open_config: Config, nms: str) -> None:
    found = row_of([0, 0.1, 5], [0.9, 0.8, 0.7], [0, 2, 1])
    config = replace(open_config, nms=nms)
    assert len(kept(found, config)) == 3
    assert len(kept(found, replace(config, nms_agnostic=True))) == 2


def test_agnostic_suppression_has_one_threshold(open_config: Config) -> None:
    with pytest.raises(ConfigError, match="nms_iou: expected one number for all classes where nms_agnostic"):
        replace(open_config, nms="bev", nms_agnostic=True, nms_iou=(0.1, 0.2, 0.3))
    replace(open_config, nms="circle", nms_agnostic=True, nms_iou=(0.1, 0.2, 0.3))


def test_weighted_merging_moves_the_best_box(open_config: Config) -> None:
    found = row_of([0, 0.5, 10], [0.9, 0.6, 0.3], [0, 0, 0])
    config = replace(open_config, nms="weighted", nms_iou=(0.5,))
    weight = 0.6 * 0.6  # score times IoU
    assert kept(found, config) == [round(0.5 * weight / (0.9 + weight), 3), 10]


def test_boxes_that_are_no_numbers_are_counted_and_left_out(open_config: Config) -> None:
    boxes, scores, labels = row_of([0, 1, 2, 3, 4], [0.9, 0.8, 0.7, 0.6, 0.5], [0, 0, 0, 0, 0])
    boxes[1, 3], boxes[2, 6], boxes[3, 7:], boxes[4, 8] = torch.inf, torch.nan, torch.nan, torch.inf
    detections, left_out = postprocess("t", (boxes, scores, labels), open_config)
    assert left_out == 3
    assert detections.boxes[:, 0].tolist() == [0, 3]  # an unknown velocity may be


@pytest.mark.parametrize("nms", ["none", "circle", "bev", "diou", "weighted"])
@pytest.mark.parametrize("agnostic", [False, True])
def test_nothing_found(open_config: Config, nms: str, agnostic: bool) -> None:
    settings: dict[str, Any] = {"max_per_class": (3,), "class_score_thresholds": (0.1,), "nms_agnostic": agnostic}
    empty = torch.zeros(0, 9), torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    detections, _ = postprocess("t", empty, replace(open_config, nms=nms, **settings))
    assert detections.boxes.shape == (0, 9)
    assert detections.boxes.dtype == np.float64
    assert detections.labels.dtype == np.int64


def test_by_class() -> None:
    labels = torch.tensor([2, 0, 1, 2])
    assert of_class((1.0, 2.0, 3.0), labels).tolist() == [3, 1, 2, 3]
    assert of_class((5.0,), labels).tolist() == [5, 5, 5, 5]
    groups = [(value, members.tolist()) for value, members in by_threshold(labels, (0.2, 0.1, 0.1))]
    assert groups == [(0.1, [0, 2, 3]), (0.2, [1])]
    assert by_threshold(labels[:0], (0.2, 0.1, 0.1)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_score_thresholds": (0.1, 0.2)}, r"class_score_thresholds: expected 0 or 1 or 3 numbers in \[0, 1\]"),
        ({"class_score_thresholds": (1.5,)}, r"class_score_thresholds: .* got \(1.5,\)"),
        ({"max_per_class": (0,)}, r"max_per_class: expected 0 or 1 or 3 numbers > 0, got \(0,\)"),
        ({"post_range_m": (0.0, 1.0)}, r"post_range_m: expected nothing, or x0 < x1"),
        ({"post_range_m": (0.0, 0.0, 0.0, 0.0, 1.0, 1.0)}, r"post_range_m: expected nothing, or x0 < x1"),
        ({"nms_iou": (0.1, 1.2, 0.1)}, r"nms_iou: expected 1 or 3 numbers in \[0, 1\]"),
        ({"nms_radius_m": (-1.0,)}, r"nms_radius_m: expected 1 or 3 radii >= 0"),
        ({"nms_pre_max": 0}, r"nms_pre_max: expected a number > 0, got 0"),
        ({"loader_workers": -1}, r"loader_workers: expected a number >= 0, got -1"),
        ({"translate_std_m": (0.0, -1.0, 0.0)}, r"translate_std_m: expected three numbers >= 0"),
        ({"point_drop": 1.0}, r"point_drop: expected a number in \[0, 1\), got 1.0"),
        ({"paste_counts": (1, 2)}, r"paste_counts: expected 0 or 1 or 3 integers >= 0, got \(1, 2\)"),
        ({"paste_min_points": (0,)}, r"paste_min_points: expected 1 or 3 integers >= 1"),
        ({"paste_difficulties": (3,)}, r"paste_difficulties: expected numbers out of -1, 0, 1, 2"),
        ({"paste_fade": 1.5}, r"paste_fade: expected a number in \[0, 1\], got 1.5"),
    ],
)
def test_settings_that_cannot_be(open_config: Config, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(open_config, **change)
