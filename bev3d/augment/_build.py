"""A database of the objects of a data set."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import bev3d
from bev3d._errors import DataFormatError
from bev3d._files import atomic_path, claim_folder, write_json
from bev3d._progress import track
from bev3d.augment._crops import NO_DIFFICULTY, Part, join, read_part, write_part
from bev3d.augment._database import FORMAT, INDEX, POINTS
from bev3d.data import Dataset

__all__ = ["build_database"]

COLUMNS = ("x", "y", "z", "intensity", "time_lag_s")
_SAMPLES_PER_PART = 32
# what the data sets of bev3d are opened with
_DATASET_OPTIONS = ("dataroot", "split", "sweeps", "frame", "fov_only")


def build_database(
    dataset: Dataset, out: str | os.PathLike[str], *, min_points: int = 1, workers: int = 1
) -> dict[str, int]:
    """Cut the objects of a split out of their scenes: ``out/points.npy`` and ``out/index.json``.

    Points of an object lie where its scene had them (float32, bit for bit), all columns with them, by rising time
    lag, so that :func:`paste` can take the sweeps that another scene has. Objects of no class, of impossible size or
    with too few points are left out.

    A file appears whole or not at all. The work is done in parts that are kept until the end: started again with the
    same settings after a stop of any kind, it goes on behind the last whole part. The result depends neither on that
    nor on ``workers``.

    Args:
        dataset: the training split, with the sweeps and the frame of the training.
        out: folder, made if need be; ``out/job.json`` holds the settings.
        min_points: objects with fewer are left out here; :class:`PasteDatabase` may ask for more.
        workers: threads.

    Returns:
        Number of objects by class.

    Raises:
        ConfigError: ``out`` holds the database of other settings, or is no folder.
        DataFormatError: damaged data; the text names the file.
        ValueError: ``min_points`` < 1, ``workers`` < 1.
    """
    for name, value in (("min_points", min_points), ("workers", workers)):
        if value < 1:
            raise ValueError(f"{name}: expected an integer >= 1, got {value}")
    folder, settings = Path(out), _settings(dataset, min_points)
    claim_folder(folder, settings, what="a database")
    ranges = [range(i, min(i + _SAMPLES_PER_PART, len(dataset))) for i in range(0, len(dataset), _SAMPLES_PER_PART)]
    paths = [folder / f"part-{number:06d}.npz" for number in range(len(ranges))]
    if not _is_finished(folder):
        for leftover in folder.glob(".*.np[yz]"):
            leftover.unlink(missing_ok=True)
        pending = [number for number, path in enumerate(paths) if not _is_sound(path)]
        todo = _run(lambda number: write_part(paths[number], dataset, ranges[number], min_points), pending, workers)
        for _ in track(todo, "paste database", total=len(pending), unit=f"parts of {_SAMPLES_PER_PART} samples"):
            pass
        _merge(folder, paths, settings, dataset.class_names)
    for path in folder.glob("part-*.npz"):
        path.unlink(missing_ok=True)
    counts: dict[str, int] = json.loads((folder / INDEX).read_text(encoding="utf-8"))["counts"]
    return counts


def _run(work: Any, items: Sequence[int], workers: int) -> Iterator[None]:
    """Call ``work`` for every item; an error stops what has not begun."""
    if workers == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _merge(folder: Path, paths: Sequence[Path], settings: dict[str, Any], class_names: Sequence[str]) -> None:
    """One file of points, then the index: while there is none, the parts stand."""
    parts = [read_part(path, points=False) for path in paths]
    everything = join(parts) if parts else _NOTHING
    with atomic_path(folder / POINTS) as temporary:
        shape = (int(everything.num_points.sum()), len(COLUMNS))
        if shape[0]:
            points = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
            start = 0
            for path in paths:
                crops = read_part(path).points
                points[start : start + len(crops)] = crops
                start += len(crops)
            points.flush()
            del points
        else:
            np.save(temporary, np.zeros(shape, np.float32))
    counts = np.bincount(everything.labels, minlength=len(class_names)).tolist()
    index = {
        "format": FORMAT,
        "settings": settings,
        "class_names": list(class_names),
        "columns": list(COLUMNS),
        "counts": dict(zip(class_names, counts, strict=True)),
        "objects": _objects(everything),
    }
    write_json(folder / INDEX, index, indent=None)


_NOTHING = Part(
    (), np.zeros((0, 9)), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64),
    np.zeros((0, len(COLUMNS)), np.float32),
)  # fmt: skip


def _objects(part: Part) -> dict[str, Any]:
    """Columns of JSON values; an unknown velocity is null, and so are the difficulties where there are none."""
    boxes = [[None if value != value else value for value in box] for box in part.boxes.tolist()]
    difficulty = part.difficulty.tolist() if (part.difficulty != NO_DIFFICULTY).all() else None
    return {
        "token": list(part.tokens),
        "label": part.labels.tolist(),
        "num_points": part.num_points.tolist(),
        "difficulty": difficulty,
        "box": boxes,
    }


def _settings(dataset: Dataset, min_points: int) -> dict[str, Any]:
    """What the content depends on, as JSON values."""
    options = {name: getattr(dataset, name) for name in _DATASET_OPTIONS if hasattr(dataset, name)}
    if "dataroot" in options:
        options["dataroot"] = str(Path(options["dataroot"]).resolve())
    tokens = hashlib.sha256("\n".join(dataset.tokens).encode()).hexdigest()
    return {
        "bev3d": bev3d.__version__,
        "dataset": type(dataset).__name__,
        "samples": len(dataset),
        "tokens_sha256": tokens,
        "class_names": list(dataset.class_names),
        "min_points": min_points,
        **options,
    }


def _is_finished(folder: Path) -> bool:
    return (folder / INDEX).is_file() and (folder / POINTS).is_file()


def _is_sound(path: Path) -> bool:
    """Whether the part is there and can be read."""
    try:
        read_part(path)
    except DataFormatError:
        return False
    return True
