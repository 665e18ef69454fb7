"""KITTI object frames as samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d._check import check_choice
from bev3d._errors import DataFormatError
from bev3d.boxes.convert import from_kitti_camera
from bev3d.data._sample import Sample
from bev3d.data.kitti._calib import KittiCalib, read_calib
from bev3d.data.kitti._difficulty import difficulty_of
from bev3d.data.kitti._files import COMMON_IMAGE_SIZE, read_frame_ids, read_image_size, read_velodyne
from bev3d.data.kitti._labels import KITTI_CLASSES, KittiLabels, read_labels

__all__ = ["KittiDataset"]


class KittiDataset:
    """Frames of a KITTI split in the velodyne frame (x forward, y left, z up).

    Only what the left colour camera sees is labelled, so that points outside its picture are dropped unless asked
    for. Where the picture itself is absent, its size is taken as 1242 x 375. Boxes lose the camera's tilt against
    the velodyne (below one degree), see :func:`bev3d.boxes.convert.from_kitti_camera`. Velocity is NaN, time lag 0,
    ``num_points`` -1 (KITTI records none).

    ``meta`` of a sample: ``source``, ``calib``, ``image_size`` (width, height), ``image_path`` (or None),
    ``lidar_path``, ``dont_care`` (D, 4) pixels, and per box ``bbox`` (N, 4) pixels, ``truncation``, ``occlusion``,
    ``alpha``, ``difficulty`` (0, 1, 2, or -1 for harder than hard).

    Args:
        dataroot: folder with ``training`` (``velodyne``, ``label_2``, ``calib``, ``image_2``) and ``ImageSets``.
        split: a file of ``ImageSets`` without its ending. ``"test"`` reads ``testing``, where there are no labels.
        class_names: classes that labels index; other objects get label -1 and keep their name.
        fov_only: keep only the points inside the picture.

    Raises:
        DataFormatError: a missing folder or list of frames.
        ValueError: a class name that KITTI does not have.
    """

    def __init__(
        self,
        dataroot: str | os.PathLike[str],
        *,
        split: str = "train",
        class_names: Sequence[str] = ("Car", "Pedestrian", "Cyclist"),
        fov_only: bool = True,
    ) -> None:
        for name in class_names:
            check_choice("class_names", name, KITTI_CLASSES)
        self.dataroot = Path(dataroot)
        self.split = split
        self.fov_only = fov_only
        self.folder = self.dataroot / ("testing" if split == "test" else "training")
        if not self.folder.is_dir():
            raise DataFormatError(f"{self.folder}: no such folder; expected velodyne, label_2 and calib in it")
        self._class_names = tuple(class_names)
        self._tokens = read_frame_ids(self.dataroot, split)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that labels index."""
        return self._class_names

    @property
    def tokens(self) -> tuple[str, ...]:
        """Frame ids in the order of the list."""
        return self._tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, index: int) -> Sample:
        """Points, boxes and labels of one frame.

        Raises:
            DataFormatError: a missing, truncated or malformed file.
        """
        scan = read_velodyne(self.path(index, "velodyne", "bin"))
        calib, image_size = self.calib(index), self.image_size(index)
        if self.fov_only:
            scan = scan[_in_picture(scan[:, :3], calib, image_size)]
        points = np.zeros((len(scan), 5), dtype=np.float32)
        points[:, :4] = scan
        return self._sample(index, points, calib, image_size)

    def annotations(self, index: int) -> Sample:
        """The same sample without its points; no scan is opened."""
        return self._sample(index, np.zeros((0, 5), dtype=np.float32), self.calib(index), self.image_size(index))

    def path(self, index: int, folder: str, ending: str) -> Path:
        """A file of a frame, such as ``path(0, "label_2", "txt")``."""
        return self.folder / folder / f"{self._tokens[index]}.{ending}"

    def calib(self, index: int) -> KittiCalib:
        """Calibration of a frame."""
        return read_calib(self.path(index, "calib", "txt"))

    def image_size(self, index: int) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        path = self.path(index, "image_2", "png")
        return read_image_size(path) if path.is_file() else COMMON_IMAGE_SIZE

    def labels(self, index: int) -> KittiLabels:
        """Every line of the label file, ``DontCare`` included."""
        if self.split == "test":
            return _no_labels()
        return read_labels(self.path(index, "label_2", "txt"))

    def _sample(
        self, index: int, points: NDArray[np.float32], calib: KittiCalib, image_size: tuple[int, int]
    ) -> Sample:
        lines = self.labels(index)
        objects = lines.select(~lines.is_dont_care)
        image_path = self.path(index, "image_2", "png")
        meta: dict[str, Any] = {
            "source": "kitti",
            "calib": calib,
            "image_size": image_size,
            "image_path": image_path if image_path.is_file() else None,
            "lidar_path": self.path(index, "velodyne", "bin"),
            "dont_care": lines.bbox[lines.is_dont_care],
            "bbox": objects.bbox,
            "truncation": objects.truncation,
            "occlusion": objects.occlusion,
            "alpha": objects.alpha,
            "difficulty": difficulty_of(objects),
        }
        index_of = {name: i for i, name in enumerate(self._class_names)}
        return Sample(
            token=self._tokens[index],
            points=points,
            boxes=_boxes(objects, calib),
            labels=np.array([index_of.get(name, -1) for name in objects.names], dtype=np.int64),
            names=objects.names,
            num_points=np.full(len(objects), -1, dtype=np.int64),
            class_names=self._class_names,
            meta=meta,
        )


def _boxes(labels: KittiLabels, calib: KittiCalib) -> NDArray[np.float64]:
    """(N, 9) in the velodyne frame."""
    boxes = np.full((len(labels), 9), np.nan)
    boxes[:, :7] = from_kitti_camera(labels.dimensions_hwl, labels.location, labels.rotation_y, calib)
    return boxes


def _in_picture(points: NDArray[np.float32], calib: KittiCalib, image_size: tuple[int, int]) -> NDArray[np.bool_]:
    pixels, depth = calib.image_from_velo(points.astype(np.float64))
    inside = (pixels >= 0).all(axis=1) & (pixels < np.array(image_size)).all(axis=1)
    return inside & (depth > 0)


def _no_labels() -> KittiLabels:
    none, flat = np.zeros(0), np.zeros((0, 3))
    return KittiLabels((), none, np.zeros(0, dtype=np.int64), none, np.zeros((0, 4)), flat, flat, none, none)
