"""Ground truth of samples as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data import DETECTION_CLASSES, NuScenesTables
from bev3d.data.nuscenes import DETECTION_CLASS_OF_CATEGORY
from bev3d.data.nuscenes._access import Indices
from bev3d.data.nuscenes._annotations import check_annotations, first_attributes, velocities
from bev3d.data.nuscenes._rows import AnnotationRow
from bev3d.evaluation.nuscenes._attributes import ATTRIBUTE_NAMES
from bev3d.evaluation.nuscenes._columns import NO_ATTRIBUTE, BoxColumns

__all__ = ["GroundTruth", "read_truth"]

TABLE = "sample_annotation"
RACK = "static_object.bicycle_rack"
IS_RACK, OTHER = -1, -2  # in place of a label
UNKNOWN = -2  # in place of an attribute
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
        DataFormatError: an unknown sample or one without LiDAR, an impossible box, several attributes or an unknown
            one; the text names the annotation.
    """
    samples = tables.indices("sample", tokens)
    poses = tables.follow("sample_data", "ego_pose_token", tables.key_frame_indices(samples))
    ego_xy = tables.array("ego_pose", "translation")[poses, :2]
    rows, sample = tables.annotation_indices(samples)
    category = tables.follow("instance", "category_token", tables.follow(TABLE, "instance_token", rows))
    label_of = np.array([_LABELS.get(name, IS_RACK if name == RACK else OTHER) for name in tables.names("category")])
    label = label_of.astype(np.int64)[category]
    wanted = label != OTHER
    boxes = _columns(tables, rows[wanted], sample[wanted], label[wanted])
    rack = boxes.label == IS_RACK
    return GroundTruth(tuple(tokens), ego_xy, boxes.take(~rack), boxes.take(rack))


def _columns(tables: NuScenesTables, rows: Indices, samples: Indices, labels: Indices) -> BoxColumns:
    check_annotations(tables, rows)
    return replace(
        BoxColumns.empty(len(rows)),
        sample=samples,
        translation=tables.array(TABLE, "translation")[rows],
        size=tables.array(TABLE, "size")[rows],
        rotation=tables.array(TABLE, "rotation")[rows],
        velocity=velocities(tables, rows),
        score=np.full(len(rows), -1.0),
        label=labels,
        attribute=_attributes(tables, rows),
        num_points=tables.array(TABLE, "num_lidar_pts")[rows] + tables.array(TABLE, "num_radar_pts")[rows],
    )


def _attributes(tables: NuScenesTables, rows: Indices) -> Indices:
    """Indices of attributes, :data:`NO_ATTRIBUTE` without one."""
    count = tables.array(TABLE, "attribute_tokens#")[rows]
    index_of = {name: k for k, name in enumerate(ATTRIBUTE_NAMES)} | {"": NO_ATTRIBUTE}
    found = np.array([index_of.get(name, UNKNOWN) for name in first_attributes(tables, rows)], dtype=np.int64)
    for k in np.flatnonzero((count > 1) | (found == UNKNOWN)):
        row = cast(AnnotationRow, tables.row(TABLE, int(rows[k])))
        expected = ", ".join(ATTRIBUTE_NAMES)
        raise DataFormatError(
            f"{tables.path(TABLE)}, token {row['token']}: expected at most one attribute out of "
            f"{expected}, got {', '.join(tables.attribute_names(row))}"
        )
    return found
