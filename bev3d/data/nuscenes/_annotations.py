"""Ground truth of one nuScenes sample, in the global frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.boxes.convert import from_nuscenes
from bev3d.data.nuscenes._rows import AnnotationRow
from bev3d.data.nuscenes._tables import NuScenesTables

__all__ = ["GlobalAnnotations", "read_annotations", "velocities"]

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
        DataFormatError: a size that is not positive or a number that is not finite; the text names the annotation.
    """
    rows = tables.sample_annotations(sample_token)
    translation = np.array([row["translation"] for row in rows], dtype=np.float64).reshape(-1, 3)
    size_wlh = np.array([row["size"] for row in rows], dtype=np.float64).reshape(-1, 3)
    rotation = np.array([row["rotation"] for row in rows], dtype=np.float64).reshape(-1, 4)
    _check(tables, rows, translation, size_wlh, rotation)
    velocity = velocities(tables, rows)
    return GlobalAnnotations(
        boxes=from_nuscenes(translation, size_wlh, rotation, velocity),
        categories=tuple(tables.category_name(row) for row in rows),
        attributes=tuple(next(iter(tables.attribute_names(row)), "") for row in rows),
        tokens=tuple(row["token"] for row in rows),
        num_lidar_points=np.array([row["num_lidar_pts"] for row in rows], dtype=np.int64),
        num_radar_points=np.array([row["num_radar_pts"] for row in rows], dtype=np.int64),
    )


def velocities(tables: NuScenesTables, rows: list[AnnotationRow]) -> NDArray[np.float64]:
    """Velocity over ground by centred differences, as ``nuscenes-devkit`` defines it.

    v = (x_next - x_prev) / (t_next - t_prev), one-sided at the ends of a track. NaN for an object that is annotated
    once, and where the gap exceeds 1.5 s (3 s if centred).

    Args:
        tables: where neighbours in time are looked up.
        rows: N annotations.

    Returns:
        (N, 2) float64, metres per second in the global frame.
    """
    first = [tables.annotation(row["prev"]) if row["prev"] else row for row in rows]
    last = [tables.annotation(row["next"]) if row["next"] else row for row in rows]
    centred = np.array([bool(row["prev"] and row["next"]) for row in rows], dtype=bool)
    moved = _positions(last) - _positions(first)
    seconds = _seconds(tables, last) - _seconds(tables, first)
    known = (seconds > 0) & (seconds <= np.where(centred, 2 * MAX_SECONDS, MAX_SECONDS))
    result = np.full((len(rows), 2), np.nan)
    result[known] = moved[known] / seconds[known, None]
    return result


def _positions(rows: list[AnnotationRow]) -> NDArray[np.float64]:
    return np.array([row["translation"][:2] for row in rows], dtype=np.float64).reshape(-1, 2)


def _seconds(tables: NuScenesTables, rows: list[AnnotationRow]) -> NDArray[np.float64]:
    # Microseconds are turned to seconds before they are subtracted: bit for bit what the devkit gets.
    return np.array([1e-6 * tables.sample(row["sample_token"])["timestamp"] for row in rows], dtype=np.float64)


def _check(tables: NuScenesTables, rows: list[AnnotationRow], *columns: NDArray[np.float64]) -> None:
    numbers = np.concatenate(columns, axis=1)
    for what, good in (
        ("finite numbers", np.isfinite(numbers).all(axis=1)),
        ("three sizes > 0", (columns[1] > 0).all(axis=1)),
        ("a rotation other than 0", columns[2].any(axis=1)),
    ):
        bad = np.flatnonzero(~good)
        if bad.size:
            row = rows[bad[0]]
            raise DataFormatError(
                f"{tables.path('sample_annotation')}, token {row['token']}: expected {what}, got translation "
                f"{row['translation']}, size {row['size']}, rotation {row['rotation']} ({bad.size} such boxes in "
                f"sample {row['sample_token']})"
            )
