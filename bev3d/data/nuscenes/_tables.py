"""The 13 tables of a nuScenes folder, read as they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data.nuscenes._poses import pose_matrix
from bev3d.data.nuscenes._rows import (
    REQUIRED_KEYS,
    TABLE_NAMES,
    AnnotationRow,
    CalibratedSensorRow,
    EgoPoseRow,
    SampleDataRow,
    SampleRow,
    SceneRow,
)

__all__ = ["NuScenesTables"]

Row = dict[str, Any]


class NuScenesTables:
    """Rows by token, and the links between them that a LiDAR detector needs. No devkit is involved.

    A table is parsed when it is first asked for; that all 13 exist is checked at once.

    Args:
        dataroot: folder that holds the tables' folder, ``samples`` and ``sweeps``.
        version: name of the tables' folder, such as ``"v1.0-mini"``.

    Raises:
        DataFormatError: no such folder, a missing table, JSON that is not a list of rows, a row without a key that
            is needed, or a token that no row has; the text names the table and the token.
    """

    def __init__(self, dataroot: str | os.PathLike[str], version: str) -> None:
        self.dataroot = Path(dataroot)
        self.version = version
        self.folder = self.dataroot / version
        self._rows: dict[str, list[Row]] = {}
        self._by_token: dict[str, dict[str, Row]] = {}
        if not self.folder.is_dir():
            raise DataFormatError(f"{self.folder}: no such folder; expected the nuScenes tables of {version}")
        for table in TABLE_NAMES:
            if not self.path(table).is_file():
                raise DataFormatError(f"{self.path(table)}: missing; a nuScenes folder has {len(TABLE_NAMES)} tables")

    def path(self, table: str) -> Path:
        """File of a table."""
        return self.folder / f"{table}.json"

    def rows(self, table: str) -> list[Row]:
        """All rows of a table in the file's order."""
        if table not in self._rows:
            self._rows[table] = _read_rows(self.path(table), REQUIRED_KEYS[table])
        return self._rows[table]

    def get(self, table: str, token: str) -> Row:
        """The row with this token."""
        if table not in self._by_token:
            self._by_token[table] = {row["token"]: row for row in self.rows(table)}
        try:
            return self._by_token[table][token]
        except KeyError:
            raise DataFormatError(f"{self.path(table)}: no row has the token {token!r}") from None

    def scene(self, token: str) -> SceneRow:
        """Row of ``scene``."""
        return cast(SceneRow, self.get("scene", token))

    def sample(self, token: str) -> SampleRow:
        """Row of ``sample``."""
        return cast(SampleRow, self.get("sample", token))

    def sample_data(self, token: str) -> SampleDataRow:
        """Row of ``sample_data``."""
        return cast(SampleDataRow, self.get("sample_data", token))

    def annotation(self, token: str) -> AnnotationRow:
        """Row of ``sample_annotation``."""
        return cast(AnnotationRow, self.get("sample_annotation", token))

    def sample_annotations(self, sample_token: str) -> list[AnnotationRow]:
        """Rows of ``sample_annotation`` of one sample, in the table's order."""
        return self._annotations_of.get(sample_token, [])

    def category_name(self, annotation: AnnotationRow) -> str:
        """Name of the category, such as ``vehicle.car``."""
        instance = self.get("instance", annotation["instance_token"])
        return cast(str, self.get("category", instance["category_token"])["name"])

    def attribute_names(self, annotation: AnnotationRow) -> tuple[str, ...]:
        """Names of the attributes, such as ``vehicle.moving``; mostly none or one."""
        return tuple(self.get("attribute", token)["name"] for token in annotation["attribute_tokens"])

    def key_frame(self, sample_token: str, channel: str = "LIDAR_TOP") -> SampleDataRow:
        """The sensor's file that belongs to the annotated instant."""
        try:
            return self._key_frames[sample_token, channel]
        except KeyError:
            self.sample(sample_token)
            raise DataFormatError(
                f"{self.path('sample_data')}: expected a key frame of {channel} for sample {sample_token}, found none"
            ) from None

    def sweeps(self, key_frame: SampleDataRow, count: int) -> Iterator[SampleDataRow]:
        """The key frame and the files before it, newest first, at most ``count``."""
        row = key_frame
        for i in range(count):
            yield row
            if not row["prev"] or i + 1 == count:
                return
            row = self.sample_data(row["prev"])

    def global_from_ego(self, row: SampleDataRow) -> NDArray[np.float64]:
        """(4, 4) pose of the vehicle when the file was taken."""
        return self._pose("ego_pose", cast(EgoPoseRow, self.get("ego_pose", row["ego_pose_token"])))

    def ego_from_sensor(self, row: SampleDataRow) -> NDArray[np.float64]:
        """(4, 4) pose of the sensor on the vehicle."""
        sensor = cast(CalibratedSensorRow, self.get("calibrated_sensor", row["calibrated_sensor_token"]))
        return self._pose("calibrated_sensor", sensor)

    def global_from_sensor(self, row: SampleDataRow) -> NDArray[np.float64]:
        """(4, 4) pose of the sensor in the world when the file was taken."""
        return self.global_from_ego(row) @ self.ego_from_sensor(row)

    def _pose(self, table: str, row: EgoPoseRow | CalibratedSensorRow) -> NDArray[np.float64]:
        try:
            return pose_matrix(row["translation"], row["rotation"])
        except ValueError as error:
            raise DataFormatError(f"{self.path(table)}, token {row['token']}: {error}") from None

    @cached_property
    def _annotations_of(self) -> dict[str, list[AnnotationRow]]:
        found: dict[str, list[AnnotationRow]] = {}
        for row in self.rows("sample_annotation"):
            found.setdefault(row["sample_token"], []).append(cast(AnnotationRow, row))
        return found

    @cached_property
    def _key_frames(self) -> dict[tuple[str, str], SampleDataRow]:
        channel = {
            row["token"]: self.get("sensor", row["sensor_token"])["channel"] for row in self.rows("calibrated_sensor")
        }
        return {
            (row["sample_token"], channel[row["calibrated_sensor_token"]]): cast(SampleDataRow, row)
            for row in self.rows("sample_data")
            if row["is_key_frame"] and row["calibrated_sensor_token"] in channel
        }


def _read_rows(path: Path, required: frozenset[str]) -> list[Row]:
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataFormatError(f"{path}: expected JSON, got {error}") from None
    if not isinstance(rows, list):
        raise DataFormatError(f"{path}: expected a list of rows, got {type(rows).__name__}")
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataFormatError(f"{path}, row {i}: expected an object, got {type(row).__name__}")
        if not row.keys() >= required:
            missing = ", ".join(sorted(required - row.keys()))
            raise DataFormatError(f"{path}, row {i} (token {row.get('token')!r}): missing key {missing}")
    return rows
