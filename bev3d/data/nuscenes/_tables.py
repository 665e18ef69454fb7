"""The 13 tables of a nuScenes folder, read as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data.nuscenes._access import Indices, TableAccess
from bev3d.data.nuscenes._poses import pose_matrix
from bev3d.data.nuscenes._rows import AnnotationRow, CalibratedSensorRow, EgoPoseRow, SampleDataRow, SampleRow, SceneRow
from bev3d.data.nuscenes._store import FIRST, ORDER, group_members

__all__ = ["NuScenesTables"]


class NuScenesTables(TableAccess):
    """Rows by token, and the links between them that a LiDAR detector needs. No devkit is involved.

    The JSON is read once, into columns; they are kept in files of NumPy's beside the tables, or in the user's cache
    folder where that cannot be written to, and mapped into memory from then on. Rows are decoded one by one when they
    are asked for, out of the JSON itself. The cache goes by the tables' sizes and times of last change, is checked
    before it is used, and made anew where it is damaged. Tables below 64 MiB are parsed on first use, without a cache.

    Pickled, a reader is opened again where it is unpickled, so that worker processes share the mapped memory.

    Args:
        dataroot: folder that holds the tables' folder, ``samples`` and ``sweeps``.
        version: name of the tables' folder, such as ``"v1.0-mini"``.
        cache: False for none, or the folder to keep it in, whatever the tables' size.

    Raises:
        DataFormatError: no such folder, a missing table, JSON that is not a list of rows, a row without a key that
            is needed or with a value of another kind, a token that two rows have or that no row has; the text names
            the table and the token.
    """

    def __reduce__(self) -> Any:
        return _open_again, (type(self), (self.dataroot, self.version), self.cache)

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
        rows, _ = self.annotation_indices(self.indices("sample", [sample_token]))
        return [cast(AnnotationRow, self.row("sample_annotation", row)) for row in rows.tolist()]

    def annotation_indices(self, samples: Indices) -> tuple[Indices, Indices]:
        """Rows of ``sample_annotation`` that belong to rows of ``sample``.

        Returns:
            (N,) the rows, sample by sample and in the table's order, and (N,) the place in ``samples`` of each.
        """
        return group_members(samples, self.array("sample_annotation", ORDER), self.array("sample_annotation", FIRST))

    def category_name(self, annotation: AnnotationRow) -> str:
        """Name of the category, such as ``vehicle.car``."""
        instance = self.get("instance", annotation["instance_token"])
        return cast(str, self.get("category", instance["category_token"])["name"])

    def attribute_names(self, annotation: AnnotationRow) -> tuple[str, ...]:
        """Names of the attributes, such as ``vehicle.moving``; mostly none or one."""
        return tuple(self.get("attribute", token)["name"] for token in annotation["attribute_tokens"])

    def key_frame(self, sample_token: str, channel: str = "LIDAR_TOP") -> SampleDataRow:
        """The sensor's file that belongs to the annotated instant."""
        row = self.key_frame_indices(self.indices("sample", [sample_token]), channel)[0]
        return cast(SampleDataRow, self.row("sample_data", int(row)))

    def key_frame_indices(self, samples: Indices, channel: str = "LIDAR_TOP") -> Indices:
        """(N,) the same as rows of ``sample_data`` for rows of ``sample``.

        Raises:
            DataFormatError: a sample without such a file.
        """
        rows, owner = group_members(samples, self.array("sample_data", ORDER), self.array("sample_data", FIRST))
        calibration = self.array("sample_data", "calibrated_sensor_token")[rows].astype(np.int64)
        sensor = np.full(len(rows), -1)
        sensor[calibration >= 0] = self.follow("calibrated_sensor", "sensor_token", calibration[calibration >= 0])
        wanted = np.array([name == channel for name in self.names("sensor")], dtype=bool)
        here = (sensor >= 0) & np.append(wanted, False)[sensor]
        found = np.full(len(samples), -1, dtype=np.int64)
        found[owner[here]] = rows[here]
        for k in np.flatnonzero(found < 0):
            token = self.row("sample", int(samples[k]))["token"]
            raise DataFormatError(
                f"{self.path('sample_data')}: expected a key frame of {channel} for sample {token}, found none"
            )
        return found

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


def _open_again(kind: type[NuScenesTables], arguments: tuple[Any, ...], cache: Any) -> NuScenesTables:
    return kind(*arguments, cache=cache)
