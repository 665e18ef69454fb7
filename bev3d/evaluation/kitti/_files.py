"""Detections as KITTI result files, and back."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bev3d._errors import DataFormatError
from bev3d.boxes import wrap_angle
from bev3d.boxes.convert import from_kitti_camera, to_kitti_camera
from bev3d.data import Detections, KittiCalib, KittiDataset
from bev3d.data.kitti import read_labels
from bev3d.evaluation._match_tokens import match_tokens
from bev3d.evaluation.kitti._projection import image_boxes

__all__ = ["read_kitti", "write_kitti"]


def write_kitti(path: str | os.PathLike[str], detections: Mapping[str, Detections], dataset: KittiDataset) -> None:
    """Write a folder of result files; see :func:`bev3d.evaluation.write_submission`."""
    match_tokens("detections", detections, dataset.tokens)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # All files are written to a folder beside the target first: a failure leaves nothing half done.
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for i, token in enumerate(dataset.tokens):
            lines = _result_lines(detections[token], dataset.calib(i), dataset.image_size(i))
            (temporary / f"{token}.txt").write_text("".join(lines), encoding="ascii")
        target.mkdir(exist_ok=True)
        for file in temporary.iterdir():
            os.replace(file, target / file.name)
    finally:
        shutil.rmtree(temporary)


def read_kitti(path: str | os.PathLike[str], dataset: KittiDataset) -> dict[str, Detections]:
    """Read result files into the velodyne frame; see :func:`bev3d.evaluation.read_submission`."""
    index_of = {name: i for i, name in enumerate(dataset.class_names)}
    read = {}
    for i, token in enumerate(dataset.tokens):
        file = Path(path) / f"{token}.txt"
        lines = read_labels(file, need_scores=True)
        unknown = [name for name in lines.names if name not in index_of]
        if unknown:
            expected = ", ".join(dataset.class_names)
            raise DataFormatError(f"{file}: expected classes out of {expected}, got {unknown[0]!r}")
        boxes = np.full((len(lines), 9), np.nan)
        boxes[:, :7] = from_kitti_camera(lines.dimensions_hwl, lines.location, lines.rotation_y, dataset.calib(i))
        labels = np.array([index_of[name] for name in lines.names], dtype=np.int64)
        order = np.argsort(-lines.scores, kind="stable")
        read[token] = Detections(token, boxes[order], lines.scores[order], labels[order], dataset.class_names)
    return read


def _result_lines(found: Detections, calib: KittiCalib, image_size: tuple[int, int]) -> list[str]:
    boxes = found.boxes[:, :7]
    pixels, visible = image_boxes(boxes, calib, image_size)
    dimensions, location, rotation_y = to_kitti_camera(boxes, calib)
    alpha = wrap_angle(rotation_y - np.arctan2(location[:, 0], location[:, 2]))
    lines = []
    for k in np.argsort(-found.scores, kind="stable"):
        if visible[k]:
            name = found.class_names[found.labels[k]]
            numbers = (*pixels[k], *dimensions[k], *location[k], rotation_y[k], found.scores[k])
            # Truncation and occlusion are not estimated: -1, as the benchmark asks.
            lines.append(f"{name} -1 -1 {alpha[k]:.6f} {_joined(numbers)}\n")
    return lines


def _joined(numbers: tuple[np.float64, ...]) -> str:
    return " ".join(f"{float(number):.6f}" for number in numbers)
