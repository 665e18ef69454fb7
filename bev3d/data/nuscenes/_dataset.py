"""nuScenes as samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bev3d._check import check_choice
from bev3d.boxes import transform_boxes
from bev3d.data._sample import Sample
from bev3d.data.nuscenes._annotations import read_annotations
from bev3d.data.nuscenes._classes import DETECTION_CLASS_OF_CATEGORY, DETECTION_CLASSES
from bev3d.data.nuscenes._poses import invert_rigid, sample_frame
from bev3d.data.nuscenes._splits import sample_tokens
from bev3d.data.nuscenes._sweeps import merge_sweeps
from bev3d.data.nuscenes._tables import NuScenesTables

__all__ = ["NuScenesDataset"]


class NuScenesDataset:
    """LiDAR samples of a nuScenes split with their boxes.

    A sample is given in one of two frames. ``"lidar"`` is LIDAR_TOP at the key frame (x right, y forward, z up):
    points as the sensor saw them; boxes stand upright in the *global* frame, so that here they lean by the
    vehicle's roll and pitch, which seven numbers cannot say. **The tilt is dropped**: the centre is exact, the yaw
    is that of the projected heading. ``"level"`` has the same origin and heading but stands upright globally;
    boxes lose nothing there.

    ``meta`` of a sample: ``source``, ``global_from_sample`` (4, 4), ``ego_translation`` (3,) of the key frame's
    vehicle pose in the global frame, ``timestamp_us``, ``scene``, ``lidar_path``, ``frame``, and per box
    ``annotation_tokens``, ``attributes``, ``num_radar_points``.

    Args:
        dataroot: folder with the tables' folder, ``samples`` and ``sweeps``.
        version: name of the tables' folder.
        split: a split's name, or scene names (see :func:`bev3d.data.nuscenes.scene_names`).
        class_names: classes that labels index; objects of other categories get label -1.
        sweeps: LiDAR files merged into one sample, the key frame included.
        frame: ``"lidar"`` or ``"level"``.
        tables: tables already read, to share them between splits.

    Raises:
        DataFormatError: missing or broken tables, an unknown split.
        ValueError: ``sweeps`` < 1, an unknown ``frame`` or class name.
    """

    def __init__(
        self,
        dataroot: str | os.PathLike[str],
        *,
        version: str = "v1.0-mini",
        split: str | Sequence[str] = "mini_train",
        class_names: Sequence[str] = DETECTION_CLASSES,
        sweeps: int = 1,
        frame: Literal["lidar", "level"] = "lidar",
        tables: NuScenesTables | None = None,
    ) -> None:
        check_choice("frame", frame, ("lidar", "level"))
        for name in class_names:
            check_choice("class_names", name, DETECTION_CLASSES)
        if sweeps < 1:
            raise ValueError(f"sweeps: expected a number >= 1, got {sweeps}")
        self.tables = NuScenesTables(dataroot, version) if tables is None else tables
        self.dataroot = Path(dataroot)
        self.split = split
        self.sweeps = sweeps
        self.frame = frame
        self._class_names = tuple(class_names)
        self._tokens = sample_tokens(self.tables, split)
        self._label_of = {
            category: self._class_names.index(name)
            for category, name in DETECTION_CLASS_OF_CATEGORY.items()
            if name in self._class_names
        }

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that labels index."""
        return self._class_names

    @property
    def tokens(self) -> tuple[str, ...]:
        """Sample tokens in the order of the ``sample`` table."""
        return self._tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, index: int) -> Sample:
        """Points, boxes and labels of one sample.

        Raises:
            DataFormatError: a missing or truncated LiDAR file, an impossible box.
        """
        rows = list(self.tables.sweeps(self.tables.key_frame(self._tokens[index]), self.sweeps))
        points = merge_sweeps(self.tables, rows, invert_rigid(self.global_from_sample(index)))
        return self._sample(index, points)

    def annotations(self, index: int) -> Sample:
        """The same sample without its points; no LiDAR file is opened."""
        return self._sample(index, np.zeros((0, 5), dtype=np.float32))

    def global_from_sample(self, index: int) -> NDArray[np.float64]:
        """(4, 4) pose of the sample's frame in the world."""
        key_frame = self.tables.key_frame(self._tokens[index])
        return sample_frame(self.tables.global_from_sensor(key_frame), self.frame)

    def _sample(self, index: int, points: NDArray[np.float32]) -> Sample:
        token = self._tokens[index]
        truth = read_annotations(self.tables, token)
        meta = self._meta(index)
        meta["annotation_tokens"] = truth.tokens
        meta["attributes"] = truth.attributes
        meta["num_radar_points"] = truth.num_radar_points
        return Sample(
            token=token,
            points=points,
            boxes=transform_boxes(truth.boxes, invert_rigid(meta["global_from_sample"])),
            labels=np.array([self._label_of.get(name, -1) for name in truth.categories], dtype=np.int64),
            names=truth.categories,
            num_points=truth.num_lidar_points,
            class_names=self._class_names,
            meta=meta,
        )

    def _meta(self, index: int) -> dict[str, Any]:
        token = self._tokens[index]
        key_frame = self.tables.key_frame(token)
        sample = self.tables.sample(token)
        return {
            "source": "nuscenes",
            "frame": self.frame,
            "global_from_sample": self.global_from_sample(index),
            "ego_translation": self.tables.global_from_ego(key_frame)[:3, 3],
            "timestamp_us": int(sample["timestamp"]),
            "scene": self.tables.scene(sample["scene_token"])["name"],
            "lidar_path": self.tables.dataroot / key_frame["filename"],
        }
