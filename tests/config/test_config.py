"""Presets are read strictly: the message names file, key, expectation and value."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bev3d import ConfigError
from bev3d.config import Config, config_hash, dump_config, load_config, preset_path

PRESETS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))

RPN = {"backbone": "rpn", "level_strides": [2, 2, 2], "upsample_channels": [8, 8, 8], "upsample_strides": [1, 2, 4]}
ANCHORS = {"head": "anchor", "anchor_sizes_m": [[4, 2, 1.5]] * 3, "anchor_z_m": [-1.0] * 3}


@pytest.fixture
def content() -> dict[str, object]:
    config = Config(
        dataset="nuscenes",
        tasks=(("car",), ("truck", "bus")),
        range_m=(-51.2, -51.2, -5.0, 51.2, 51.2, 3.0),
        voxel_size_m=(0.4, 0.4, 8.0),
    )
    return yaml.safe_load(dump_config(config))


def written(folder: Path, content: dict[str, object]) -> Path:
    path = folder / "preset.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_presets_load_and_survive_a_round_trip(preset: Path, tmp_path: Path) -> None:
    config = load_config(preset)
    dump_config(config, tmp_path / "again.yaml")
    again = load_config(tmp_path / "again.yaml")
    assert again == config
    assert config_hash(again) == config_hash(config)
    assert preset_path(preset.stem).read_bytes() == preset.read_bytes()


def test_derived_values(content: dict[str, object], tmp_path: Path) -> None:
    config = load_config(written(tmp_path, content))
    assert config.class_names == ("car", "truck", "bus")
    assert config.grid_size == (256, 256)
    assert config.output_size == (128, 128)
    assert config.regression_weights["velocity"] == 0.2


@pytest.mark.parametrize("change", [RPN, ANCHORS, RPN | {"stride": 4, "upsample_strides": [0.5, 1, 2]}])
def test_other_networks_are_settings(content: dict[str, object], tmp_path: Path, change: dict[str, object]) -> None:
    config = load_config(written(tmp_path, {**content, **change}))
    assert config.deepest_stride(config.stride) == 8
    assert load_config(written(tmp_path, yaml.safe_load(dump_config(config)))) == config


def test_hash_changes_with_a_value_and_not_with_its_spelling(content: dict[str, object], tmp_path: Path) -> None:
    config = load_config(written(tmp_path, content))
    assert config_hash(load_config(written(tmp_path, {**content, "learning_rate": 6.0e-3}))) == config_hash(config)
    assert config_hash(load_config(written(tmp_path, {**content, "learning_rate": 5e-3}))) != config_hash(config)
    assert config_hash(load_config(written(tmp_path, {**content, "epochs": 2}))) == config_hash(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lerning_rate": 1e-3}, r"lerning_rate: expected a known key.*did you mean 'learning_rate'"),
        ({"stride": 2.5}, r"stride: expected int, got float 2.5"),
        ({"stride": True}, r"stride: expected int, got bool True"),
        ({"dataset": "waymo"}, r"dataset: expected one of nuscenes, kitti, got 'waymo'"),
        ({"range_m": [0, 0, 0]}, r"range_m: expected 6 entries, got 3"),
        ({"range_m": [0, 0, 0, -1, 1, 1]}, r"range_m: expected x0 < x1"),
        ({"voxel_size_m": [0.3, 0.4, 8.0]}, r"voxel_size_m: expected a size that divides the range along x"),
        ({"voxel_size_m": [0.0, 0.4, 8.0]}, r"voxel_size_m: expected three sizes > 0"),
        ({"stride": 3}, r"range_m: expected cells along x divisible by 12"),
        ({"tasks": [["car"], ["car"]]}, r"tasks: expected every class once"),
        ({"tasks": [[]]}, r"tasks: expected at least one class in every group"),
        ({"tasks": "car"}, r"tasks: expected a list, got str 'car'"),
        ({"epochs": 0}, r"epochs: expected a number > 0, got 0.0"),
        ({"min_overlap": 1.0}, r"min_overlap: expected a number in \(0, 1\), got 1.0"),
        ({"blocks": [1]}, r"blocks: expected as many entries as channels \(3\)"),
        ({"nms_radius_m": [1, 2]}, r"nms_radius_m: expected 1 or 3 radii"),
        ({"peak_window": [3, 3]}, r"peak_window: expected 1 or 3 odd numbers >= 1"),
        ({"encoder": "pillar"}, r"encoder: expected one of height_slices, pillars, voxels, got 'pillar'"),
        (
            {"encoder": "pillars", "range_m": [-51.2, -51.2, -5, 51.2, 51.2, 2]},
            r"voxel_size_m: expected pillars as high",
        ),
        ({"encoder": "voxels", "stride": 8, "voxel_size_m": [0.4, 0.4, 0.3]}, r"divides the range along z into whole"),
        ({"encoder": "voxels", "stride": 4}, r"stride: expected a multiple of 8, the stride of the sparse backbone"),
        (
            {"encoder": "voxels", "stride": 8, "channels": [8] * 7, "blocks": [1] * 7},
            r"range_m: expected cells along x divisible by 512 \(stride and levels\), got 256",
        ),
        ({"sparse_blocks": [1]}, r"sparse_blocks: expected 4 numbers >= 0"),
        ({"sparse_strides": [[2, 2, 2]]}, r"sparse_strides: expected 3 times z, y, x >= 1"),
        ({"sparse_strides": [[2, 2, 2], [2, 2, 1], [2, 2, 2]]}, r"sparse_strides: expected the same along y and x"),
        ({"pillar_channels": []}, r"pillar_channels: expected at least one entry, all > 0"),
        ({"pillar_channels": [3, 4]}, r"pillar_channels: expected even numbers before the last"),
        ({"max_voxels_eval": 0}, r"max_voxels_eval: expected a number > 0"),
        ({"backbone": "rpn"}, r"level_strides: expected as many entries as channels \(3\)"),
        (
            RPN | {"upsample_strides": [1, 2, 2]},
            r"upsample_strides: expected level 2 at the stride of the output, 2, got 8 / 2 = 4",
        ),
        (
            RPN | {"upsample_strides": [1, 2, 0.3]},
            r"upsample_strides: expected whole numbers, or one over whole numbers",
        ),
        (RPN | {"level_strides": [2, 2, 0]}, r"level_strides: expected at least one entry, all > 0"),
        (ANCHORS | {"anchor_z_m": [0.0]}, r"anchor_z_m: expected one entry for each of 3 classes"),
        (ANCHORS | {"anchor_sizes_m": [[1, 1, 1], [1, 1, 1], [1, 1, 0]]}, r"anchor_sizes_m: expected sizes > 0"),
        (ANCHORS | {"anchor_sizes_m": [[1, 1], [1, 1], [1, 1]]}, r"anchor_sizes_m: expected 3 entries, got 2"),
        (ANCHORS | {"anchor_yaws_rad": []}, r"anchor_yaws_rad: expected at least one heading"),
        (ANCHORS | {"anchor_matched": [0.5, 0.6]}, r"anchor_matched: expected 1 or 3 numbers in \[0, 1\]"),
        (ANCHORS | {"anchor_unmatched": [0.3, 0.7, 0.3]}, r"anchor_unmatched: expected at most anchor_matched"),
        (ANCHORS | {"iou_head": True, "iou_quality_weight": 1}, r"iou_head: expected false with the anchor head"),
        (ANCHORS | {"regression_loss": "huber"}, r"regression_loss: expected l1 or smooth_l1 with the anchor head"),
        ({"iou_head": True}, r"iou_quality_weight: expected > 0 with iou_head, got 0.0"),
        ({"iou_quality_weight": 1.0}, r"iou_quality_weight: expected 0 without iou_head, got 1.0"),
        ({"iou_weight": -1}, r"iou_weight: expected a finite number >= 0, got -1.0"),
        ({"gaussian_kind": "gwdd"}, r"gaussian_kind: expected one of gwd, kld"),
        ({"focal_alpha": 2}, r"focal_alpha: expected at most 1"),
        ({"velocity_delta_mps": -1}, r"velocity_delta_mps: expected a number >= 0"),
        ({"score_rectification": [0.5, 2, 0]}, r"score_rectification: expected 1 or 3 numbers in \[0, 1\]"),
        ({"peak_window": [2]}, r"peak_window: expected 1 or 3 odd numbers >= 1, got \(2,\)"),
    ],
)
def test_a_wrong_value_is_named(
    content: dict[str, object], tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = written(tmp_path, {**content, **change})
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_a_missing_key_is_named(content: dict[str, object], tmp_path: Path) -> None:
    del content["stride"]
    with pytest.raises(ConfigError, match="stride: expected every key to be given, 1 missing"):
        load_config(written(tmp_path, content))


def test_what_is_not_a_preset(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a YAML file or one of the presets .*, got 'nothing'"):
        load_config("nothing")
    for text, message in (("a: [", "expected a YAML file"), ("- 1", "expected keys and values, got list")):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(tmp_path / "bad.yaml")
