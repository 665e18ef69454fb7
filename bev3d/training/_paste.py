"""The objects that training pastes into its samples."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bev3d._errors import ConfigError
from bev3d.augment import ObjectPaste, PasteDatabase, build_database
from bev3d.config import Config
from bev3d.data import Dataset
from bev3d_ops.cuda._compile import cache_folder

__all__ = ["database_folder", "make_paste"]

_PROBES = 8


def make_paste(dataset: Dataset, config: Config, *, quiet: bool = False) -> ObjectPaste | None:
    """What pastes objects into training samples as ``config`` asks, or None where it asks for none.

    The database is made where it is not there yet, out of ``dataset`` alone, which is the training split; of several
    processes one makes it and the others wait. What it holds is told on standard error, unless ``quiet``.

    Raises:
        ConfigError: ``paste_database`` holds objects of other data, or there is no folder for it.
        DataFormatError: damaged data.
    """
    names = config.class_names
    counts = dict(zip(names, _by_class(config.paste_counts, len(names)), strict=True))
    if not any(counts.values()):
        return None
    folder = database_folder(dataset, config)
    with _alone(folder):
        # every object that any of the classes could use; what a class wants more is left out when it is read
        there = build_database(dataset, folder)
    database = PasteDatabase(
        folder,
        class_names=names,
        min_points=dict(zip(names, _by_class(config.paste_min_points, len(names)), strict=True)),
        difficulties=config.paste_difficulties or None,
    )
    usable = ", ".join(
        f"{name} {len(rows)} of {there[name]}" for name, rows in zip(names, database.members, strict=True)
    )
    if not quiet:
        print(f"paste database: {folder}: {usable}", file=sys.stderr)
    return ObjectPaste(database, counts, fill_up=config.paste_fill_up)


def database_folder(dataset: Dataset, config: Config) -> Path:
    """``config.paste_database``, or where that is empty a folder of the user's cache that only these data have.

    Raises:
        ConfigError: no folder is given, and the data set does not lie in one either, from which to name it.
    """
    if config.paste_database:
        return Path(config.paste_database)
    root = getattr(dataset, "dataroot", None)
    if root is None:
        raise ConfigError("paste_database: expected a folder, since the samples do not come from one, got ''")
    key = hashlib.sha256(str(Path(root).resolve()).encode())
    for name in ("split", "sweeps", "frame", "fov_only", "class_names"):
        key.update(repr(getattr(dataset, name, None)).encode())
    key.update("\n".join(dataset.tokens).encode())
    # a folder that was made anew with other content may have the same tokens
    for index in np.linspace(0, len(dataset) - 1, min(_PROBES, len(dataset))).astype(int).tolist():
        key.update(dataset.annotations(index).boxes.tobytes())
    return cache_folder() / "paste" / f"{config.dataset}-{key.hexdigest()[:16]}"


def _by_class(values: tuple[int, ...], classes: int) -> tuple[int, ...]:
    return values * classes if len(values) == 1 else values or (0,) * classes


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time, where the system has such locks; that of a killed process is gone with it."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.parent / f".{folder.name}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
