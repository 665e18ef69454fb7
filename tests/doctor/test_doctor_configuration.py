"""Known defects of configurations: bev3d's, OpenPCDet's, CenterPoint's, mmdet3d's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bev3d import ConfigError
from bev3d.config import Config, load_config
from bev3d.doctor import diagnose_settings, read_settings, settings_of

PRESETS = ("kitti_3class", "synthetic_nuscenes")

OPENPCDET = """
CLASS_NAMES: [car, truck, bus, pedestrian]
DATA_CONFIG:
  POINT_CLOUD_RANGE: [-54.0, -54.0, -5.0, 54.0, 54.0, 3.0]
  DATA_PROCESSOR:
    - NAME: shuffle_points
    - NAME: transform_points_to_voxels
      VOXEL_SIZE: [0.075, 0.075, 0.2]
MODEL:
  DENSE_HEAD:
    SEPARATE_HEAD_CFG: {HEAD_ORDER: [center, center_z, dim, rot, vel]}
    TARGET_ASSIGNER_CONFIG: {FEATURE_MAP_STRIDE: 8, GAUSSIAN_OVERLAP: 0.1, MIN_RADIUS: 2}
    LOSS_CONFIG:
      LOSS_WEIGHTS: {code_weights: [1, 1, 1, 1, 1, 1, %s]}
"""
CENTERPOINT = """
import itertools
voxel = [0.1, 0.1, 0.2]
tasks = [dict(num_class=1, class_names=["car"]), dict(num_class=2, class_names=["truck", "bus"])]
model = dict(
    bbox_head=dict(type="CenterHead", code_weights=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, %s]),
    width=len(list(itertools.chain(tasks))),
)
assigner = dict(out_size_factor=8, gaussian_overlap=0.1, min_radius=2)
voxel_generator = dict(range=[-51.2, -51.2, -5.0, 51.2, 51.2, 3.0], voxel_size=voxel)
"""
MMDET3D = """
voxel_size = [0.1, 0.1, 0.2]
model = dict(
    pts_bbox_head=dict(type="CenterHead", bbox_coder=dict(type="CenterPointBBoxCoder", out_size_factor=8)),
    train_cfg=dict(pts=dict(voxel_size=voxel_size, gaussian_overlap=0.1, min_radius=2,
                            code_weights=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, %s])),
)
"""


def names(config: Config, boxes: np.ndarray | None = None) -> list[str]:
    return [finding.name for finding in diagnose_settings(settings_of(config), boxes) if finding.level == "defect"]


@pytest.mark.parametrize("preset", PRESETS)
def test_silent_on_sound_presets(preset: str) -> None:
    settings, config = read_settings(preset)
    assert config == load_config(preset)
    assert not [finding for finding in diagnose_settings(settings) if finding.level == "defect"]


@pytest.mark.parametrize(
    ("text", "ending", "right", "wrong"),
    [
        (OPENPCDET, ".yaml", "1, 1, 0.2, 0.2", "0.2, 0.2, 1, 1"),
        (MMDET3D, ".py", "1.0, 1.0, 0.2, 0.2", "0.2, 0.2, 1.0, 1.0"),
        (CENTERPOINT, ".py", "0.2, 0.2, 1.0, 1.0", "1.0, 1.0, 0.2, 0.2"),
    ],
)
def test_the_weight_of_the_velocity_on_the_heading(
    tmp_path: Path, text: str, ending: str, right: str, wrong: str
) -> None:
    """The same list is right for one project and wrong for another: what counts is the order of its box code."""
    for weights, expected in ((right, []), (wrong, ["weight_order"])):
        file = tmp_path / f"config{ending}"
        file.write_text(text % weights)
        settings, config = read_settings(file)
        assert config is None
        found = [finding for finding in diagnose_settings(settings) if finding.level == "defect"]
        assert [finding.name for finding in found] == expected
        if found:
            assert "0.2" in found[0].title
            assert "heading" in found[0].evidence[1]


def test_weights_by_name(tmp_path: Path) -> None:
    config = load_config("synthetic_nuscenes")
    assert names(replace(config, heading_weight=0.2, velocity_weight=1.0)) == ["weight_order"]
    assert names(replace(config, heading_weight=1.0, velocity_weight=0.2)) == []
    assert names(replace(config, heading_weight=0.2, velocity_weight=0.2)) == []  # chosen for both
    assert names(replace(config, heading_weight=0.2, velocity_weight=0.0)) == []  # no velocities here


def test_a_least_radius_that_decides_about_everything() -> None:
    config = load_config("synthetic_nuscenes")
    assert names(replace(config, min_radius=6)) == ["min_radius_saturation"]
    coarse = replace(config, stride=8, channels=(32,), blocks=(1,))
    assert names(coarse) == ["min_radius_saturation"]
    (finding,) = diagnose_settings(settings_of(coarse))
    assert "6.4 m" in finding.evidence[1]


def test_a_least_radius_as_usual_is_worth_a_note() -> None:
    notes = diagnose_settings(settings_of(load_config("synthetic_nuscenes")))
    assert [(finding.name, finding.level) for finding in notes] == [("min_radius", "note")]
    assert diagnose_settings(settings_of(load_config("kitti_3class"))) == []


def test_sizes_of_the_boxes_count_where_they_are_known() -> None:
    config = replace(load_config("kitti_3class"), min_radius=3)
    small = np.tile([10.0, 0, -1, 3.9, 1.6, 1.5, 0], (20, 1))
    large = np.tile([10.0, 0, -1, 16.0, 4.0, 3.5, 0], (20, 1))
    assert [f.name for f in diagnose_settings(settings_of(config), small)] == ["min_radius"]
    assert diagnose_settings(settings_of(config), large) == []
    assert diagnose_settings(settings_of(config), np.full((2, 7), np.nan))[0].name == "min_radius"


def test_oriented_and_legacy_rules_have_their_own_radii() -> None:
    config = replace(load_config("synthetic_nuscenes"), min_radius=5)
    assert names(config) == ["min_radius_saturation"]
    assert diagnose_settings(settings_of(replace(config, radius="oriented"))) == []  # a bus is 14 cells long
    legacy = replace(load_config("synthetic_nuscenes"), radius="legacy")
    assert diagnose_settings(settings_of(legacy)) == []  # a bus asks for 2.9 cells there


def test_heights_out_of_range() -> None:
    config = load_config("kitti_3class")
    boxes = np.tile([10.0, 0, -1, 3.9, 1.6, 1.5, 0], (20, 1))
    assert names(config, boxes) == []
    boxes[:5, 2] = 1.2
    assert names(config, boxes) == ["height_range"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.py", "x = (", "expected a Python file"),
        ("a.py", "x = 1", "expected code_weights or a least radius"),
        ("a.yaml", "MODEL: {DENSE_HEAD: {NAME: AnchorHeadSingle}}", "expected code_weights or a least radius"),
        ("a.yaml", "lerning_rate: 1", "lerning_rate: expected a known key"),
        ("a.yaml", "a: [", "expected a YAML file"),
    ],
)
def test_files_that_say_nothing(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=said):
        read_settings(tmp_path / name)


def test_missing_files() -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_settings("nowhere.py")
    with pytest.raises(ConfigError, match="expected a YAML file or one of the presets"):
        read_settings("nowhere.yaml")


def test_a_configuration_is_never_run(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\nmin_radius = 2\n")
    assert read_settings(file)[0].min_radius == 2
    assert not (tmp_path / "trace").exists()
