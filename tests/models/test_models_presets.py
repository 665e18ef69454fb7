"""Every preset builds and takes a step; the full-size ones on a part of their grid (whole: the published shapes)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from models_samples import cloud, objects

from bev3d.config import Config, load_config
from bev3d.models import DetectionLoss, build_detector, decode_outputs, make_inputs, make_targets

PRESETS = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))
# x and y of the part, which the strides divide
PARTS = {
    "nuscenes_pillar_0p2": (-12.8, -12.8, 12.8, 12.8),
    "nuscenes_voxel_0p1": (-12.8, -12.8, 12.8, 12.8),
    "nuscenes_voxel_0p075": (-12.0, -12.0, 12.0, 12.0),
    "kitti_pointpillars": (0.0, -7.68, 15.36, 7.68),
    "kitti_second": (0.0, -8.0, 17.6, 8.0),
}
TERMS = {"iou_weight": 0.5, "corner_weight": 0.1, "gaussian_weight": 0.1}


def config_of(preset: str) -> Config:
    config = load_config(preset)
    if preset not in PARTS:
        return config
    (x0, y0, x1, y1), (z0, z1) = PARTS[preset], config.range_m[2::3]
    return replace(config, range_m=(x0, y0, z0, x1, y1, z1))


def step(config: Config) -> dict[str, float]:
    """One step of AdamW; the terms before it."""
    detector, loss = build_detector(config), DetectionLoss(config)
    # the published start of the separate heads has outputs of several metres, which a larger step overshoots
    optimiser = torch.optim.AdamW(detector.parameters(), lr=1e-5)
    before = {name: value.detach().clone() for name, value in detector.named_parameters()}
    inputs = make_inputs([cloud(config, 3000)], config, training=True)
    boxes, _ = objects(config, 20, samples=1)
    targets = make_targets(config)(boxes, [torch.arange(20) % len(config.class_names)])
    total, terms, _ = loss(detector(inputs), targets)
    total.backward()
    optimiser.step()
    assert torch.isfinite(total)
    # a bias under L1 loss may stay: as many objects pull it up as down
    still = {name for name, value in detector.named_parameters() if torch.equal(value, before[name])}
    assert all(name.endswith("bias") for name in still)
    with torch.no_grad():
        after = loss(detector(inputs), targets).total
        decode_outputs(detector.eval()(inputs), config)
    assert after < total
    return {name: value.item() for name, value in terms.items()}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_step(preset: str) -> None:
    step(config_of(preset))


@pytest.mark.parametrize(
    "preset",
    ["tiny_pillar", "tiny_learned_pillar", "tiny_sparse", "synthetic_nuscenes", "kitti_3class", "kitti_anchor"],
)
def test_every_term_is_turned_on_by_settings_alone(preset: str) -> None:
    config = replace(load_config(preset), **TERMS)  # type: ignore[arg-type]
    expected = {"iou", "corner", "gaussian"}
    if config.head != "anchor":
        config = replace(config, iou_head=True, iou_quality_weight=0.5)
        expected.add("iou_quality")
    terms = step(config)
    assert expected < set(terms)
    assert all(terms[name] > 0 for name in expected)


def test_the_sparse_preset_has_its_size() -> None:
    config = load_config("tiny_sparse")
    assert len(config.sparse_channels) == 3
    assert sum(parameter.numel() for parameter in build_detector(config).parameters()) == 261_668


@pytest.mark.parametrize(
    ("preset", "momentum"),
    [("tiny_learned_pillar", 0.1), ("tiny_sparse", 0.1), ("nuscenes_pillar_0p2", 0.01), ("nuscenes_voxel_0p075", 0.01)],
)
def test_statistics_of_the_encoder_follow_as_the_preset_says(preset: str, momentum: float) -> None:
    with torch.device("meta"):
        encoder = build_detector(load_config(preset)).encoder
    found = {layer.momentum for layer in encoder.modules() if isinstance(layer, torch.nn.BatchNorm1d)}
    assert found == {momentum}
