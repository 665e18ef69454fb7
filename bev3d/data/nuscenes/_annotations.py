"""Ground truth of one nuScenes sample, in the global frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.boxes.convert import from_nuscenes
from bev3d.data.nuscenes._access import Indices
from bev3d.data.nuscenes._tables import NuScenesTables
from bev3d_ops.cpu._token_keys import NONE

__all__ = ["GlobalAnnotations", "check_annotations", "first_attributes", "read_annotations", "velocities"]

TABLE = "sample_annotation"
MAX_SECONDS = 1.5


@dataclass(frozen=True, eq=False)
class GlobalAnnotations:
    """Boxes of one sample in the order of the ``sample_annotation`` table.

    Attributes:
        boxes: (N, 9) float64 in the global frame.
        categories: N raw names, such as ``vehicle.car``.
        attributes: N names, empty where an object has none.
        tokens: N tokens of ``sample_annotation``.
        num_lidar_points: (N,) int64.
        num_radar_points: (N,) int64.
    """

    boxes: NDArray[np.float64]
    categories: tuple[str, ...]
    attributes: tuple[str, ...]
    tokens: tuple[str, ...]
    num_lidar_points: NDArray[np.int64]
    num_radar_points: NDArray[np.int64]


def read_annotations(tables: NuScenesTables, sample_token: str) -> GlobalAnnotations:
    """All annotations of a sample, whatever their category.

    Raises:
        DataFormatError: an unknown sample, a size that is not positive or a number that is not finite; the text names
            the annotation.
    """
    rows, _ = tables.annotation_indices(tables.indices("sample", [sample_token]))
    check_annotations(tables, rows)
    translation, size_wlh, rotation = (tables.array(TABLE, name)[rows] for name in ("translation", "size", "rotation"))
    category = tables.follow("instance", "category_token", tables.follow(TABLE, "instance_token", rows))
    return GlobalAnnotations(
        boxes=from_nuscenes(translation, size_wlh, rotation, velocities(tables, rows)),
        categories=tuple(tables.names("category")[k] for k in category.tolist()),
        attributes=first_attributes(tables, rows),
        tokens=tuple(tables.row(TABLE, row)["token"] for row in rows.tolist()),
        num_lidar_points=tables.array(TABLE, "num_lidar_pts")[rows],
        num_radar_points=tables.array(TABLE, "num_radar_pts")[rows],
    )


def first_attributes(tables: NuScenesTables, rows: Indices) -> tuple[str, ...]:
    """Name of the first attribute of annotations; empty where there is none."""
    known = tables.array(TABLE, "attribute_tokens#")[rows] > 0
    attribute = np.full(len(rows), -1)
    attribute[known] = tables.follow(TABLE, "attribute_tokens", rows[known])
    names = (*tables.names("attribute"), "")
    return tuple(names[k] for k in attribute.tolist())


def velocities(tables: NuScenesTables, rows: Indices) -> NDArray[np.float64]:
    """Velocity over ground by centred differences, as ``nuscenes-devkit`` defines it.

    v = (x_next - x_prev) / (t_next - t_prev), one-sided at the ends of a track. NaN for an object that is annotated
    once, and where the gap exceeds 1.5 s (3 s if centred).

    Args:
        tables: where neighbours in time are looked up.
        rows: (N,) of ``sample_annotation``.

    Returns:
        (N, 2) float64, metres per second in the global frame.
    """
    first, last = _neighbours(tables, rows, "prev"), _neighbours(tables, rows, "next")
    centred = (first != rows) & (last != rows)
    place = tables.array(TABLE, "translation")
    moved = place[last, :2] - place[first, :2]
    seconds = _seconds(tables, last) - _seconds(tables, first)
    known = (seconds > 0) & (seconds <= np.where(centred, 2 * MAX_SECONDS, MAX_SECONDS))
    result = np.full((len(rows), 2), np.nan)
    result[known] = moved[known] / seconds[known, None]
    return result


def _neighbours(tables: NuScenesTables, rows: Indices, field: str) -> Indices:
    """The annotation before or after each, itself at the end of a track."""
    neighbours = rows.copy()
    linked = tables.array(TABLE, field)[rows] != NONE
    neighbours[linked] = tables.follow(TABLE, field, rows[linked])
    return neighbours


def _seconds(tables: NuScenesTables, rows: Indices) -> NDArray[np.float64]:
    # Microseconds are turned to seconds before they are subtracted: bit for bit what the devkit gets.
    samples = tables.follow(TABLE, "sample_token", rows)
    return np.asarray(1e-6 * tables.array("sample", "timestamp")[samples], dtype=np.float64)


def check_annotations(tables: NuScenesTables, rows: Indices) -> None:
    """Raise where a box cannot be; the text names the annotation."""
    translation, size, rotation = (tables.array(TABLE, name)[rows] for name in ("translation", "size", "rotation"))
    numbers = np.concatenate([translation, size, rotation], axis=1)
    for what, good in (
        ("finite numbers", np.isfinite(numbers).all(axis=1)),
        ("three sizes > 0", (size > 0).all(axis=1)),
        ("a rotation other than 0", rotation.any(axis=1)),
    ):
        bad = np.flatnonzero(~good)
        if bad.size:
            row = tables.row(TABLE, int(rows[bad[0]]))
            raise DataFormatError(
                f"{tables.path(TABLE)}, token {row['token']}: expected {what}, got translation {row['translation']}, "
                f"size {row['size']}, rotation {row['rotation']} (sample {row['sample_token']}; {bad.size} of "
                f"{len(rows)} such boxes)"
            )
