"""Small scenes with known places, for the tests of pictures."""

from __future__ import annotations

import numpy as np
import torch

from bev3d.data import Detections, Sample
from bev3d.targets import HeatmapTargets, Targets

CLASSES = ("car", "pedestrian", "bicycle")
RANGE_M = (-20.0, -16.0, -3.0, 28.0, 24.0, 3.0)
CELL_M = 0.4

BOXES = np.array(
    [
        [10.13, 4.27, -0.9, 4.5, 1.9, 1.6, 0.6, 5.0, 3.0],
        [-6.41, 8.83, -0.8, 0.7, 0.6, 1.8, 2.0, np.nan, np.nan],
        [3.2, -9.06, -0.9, 1.8, 0.7, 1.5, -1.2, 0.0, 0.0],
        [15.5, 15.5, -0.9, 2.0, 2.0, 1.5, 0.0, np.nan, np.nan],
    ]
)
LABELS = np.array([0, 1, 2, -1])


def street(points: int = 3000) -> Sample:
    """Four objects (one of no class) on a plane of points at z = -1.7."""
    random = np.random.default_rng(7)
    cloud = np.zeros((points, 5), dtype=np.float32)
    cloud[:, :2] = random.uniform((-20, -16), (28, 24), (points, 2))
    cloud[:, 2] = -1.7 + random.uniform(0, 0.02, points)
    cloud[:, 3] = random.uniform(0, 1, points)
    cloud[:, 4] = random.integers(0, 3, points) * 0.05
    names = ("car", "pedestrian", "bicycle", "thing")
    return Sample("street", cloud, BOXES.copy(), LABELS.copy(), names, np.array([40, 7, 9, -1]), CLASSES)


def empty() -> Sample:
    """No points and no boxes."""
    return Sample(
        "empty",
        np.zeros((0, 5), np.float32),
        np.zeros((0, 9)),
        np.zeros(0, np.int64),
        (),
        np.zeros(0, np.int64),
        CLASSES,
    )


def answers() -> Detections:
    """Three detections with scores 0.9, 0.5 and 0.1."""
    boxes = BOXES[:3].copy()
    boxes[:, :2] += 0.3
    return Detections("street", boxes, np.array([0.9, 0.5, 0.1]), LABELS[:3].copy(), CLASSES)


def targets_of(sample: Sample) -> Targets:
    """Real targets on the grid of RANGE_M with two tasks."""
    build = HeatmapTargets(
        tasks=[["car"], ["pedestrian", "bicycle"]], range_m=RANGE_M, voxel_size_m=(0.2, 0.2, 6.0), stride=2
    )
    return build([torch.from_numpy(sample.boxes)], [torch.from_numpy(sample.labels)])
