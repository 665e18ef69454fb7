"""Making, merging and encoding point clouds."""

from __future__ import annotations

import contextlib
import io
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch

from bev3d._errors import require
from bev3d.bench._race import Case, Cases, Contestants, check_same
from bev3d.config import load_config
from bev3d.data import DETECTION_CLASSES, NuScenesDataset
from bev3d.models import encode_points
from bev3d.synth import write_nuscenes
from bev3d.synth._nuscenes_scene import ScenePlan, build_scene_world
from bev3d.synth._scanner import HDL32E, scan
from bev3d_ops.reference._pillars import height_slice_image

__all__ = ["DATA_CASES"]

SWEEPS = 10


def _synthetic_sweep() -> Case:
    world = build_scene_world(ScenePlan("scene-0061", 0, 2, 5, 0))
    return Case("One synthetic sweep", HDL32E.rays, "ray", {"bev3d": lambda: scan(world, HDL32E, 0.0, 0)})


@cache
def _folder() -> tuple[tempfile.TemporaryDirectory[str], NuScenesDataset]:
    """A synthetic scene with ten sweeps a key frame, which lives as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="bev3d_bench_")
    root = Path(folder.name) / "data"
    write_nuscenes(root, train_scenes=0, val_scenes=1, samples=2, sweeps=SWEEPS)
    dataset = NuScenesDataset(root, version="v1.0-mini", split="mini_val", class_names=DETECTION_CLASSES, sweeps=SWEEPS)
    return folder, dataset


def _merge() -> Case:
    folder, dataset = _folder()
    require("nuscenes", extra="nuscenes", purpose="the devkit beside ours")
    from nuscenes.nuscenes import NuScenes
    from nuscenes.utils.data_classes import LidarPointCloud

    with contextlib.redirect_stdout(io.StringIO()):
        devkit = NuScenes("v1.0-mini", str(Path(folder.name) / "data"), verbose=False)
    sample = devkit.get("sample", dataset.tokens[-1])

    def theirs() -> np.ndarray:
        cloud, lag = LidarPointCloud.from_file_multisweep(devkit, sample, "LIDAR_TOP", "LIDAR_TOP", nsweeps=SWEEPS)
        return np.concatenate([cloud.points[:3], lag]).T

    def ours() -> np.ndarray:
        return dataset[len(dataset) - 1].points

    check_same(theirs(), ours()[:, [0, 1, 2, 4]], limit=1e-4)
    contestants: Contestants = {"bev3d, boxes too": ours, "nuscenes-devkit": theirs}
    return Case(f"{SWEEPS} sweeps read and merged", len(ours()), "point", contestants)


def _encode() -> Case:
    config = load_config("synthetic_nuscenes")
    points = _folder()[1][1].points
    tensor = torch.from_numpy(points)
    contestants: Contestants = {
        "bev3d": lambda: encode_points([points], config),
        "plain torch": lambda: height_slice_image(tensor, config.range_m, config.voxel_size_m, config.height_slices),
    }
    return Case(f"Height-slice image of {len(points):,} points", len(points), "point", contestants)


DATA_CASES: Cases = (_synthetic_sweep, _merge, _encode)
