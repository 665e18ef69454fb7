"""Ground truth of samples as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data import DETECTION_CLASSES, NuScenesTables
from bev3d.data.nuscenes import DETECTION_CLASS_OF_CATEGORY
from bev3d.data.nuscenes._annotations import velocities
from bev3d.data.nuscenes._rows import AnnotationRow
from bev3d.evaluation.nuscenes._attributes import ATTRIBUTE_NAMES
from bev3d.evaluation.nuscenes._columns import NO_ATTRIBUTE, BoxColumns

__all__ = ["GroundTruth", "read_truth"]

RACK = "static_object.bicycle_rack"
_LABELS = {category: DETECTION_CLASSES.index(name) for category, name in DETECTION_CLASS_OF_CATEGORY.items()}


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What predictions are compared with.

    Attributes:
        tokens: S samples.
        ego_xy: (S, 2) float64, the vehicle in the global frame when the LiDAR's key frame was taken, metres.
        boxes: of the ten classes, unfiltered, in the order of ``tokens`` and of the table.
        racks: bicycle racks; their label means nothing.
    """

    tokens: tuple[str, ...]
    ego_xy: NDArray[np.float64]
    boxes: BoxColumns
    racks: BoxColumns


def read_truth(tables: NuScenesTables, tokens: Sequence[str]) -> GroundTruth:
    """Annotations of these samples.

    Raises:
        DataFormatError: a sample without LiDAR, an impossible box, several attributes or an unknown one; the text names
            the annotation.
    """
    ego = [tables.get("ego_pose", tables.key_frame(token)["ego_pose_token"])["translation"][:2] for token in tokens]
    rows: list[AnnotationRow] = []
    samples: list[int] = []
    labels: list[int] = []
    for sample, token in enumerate(tokens):
        for row in tables.sample_annotations(token):
            category = tables.category_name(row)
            if category in _LABELS or category == RACK:
                rows.append(row)
                samples.append(sample)
                labels.append(_LABELS.get(category, -1))
    boxes = _columns(tables, rows, samples, labels)
    rack = boxes.label < 0
    return GroundTruth(
        tuple(tokens), np.array(ego, dtype=np.float64).reshape(-1, 2), boxes.take(~rack), boxes.take(rack)
    )


def _columns(tables: NuScenesTables, rows: list[AnnotationRow], samples: list[int], labels: list[int]) -> BoxColumns:
    points = [row["num_lidar_pts"] + row["num_radar_pts"] for row in rows]
    boxes = replace(
        BoxColumns.empty(len(rows)),
        sample=np.array(samples, dtype=np.int64),
        translation=np.array([row["translation"] for row in rows], dtype=np.float64).reshape(-1, 3),
        size=np.array([row["size"] for row in rows], dtype=np.float64).reshape(-1, 3),
        rotation=np.array([row["rotation"] for row in rows], dtype=np.float64).reshape(-1, 4),
        velocity=velocities(tables, rows),
        score=np.full(len(rows), -1.0),
        label=np.array(labels, dtype=np.int64),
        attribute=np.array([_attribute(tables, row) for row in rows], dtype=np.int64),
        num_points=np.array(points, dtype=np.int64),
    )
    _check(tables, rows, boxes)
    return boxes


def _attribute(tables: NuScenesTables, row: AnnotationRow) -> int:
    names = tables.attribute_names(row)
    if not names:
        return NO_ATTRIBUTE
    if len(names) > 1 or names[0] not in ATTRIBUTE_NAMES:
        expected = ", ".join(ATTRIBUTE_NAMES)
        raise DataFormatError(
            f"{tables.path('sample_annotation')}, token {row['token']}: expected at most one attribute out of "
            f"{expected}, got {', '.join(names)}"
        )
    return ATTRIBUTE_NAMES.index(names[0])


def _check(tables: NuScenesTables, rows: list[AnnotationRow], boxes: BoxColumns) -> None:
    numbers: NDArray[Any] = np.concatenate([boxes.translation, boxes.size, boxes.rotation], axis=1)
    for what, good in (
        ("finite numbers", np.isfinite(numbers).all(axis=1)),
        ("three sizes > 0", (boxes.size > 0).all(axis=1)),
        ("a rotation other than 0", boxes.rotation.any(axis=1)),
    ):
        for k in np.flatnonzero(~good):
            row = rows[k]
            raise DataFormatError(
                f"{tables.path('sample_annotation')}, token {row['token']}: expected {what}, got translation "
                f"{row['translation']}, size {row['size']}, rotation {row['rotation']}"
            )
