"""Objects of samples with their points: one part of a database."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d._files import atomic_path
from bev3d.data import Dataset, Sample
from bev3d.points import points_in_boxes_pairs

__all__ = ["Part", "crops_of", "join", "read_part", "write_part"]

NO_DIFFICULTY = np.iinfo(np.int64).min
_TIME_LAG = 4


class Part(NamedTuple):
    """M objects and their points.

    Attributes:
        tokens: of the M objects' samples.
        boxes: (M, 9) float64.
        labels, num_points, difficulty: (M,) int64; ``NO_DIFFICULTY`` where the data set knows none.
        points: (sum of num_points, 5) float32, object after object.
    """

    tokens: tuple[str, ...]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    num_points: NDArray[np.int64]
    difficulty: NDArray[np.int64]
    points: NDArray[np.float32]


def crops_of(sample: Sample, min_points: int) -> Part:
    """Objects of a known class with at least ``min_points`` points, which are put in the order of their time lag.

    A point in several boxes belongs to each of them.
    """
    usable = (
        (sample.labels >= 0) & np.isfinite(sample.boxes[:, :7]).all(axis=1) & (sample.boxes[:, 3:6] > 0).all(axis=1)
    )
    chosen = np.flatnonzero(usable)
    pairs = points_in_boxes_pairs(sample.points, sample.boxes[chosen])
    counts = np.bincount(pairs[:, 1], minlength=len(chosen))
    enough = counts >= min_points
    pairs = pairs[enough[pairs[:, 1]]]
    order = np.lexsort((sample.points[pairs[:, 0], _TIME_LAG], pairs[:, 1]))
    chosen = chosen[enough]
    difficulty = sample.meta.get("difficulty")
    return Part(
        (sample.token,) * len(chosen),
        sample.boxes[chosen],
        sample.labels[chosen],
        counts[enough].astype(np.int64),
        np.full(len(chosen), NO_DIFFICULTY) if difficulty is None else np.asarray(difficulty, np.int64)[chosen],
        sample.points[pairs[order, 0]],
    )


def join(parts: Iterable[Part]) -> Part:
    """Parts one after the other; at least one."""
    columns = list(zip(*parts, strict=True))
    return Part(tuple(chain.from_iterable(columns[0])), *(np.concatenate(column) for column in columns[1:]))


def write_part(path: Path, dataset: Dataset, indices: range, min_points: int) -> None:
    """Write the objects of some samples to one .npz file, which appears whole or not at all."""
    part = join(crops_of(dataset[index], min_points) for index in indices)
    arrays: dict[str, Any] = dict(zip(Part._fields[1:], part[1:], strict=True))
    with atomic_path(path) as temporary:
        np.savez(temporary, tokens=np.array(json.dumps(part.tokens)), **arrays)


def read_part(path: Path, *, points: bool = True) -> Part:
    """What :func:`write_part` wrote; without the points where they are not asked for.

    Raises:
        DataFormatError: a damaged file.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays: dict[str, Any] = {name: file[name] for name in Part._fields[1:-1]}
            cloud = file["points"] if points else np.empty((0, 0), np.float32)
            return Part(tuple(json.loads(str(file["tokens"]))), **arrays, points=cloud)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError) as error:
        raise DataFormatError(f"{path}: expected objects cut out of scenes, got: {error}") from error
