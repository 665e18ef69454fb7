"""Presets are read strictly: the message names file, key, expectation and value."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bev3d import ConfigError
from bev3d.config import Config, config_hash, dump_config, load_config, preset_path

PRESETS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))


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
