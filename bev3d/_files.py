"""Files that appear whole or not at all: a temporary name beside the target, fsync, rename."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bev3d._errors import ConfigError

__all__ = ["atomic_path", "claim_folder", "write_json", "write_text"]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success it replaces ``path``, on failure it goes away.

    The temporary name keeps the target's suffix, since writers such as ``np.savez`` and matplotlib look at it.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any, *, indent: int | None = 1) -> None:
    """Write JSON atomically; NaN is refused, since strict readers refuse it too."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n")


def claim_folder(folder: Path, settings: Mapping[str, Any], *, what: str) -> None:
    """Note in ``folder/job.json`` what a job writes there with, or refuse where it holds files of other settings.

    Args:
        folder: made if need be.
        settings: JSON values that the content of the files depends on.
        what: the files, for the message, such as ``"targets"``.

    Raises:
        ConfigError: a file in the folder's place, a note that cannot be read, other settings in it.
    """
    note = folder / "job.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"out: expected a folder, got {folder}, which is a file or lies in one") from error
    if not note.exists():
        write_json(note, settings)
        return
    try:
        there = json.loads(note.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{note}: expected the settings of a job as JSON, got: {error}") from error
    here = json.loads(json.dumps(settings))
    different = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    if different:
        shown = "; ".join(f"{key}: {there.get(key)!r} there, {here.get(key)!r} now" for key in different)
        raise ConfigError(f"out: expected a new folder or {what} of the same settings in {folder}, got {shown}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
