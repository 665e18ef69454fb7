"""Configuration to data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from oracles.tiny_kitti import tiny_kitti
from oracles.tiny_nuscenes import tiny_nuscenes

from bev3d._errors import ConfigError, DataFormatError
from bev3d.config import Config
from bev3d.data import Dataset, KittiDataset, NuScenesDataset, open_dataset

NUSCENES = Config(
    dataset="nuscenes",
    tasks=(("car",), ("pedestrian",)),
    sweeps=2,
    frame="level",
    range_m=(-51.2, -51.2, -5.0, 51.2, 51.2, 3.0),
    voxel_size_m=(0.4, 0.4, 8.0),
)


def test_nuscenes(tmp_path: Path) -> None:
    root = tiny_nuscenes(tmp_path / "n", samples=2)
    dataset: Dataset = open_dataset(NUSCENES, root, "mini_val")
    assert isinstance(dataset, NuScenesDataset)
    assert (dataset.sweeps, dataset.frame, dataset.class_names) == (2, "level", ("car", "pedestrian"))
    assert len(dataset) == len(dataset.tokens) == 2
    assert sorted(set(dataset[1].points[:, 4].tolist())) == pytest.approx([0.0, 0.05], abs=1e-6)


def test_kitti(tmp_path: Path) -> None:
    config = replace(NUSCENES, dataset="kitti", tasks=(("Car", "Cyclist"),))
    dataset = open_dataset(config, tiny_kitti(tmp_path / "k"), "train")
    assert isinstance(dataset, KittiDataset)
    assert dataset.class_names == ("Car", "Cyclist")


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"dataroot: expected a folder, got .*nowhere, which does not exist"):
        open_dataset(NUSCENES, tmp_path / "nowhere", "mini_val")
    with pytest.raises(ConfigError, match=r"tasks: expected classes out of car, truck, .* got 'Car'"):
        open_dataset(replace(NUSCENES, tasks=(("Car",),)), tmp_path, "mini_val")
    with pytest.raises(DataFormatError, match=r"v1\.0-mini: no such folder"):
        open_dataset(NUSCENES, tmp_path, "mini_val")
