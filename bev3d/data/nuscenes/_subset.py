"""The tables as if some scenes were all there is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from bev3d.data.nuscenes._access import Indices
from bev3d.data.nuscenes._splits import scene_rows
from bev3d.data.nuscenes._store import FIRST, ORDER, group_members
from bev3d.data.nuscenes._tables import NuScenesTables

__all__ = ["NuScenesSubset"]


class NuScenesSubset(NuScenesTables):
    """The rows of some scenes; what is outside them cannot be found, and is not read from the mapped cache.

    Scenes, samples, annotations, instances, files of the sensors and their poses and calibrations are those of the
    scenes; the other tables, which are small, are whole. :meth:`array` and places of rows are those of whole tables.

    Args:
        dataroot: folder that holds the tables' folder, ``samples`` and ``sweeps``.
        version: name of the tables' folder.
        scenes: a split's name, or scene names (see :func:`bev3d.data.nuscenes.scene_names`).
        cache: see :class:`NuScenesTables`.

    Raises:
        DataFormatError: as :class:`NuScenesTables`; an unknown split, a scene that is not in the tables.
    """

    def __init__(
        self,
        dataroot: str | os.PathLike[str],
        version: str,
        scenes: str | Sequence[str],
        *,
        cache: bool | str | os.PathLike[str] = True,
    ) -> None:
        super().__init__(dataroot, version, cache=cache)
        self.scenes = scenes if isinstance(scenes, str) else tuple(scenes)
        self._rows: dict[str, Indices] = {}

    def __reduce__(self) -> Any:
        function, (kind, arguments, cache) = super().__reduce__()
        return function, (kind, (*arguments, self.scenes), cache)

    def chosen_rows(self, table: str) -> Indices | None:
        if table not in self._choosers:
            return None
        if table not in self._rows:
            self._rows[table] = np.sort(self._choosers[table]())
        return self._rows[table]

    @property
    def _restriction(self) -> str:
        named = repr(self.scenes) if isinstance(self.scenes, str) else ", ".join(self.scenes[:10])
        return f" in the scenes of {named}"

    @cached_property
    def _choosers(self) -> dict[str, Callable[[], Indices]]:
        return {
            "scene": self._scenes,
            "sample": lambda: self._owned("sample", self._rows_of("scene")),
            "sample_annotation": lambda: self.annotation_indices(self._rows_of("sample"))[0],
            "instance": lambda: self._linked("sample_annotation", "instance_token"),
            "sample_data": self._files_of_samples,
            "ego_pose": lambda: self._linked("sample_data", "ego_pose_token"),
            "calibrated_sensor": lambda: self._linked("sample_data", "calibrated_sensor_token"),
        }

    def _rows_of(self, table: str) -> Indices:
        rows = self.chosen_rows(table)
        assert rows is not None
        return rows

    def _scenes(self) -> Indices:
        return scene_rows(self, self.scenes)

    def _owned(self, table: str, owners: Indices) -> Indices:
        return group_members(owners, self.array(table, ORDER), self.array(table, FIRST))[0]

    def _files_of_samples(self) -> Indices:
        owner = self.array("sample_data", "sample_token")
        wanted = np.zeros(len(self._columns("sample")) + 2, dtype=bool)  # -1 and -2 are nobody's
        wanted[self._rows_of("sample")] = True
        return np.flatnonzero(wanted[owner])

    def _linked(self, table: str, field: str) -> Indices:
        found = self.array(table, field)[self._rows_of(table)].astype(np.int64)
        return np.unique(found[found >= 0])
