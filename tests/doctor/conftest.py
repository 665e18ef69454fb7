"""Sound frames: synthetic nuScenes and KITTI, and the real ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.real_nuscenes import keyframe_dataset

from bev3d.config import load_config
from bev3d.data import open_dataset
from bev3d.doctor import Frame, dataset_frames
from bev3d.synth import write_kitti, write_nuscenes


@pytest.fixture(scope="session")
def synthetic_kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kitti(tmp_path_factory.mktemp("doctor") / "kitti", train_frames=7, val_frames=1)


@pytest.fixture(scope="session")
def synthetic_nuscenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doctor") / "nuscenes"
    return write_nuscenes(folder, train_scenes=3, val_scenes=1, samples=2, sweeps=1)


@pytest.fixture(scope="session")
def kitti_frames(synthetic_kitti: Path) -> list[Frame]:
    dataset = open_dataset(load_config("kitti_3class"), synthetic_kitti, "trainval")
    return dataset_frames(dataset, 8)[0]


@pytest.fixture(scope="session")
def nuscenes_frames(synthetic_nuscenes: Path) -> list[Frame]:
    config = replace(load_config("synthetic_nuscenes"), sweeps=1)
    return dataset_frames(open_dataset(config, synthetic_nuscenes, "synth_train"), 6)[0]


@pytest.fixture(scope="session")
def real_kitti_frames(kitti_root: Path) -> list[Frame]:
    """20 of the 70 frames."""
    return dataset_frames(open_dataset(load_config("kitti_3class"), kitti_root, "trainval"), 20)[0]


@pytest.fixture(scope="session")
def real_nuscenes_frames(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    """The one key frame, 69 boxes and 34,688 points, with the velocities of its record."""
    root = keyframe_dataset(real_data, tmp_path_factory.mktemp("doctor") / "keyframe")
    config = replace(load_config("synthetic_nuscenes"), sweeps=1)
    (frame,), _ = dataset_frames(open_dataset(config, root, "mini_train"), 1)
    record = json.loads((real_data / "nuscenes" / "keyframe_ca9a282c.json").read_text())
    boxes = frame.boxes.copy()
    boxes[:, 7:] = np.array([box["velocity_lidar_xy"] for box in record["boxes"]], dtype=np.float64)
    return [replace(frame, boxes=boxes)]
