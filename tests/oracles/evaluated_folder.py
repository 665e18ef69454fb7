"""Synthetic data of both kinds with predictions, for the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bev3d.data import Detections, KittiDataset, NuScenesDataset
from bev3d.evaluation import write_submission
from bev3d.synth import write_kitti, write_nuscenes

__all__ = ["VERSION", "EvaluatedFolder", "found_in"]

VERSION = "v1.0-mini"


def found_in(dataset: NuScenesDataset | KittiDataset, seed: int) -> dict[str, Detections]:
    """Four of five objects, shifted, and an invented one."""
    rng = np.random.default_rng(seed)
    found = {}
    for i, token in enumerate(dataset.tokens):
        sample = dataset.annotations(i)
        known = np.flatnonzero(sample.labels >= 0)
        known = known[rng.random(len(known)) < 0.8]
        boxes = np.concatenate([sample.boxes[known], [[12.0, 3, -1, 4, 2, 1.5, 0.3, 0, 0]]])
        boxes[:, :2] += rng.normal(scale=0.2, size=(len(boxes), 2))
        scores = np.sort(rng.random(len(boxes)))[::-1].copy()
        labels = np.append(sample.labels[known], 0).astype(np.int64)
        found[token] = Detections(token, boxes, scores, labels, dataset.class_names)
    return found


class EvaluatedFolder:
    """Synthetic data of both kinds with two sets of predictions each."""

    def __init__(self, root: Path) -> None:
        self.nuscenes, self.kitti = root / "nuscenes", root / "kitti"
        write_nuscenes(self.nuscenes, train_scenes=1, val_scenes=2, samples=3, sweeps=1)
        write_kitti(self.kitti, train_frames=2, val_frames=5)
        nuscenes = NuScenesDataset(self.nuscenes, split="mini_val")
        kitti = KittiDataset(self.kitti, split="val")
        for name, seed in (("first", 0), ("second", 1)):
            write_submission(root / f"{name}.json", found_in(nuscenes, seed), dataset=nuscenes)
            write_submission(root / name, found_in(kitti, seed), dataset=kitti)
        self.tokens, self.frames = nuscenes.tokens, kitti.tokens
        self.labels, self.root = self.kitti / "training" / "label_2", root

    def nuscenes_arguments(self) -> list[str]:
        return ["evaluate", "--dataroot", str(self.nuscenes), "--predictions", str(self.root / "first.json")]

    def kitti_arguments(self) -> list[str]:
        return ["evaluate", "--kitti-labels", str(self.labels), "--kitti-predictions", str(self.root / "first")]
