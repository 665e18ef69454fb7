"""Reading, merging and encoding point clouds, and scoring, beside the devkit and plain torch."""

from __future__ import annotations

import contextlib
import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bev3d._errors import require
from bev3d.audit import audit_dataset
from bev3d.bench._case import Case, Cases, Limit, ours, peer
from bev3d.bench.cases._inputs import cloud
from bev3d.config import load_config
from bev3d.data import DETECTION_CLASSES, NuScenesDataset
from bev3d.evaluation import evaluate_kitti
from bev3d.models import encode_points
from bev3d.points import transform_sweeps
from bev3d.synth import write_kitti, write_nuscenes
from bev3d_ops.reference._pillars import height_slice_image

__all__ = ["CASES"]

SWEEPS = 10


def _transform(small: bool) -> Case:
    each = 100 if small else 30_000
    scan = np.ascontiguousarray(cloud(SWEEPS * each)[:, :4])
    offsets, lags = np.arange(SWEEPS + 1) * each, np.arange(SWEEPS) * 0.05
    matrices = np.tile(np.eye(4), (SWEEPS, 1, 1))
    matrices[:, :2, :2], matrices[:, :3, 3] = [[0.8, -0.6], [0.6, 0.8]], (600, 1600, 1)
    matrices[:, 0, 3] += np.arange(SWEEPS)

    def numpy() -> np.ndarray:
        parts = []
        for k, (matrix, lag) in enumerate(zip(matrices, lags, strict=True)):
            part = scan[offsets[k] : offsets[k + 1]]
            away = part[~((np.abs(part[:, 0]) < 1) & (np.abs(part[:, 1]) < 1))]
            moved = away[:, :3].astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
            rest = np.stack([away[:, 3], np.full(len(away), lag, np.float32)], axis=1)
            parts.append(np.concatenate([moved.astype(np.float32), rest], axis=1))
        return np.concatenate(parts)

    def mine() -> tuple[np.ndarray, np.ndarray]:
        return transform_sweeps(scan, offsets, matrices, lags, half_width_m=1.0)

    contestants = {
        "bev3d": ours(mine, read=lambda made: made[0][made[1]]),
        "bev3d, 2 threads": ours(mine, threads=2, read=lambda made: made[0][made[1]]),
        "NumPy, sweep by sweep": peer(numpy),
    }
    n = SWEEPS * each
    return Case(f"{SWEEPS} sweeps of {each:,} points moved", n, "point", contestants, truth=numpy())


@cache
def _folder() -> tuple[tempfile.TemporaryDirectory[str], NuScenesDataset]:
    """A synthetic scene with ten sweeps a key frame, which lives as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="bev3d_bench_")
    root = Path(folder.name) / "data"
    write_nuscenes(root, train_scenes=0, val_scenes=1, samples=2, sweeps=SWEEPS)
    dataset = NuScenesDataset(root, version="v1.0-mini", split="mini_val", class_names=DETECTION_CLASSES, sweeps=SWEEPS)
    return folder, dataset


def _merge(small: bool) -> Case:
    require("nuscenes", extra="nuscenes", purpose="the devkit beside ours")
    folder, dataset = _folder()
    from nuscenes.nuscenes import NuScenes
    from nuscenes.utils.data_classes import LidarPointCloud

    with contextlib.redirect_stdout(io.StringIO()):
        devkit = NuScenes("v1.0-mini", str(Path(folder.name) / "data"), verbose=False)
    sample = devkit.get("sample", dataset.tokens[-1])

    def theirs() -> np.ndarray:
        cloud, lag = LidarPointCloud.from_file_multisweep(devkit, sample, "LIDAR_TOP", "LIDAR_TOP", nsweeps=SWEEPS)
        return np.concatenate([cloud.points[:3], lag]).T

    contestants = {
        "bev3d, boxes too": ours(lambda: dataset[len(dataset) - 1].points, read=lambda points: points[:, [0, 1, 2, 4]]),
        "nuscenes-devkit": peer(theirs),
    }
    truth = theirs()
    return Case(
        f"{SWEEPS} sweeps read and merged, {len(truth):,} points", len(truth), "point", contestants,
        (Limit("bev3d, boxes too", "ms", 5),), truth, error_name="greatest difference from the devkit",
    )  # fmt: skip


def _encode(small: bool) -> Case:
    config = load_config("synthetic_nuscenes")
    points = cloud(2000 if small else 300_000)
    tensor = torch.from_numpy(points)
    contestants = {
        "bev3d": ours(lambda: encode_points([points], config)),
        "scatter in eager torch": peer(
            lambda: height_slice_image(tensor, config.range_m, config.voxel_size_m, config.height_slices)
        ),
    }
    return Case(f"Height-slice image of {len(points):,} points", len(points), "point", contestants)


def _kitti_score(small: bool) -> Case:
    frames = 2 if small else 24
    folder = _kitti(frames)
    labels = Path(folder.name) / "data" / "training" / "label_2"
    found = Path(folder.name) / "found"
    contestants = {"bev3d, all classes, metrics and levels": ours(lambda: evaluate_kitti(labels, found))}
    return Case(f"KITTI average precision of {frames} frames", frames, "frame", contestants)


def _audit(small: bool) -> Case:
    """With scans opened and points counted, in one process."""
    frames = 2 if small else 24
    root, config = Path(_kitti(frames).name) / "data", load_config("kitti_3class")

    def run() -> Any:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress
            return audit_dataset(config, root, split="val")

    # 30 s for 1,000 frames
    return Case(
        f"Audit of {frames} KITTI frames with their scans", frames, "frame", {"bev3d": ours(run)},
        (Limit("bev3d", "ms", 30.0 * frames),),
    )  # fmt: skip


@cache
def _kitti(frames: int) -> tempfile.TemporaryDirectory[str]:
    """Labels, and the same boxes with scores as if found."""
    folder = tempfile.TemporaryDirectory(prefix="bev3d_bench_")
    root, rng = Path(folder.name) / "data", np.random.default_rng(0)
    write_kitti(root, train_frames=0, val_frames=frames)
    found = Path(folder.name) / "found"
    found.mkdir()
    for file in sorted((root / "training" / "label_2").glob("*.txt")):
        known = [line for line in file.read_text().splitlines() if not line.startswith("DontCare")]
        lines = "".join(f"{line} {rng.random():.4f}\n" for line in known)
        (found / file.name).write_text(lines)
    return folder


CASES: Cases = {
    "sweep": _transform,
    "merge": _merge,
    "encode": _encode,
    "score-kitti": _kitti_score,
    "audit": _audit,
}
