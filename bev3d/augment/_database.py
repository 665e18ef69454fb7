"""Objects cut out of their scenes, to be pasted into others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import ConfigError, DataFormatError

__all__ = ["FORMAT", "INDEX", "POINTS", "PasteDatabase"]

FORMAT = 1
INDEX, POINTS = "index.json", "points.npy"


class PasteDatabase:
    """What :func:`build_database` wrote. The points stay on the disk until an object is asked for.

    Attributes:
        class_names: the classes that labels index.
        boxes: (M, 9) float64 in the frame of the object's scene; velocity NaN where unknown.
        labels: (M,) int64.
        num_points: (M,) int64, of all sweeps.
        difficulty: (M,) int64, or None where the data set knows none.
        tokens: of the M objects' samples.
        members: per class the rows (int64) of its objects.
        min_points: (classes,) int64, points that an object has to have.

    Args:
        folder: of the database.
        class_names: the classes wanted, in the order of the labels; all that it has where None.
        min_points: objects with fewer points are left out; one number or one by class name.
        difficulties: objects of others are left out; None: none is. KITTI: 0, 1, 2, and -1 for harder than hard.

    Raises:
        DataFormatError: no database, or a damaged one.
        ConfigError: a class that it does not have, difficulties where it knows none.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        class_names: Sequence[str] | None = None,
        min_points: int | Mapping[str, int] = 5,
        difficulties: Sequence[int] | None = None,
    ) -> None:
        self.folder = Path(folder)
        index = _read_index(self.folder / INDEX)
        self.settings: dict[str, Any] = index["settings"]
        there = tuple(index["class_names"])
        self.class_names = there if class_names is None else tuple(class_names)
        for name in self.class_names:
            if name not in there:
                raise ConfigError(f"class_names: expected classes out of {', '.join(there)}, got {name!r}")
        self.columns = tuple(index["columns"])
        objects = index["objects"]
        counts = np.array(objects["num_points"], np.int64)
        label_of = np.array([self.class_names.index(name) if name in self.class_names else -1 for name in there])
        labels = label_of[np.array(objects["label"], np.int64)] if len(counts) else np.empty(0, np.int64)
        self.min_points = _least(min_points, self.class_names)
        wanted = (labels >= 0) & (counts >= self.min_points[labels])
        difficulty = objects["difficulty"]
        if difficulties is not None:
            if difficulty is None:
                raise ConfigError(f"difficulties: expected None, since {self.folder} knows none, got {difficulties}")
            wanted &= np.isin(difficulty, list(difficulties))
        rows = np.flatnonzero(wanted)
        self.boxes = np.array(objects["box"], np.float64).reshape(-1, 9)[rows]
        self.labels, self.num_points = labels[rows], counts[rows]
        self.difficulty = None if difficulty is None else np.array(difficulty, np.int64)[rows]
        self.tokens = tuple(objects["token"][row] for row in rows)
        self.members = tuple(np.flatnonzero(self.labels == c) for c in range(len(self.class_names)))
        self._starts = (np.cumsum(counts) - counts)[rows]
        self._total = int(counts.sum())
        self._points: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def crop(self, row: int) -> NDArray[np.float32]:
        """(P, C) points of an object where its scene had them, by rising time lag; a view of the file.

        Raises:
            DataFormatError: the file of the points does not fit the index.
        """
        if self._points is None:
            self._points = _open_points(self.folder / POINTS, (self._total, len(self.columns)))
        start = int(self._starts[row])
        return self._points[start : start + int(self.num_points[row])]

    def __getstate__(self) -> dict[str, Any]:
        """Another process opens the file itself."""
        return {**self.__dict__, "_points": None}


def _least(min_points: int | Mapping[str, int], class_names: Sequence[str]) -> NDArray[np.int64]:
    """Points by class; without classes, one number that nothing asks for."""
    if isinstance(min_points, Mapping):
        unknown = sorted(set(min_points) - set(class_names))
        if unknown:
            raise ConfigError(f"min_points: expected classes out of {', '.join(class_names)}, got {unknown[0]!r}")
        numbers = [min_points.get(name, 1) for name in class_names]
    else:
        numbers = [min_points] * len(class_names)
    return np.array([max(number, 1) for number in numbers] or [1], np.int64)


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataFormatError(f"{path}: no such file; expected the index of a database of objects") from error
    except (OSError, ValueError) as error:
        raise DataFormatError(f"{path}: expected the index of a database of objects, got: {error}") from error
    found = index.get("format") if isinstance(index, dict) else None
    if found != FORMAT:
        raise DataFormatError(f"{path}: expected a database of format {FORMAT}, got {found}")
    return index


def _open_points(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    if not shape[0]:
        return np.zeros(shape, np.float32)  # an empty file cannot be mapped
    try:
        points = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataFormatError(f"{path}: expected the points of a database, got: {error}") from error
    if points.shape != shape or points.dtype != np.float32:
        expected = f"float32 of shape {shape}, as the index says"
        raise DataFormatError(f"{path}: expected {expected}, got {points.dtype} of shape {points.shape}")
    # a plain view: slices of a memmap cost microseconds each for their bookkeeping
    return np.asarray(points).view(np.ndarray)
