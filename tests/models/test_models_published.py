"""Full-size presets: parameters and shapes are those of the published architectures."""

from __future__ import annotations

import pytest
import torch
from models_samples import cloud

from bev3d.config import load_config
from bev3d.models import build_detector, make_inputs

BN = 2  # parameters of a batch norm, a channel


def rpn(inputs: int, channels: list[int], blocks: list[int], ups: list[tuple[float, int]]) -> int:
    """SECOND's RPN: 3 x 3 convolutions and the resizing ones (kernel = stride), no biases, each with a batch norm."""
    total = 0
    for outputs, count, (up, width) in zip(channels, blocks, ups, strict=True):
        total += inputs * outputs * 9 + BN * outputs + count * (outputs * outputs * 9 + BN * outputs)
        kernel = up if up >= 1 else 1 / up
        total += int(outputs * width * kernel**2) + BN * width
        inputs = outputs
    return total


def centre_head(inputs: int, classes: list[int]) -> int:
    """Shared 3 x 3 convolution to 64; a branch of 64 for offset, height, size, heading, velocity, heatmap; biases."""
    hidden = 64 * 64 * 9 + 64 + BN * 64
    total = inputs * 64 * 9 + 64 + BN * 64
    for count in classes:
        total += 6 * hidden + sum(64 * 9 * size + size for size in (2, 1, 3, 2, 2, count))
    return total


def anchor_head(inputs: int, anchors: int, classes: int) -> int:
    """1 x 1 convolutions with biases: classes, 7 residuals, 2 directions of each anchor."""
    return (inputs + 1) * anchors * (classes + 7 + 2)


def sparse_resnet(inputs: int, channels: list[int], blocks: list[int], bias: bool, out: int = 128) -> int:
    """Submanifold input layer, residual blocks of two layers, strided layers between stages, 3 x 1 x 1 at the end."""
    total = inputs * channels[0] * 27 + BN * channels[0]
    for i, (width, count) in enumerate(zip(channels, blocks, strict=True)):
        if i:
            total += channels[i - 1] * width * 27 + BN * width
        total += count * 2 * (width * width * 27 + BN * width + bias * width)
    return total + channels[-1] * out * 3 + BN * out


NUSCENES_CLASSES = [1, 2, 2, 1, 2, 2]
# a point's five numbers, three to the mean, two to the centre; half of 64 and their maximum; 64
PILLARS = (10 * 32 + BN * 32) + (64 * 64 + BN * 64)
PILLAR_RPN = rpn(64, [64, 128, 256], [3, 5, 5], [(0.5, 128), (1, 128), (2, 128)])
VOXEL_RPN = rpn(256, [128, 256], [5, 5], [(1, 256), (2, 256)])
CENTERPOINT_PILLAR = PILLARS + PILLAR_RPN + centre_head(384, NUSCENES_CLASSES)
CENTERPOINT_VOXEL = (
    sparse_resnet(5, [16, 32, 64, 128], [2, 2, 2, 2], bias=True) + VOXEL_RPN + centre_head(512, NUSCENES_CLASSES)
)
# four numbers and six distances there, five and five here: the same ten
POINTPILLARS = (10 * 64 + BN * 64) + rpn(64, [64, 128, 256], [3, 5, 5], [(1, 128), (2, 128), (4, 128)])
POINTPILLARS += anchor_head(384, 6, 3)
SECOND = sparse_resnet(5, [16, 32, 64, 64], [1, 1, 1, 1], bias=False) + VOXEL_RPN + anchor_head(512, 6, 3)

COUNTS = {
    "nuscenes_pillar_0p2": CENTERPOINT_PILLAR,
    "nuscenes_voxel_0p1": CENTERPOINT_VOXEL,
    "nuscenes_voxel_0p075": CENTERPOINT_VOXEL,
    "kitti_pointpillars": POINTPILLARS,
    "kitti_second": SECOND,
}


# OpenPCDet's README, "Model Zoo": size of the published weights, with the batch norms' statistics, in MiB
PUBLISHED_MIB = {
    "nuscenes_pillar_0p2": 23,
    "nuscenes_voxel_0p1": 34,
    "nuscenes_voxel_0p075": 34,
    "kitti_pointpillars": 18,
    "kitti_second": 20,
}


def test_closed_forms() -> None:
    assert (CENTERPOINT_PILLAR, CENTERPOINT_VOXEL, POINTPILLARS) == (5_988_998, 8_941_590, 4_834_888)


@pytest.mark.parametrize(("preset", "mebibytes"), PUBLISHED_MIB.items())
def test_weights_are_as_large_as_the_published(preset: str, mebibytes: int) -> None:
    state = build_detector(load_config(preset)).state_dict()
    size = sum(value.numel() * value.element_size() for value in state.values())
    assert round(size / 2**20) == mebibytes


@pytest.mark.parametrize(("preset", "count"), COUNTS.items())
def test_number_of_parameters(preset: str, count: int) -> None:
    detector = build_detector(load_config(preset))
    assert sum(parameter.numel() for parameter in detector.parameters()) == count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "cells"),
    [("nuscenes_pillar_0p2", 128), ("nuscenes_voxel_0p1", 128), ("nuscenes_voxel_0p075", 180)],
)
def test_maps_of_full_size_centerpoint(preset: str, cells: int) -> None:
    config = load_config(preset)
    with torch.inference_mode():
        outputs = build_detector(config).eval()(make_inputs([cloud(config, 500)], config))
    sizes = {"offset": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2}
    for maps, classes in zip(outputs, NUSCENES_CLASSES, strict=True):
        shapes = {name: tuple(value.shape) for name, value in maps.items()}
        expected = {"heatmap": classes, **sizes}
        assert shapes == {name: (1, size, cells, cells) for name, size in expected.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "cells"), [("kitti_pointpillars", 216 * 248), ("kitti_second", 176 * 200)])
def test_outputs_of_full_size_anchor_heads(preset: str, cells: int) -> None:
    config = load_config(preset)
    with torch.inference_mode():
        (outputs,) = build_detector(config).eval()(make_inputs([cloud(config, 500)], config))
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    anchors = 6 * cells
    assert shapes == {
        "class_logits": (1, anchors, 3),
        "box_code": (1, anchors, 7),
        "direction_logits": (1, anchors, 2),
    }
