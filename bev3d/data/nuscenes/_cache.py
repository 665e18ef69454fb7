"""Columns of the tables on the disk, to be mapped into memory instead of parsed again.

A cache is a folder of ``.npy`` files and an index of their checksums. Its name is made of the tables' sizes and times
of last change, so that a cache of other tables is never opened. It is written under another name and renamed when it
is whole: a writer that is killed leaves nothing that would be read, and of two writers either may win. Nothing is
forced onto the disk; what a power failure takes, the checksums notice when an array is first used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d.data.nuscenes._columns import TableFile
from bev3d_ops.cpu._checksum import checksum

__all__ = ["CacheDamagedError", "CachedStore", "cache_folders", "fingerprint", "open_cache", "write_cache"]

Array = NDArray[Any]

FORMAT = 1
FOLDER = ".bev3d_cache"
INDEX = "index.json"


class CacheDamagedError(Exception):
    """A cache whose content is not what was written."""


def fingerprint(files: Mapping[str, TableFile]) -> str:
    """Name of the cache of these tables."""
    content = [FORMAT, [(table, file.size, file.mtime_ns) for table, file in files.items()]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def cache_folders(tables: Path) -> list[Path]:
    """Where the cache of a folder of tables may be: beside them, or in the user's cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = hashlib.sha256(os.fsencode(tables.resolve())).hexdigest()[:16]
    return [tables / FOLDER, home / "bev3d" / "nuscenes" / place]


class CachedStore:
    """Columns in files; each is checked when it is first used, and then stays mapped.

    Raises:
        CacheDamagedError: no index, or not one that was written here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arrays: dict[tuple[str, str], Array] = {}
        try:
            index = json.loads((folder / INDEX).read_bytes())
            self._sums: dict[str, str] = index["checksums"]
            good = index["format"] == FORMAT and _sum_of(self._sums) == index["sum"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CacheDamagedError(f"{folder}: {error}") from None
        if not good:
            raise CacheDamagedError(f"{folder}: the index is damaged")

    def array(self, table: str, name: str) -> Array:
        """See :class:`bev3d.data.nuscenes._store.Store`.

        Raises:
            CacheDamagedError: the file is gone or not as it was written.
        """
        if (table, name) not in self._arrays:
            self._arrays[table, name] = self._load(f"{table}.{name}.npy")
        return self._arrays[table, name]

    def _load(self, name: str) -> Array:
        try:
            # Mapped once, so that what is checked is what is used.
            content = np.memmap(self.folder / name, dtype=np.uint8, mode="r").view(np.ndarray)
            if checksum(content) != self._sums[name]:
                raise CacheDamagedError(f"{self.folder / name}: the content is not what was written")
            return _array_in(content)
        except (OSError, ValueError, KeyError) as error:
            raise CacheDamagedError(f"{self.folder / name}: {error}") from None


def _array_in(content: NDArray[np.uint8]) -> Array:
    """The array of a ``.npy`` file's bytes, without a copy."""
    head = _Bytes(content)
    np.lib.format.read_magic(head)
    shape, _, dtype = np.lib.format.read_array_header_1_0(head)
    if dtype.hasobject:
        raise ValueError("objects are not read")
    return content[head.at :].view(dtype).reshape(shape)


class _Bytes:
    """As much of a file as the reader of a header wants."""

    def __init__(self, content: NDArray[np.uint8]) -> None:
        self._content, self.at = content, 0

    def read(self, count: int) -> bytes:
        self.at += count
        return self._content[self.at - count : self.at].tobytes()


def open_cache(folders: Iterable[Path], files: Mapping[str, TableFile]) -> CachedStore | None:
    """The cache of these tables in the first of the folders that has one."""
    name = fingerprint(files)
    return next(filter(None, (_opened(folder / name) for folder in folders)), None)


def _opened(folder: Path) -> CachedStore | None:
    try:
        return CachedStore(folder)
    except CacheDamagedError:
        return None


def write_cache(
    folders: Iterable[Path],
    files: Mapping[str, TableFile],
    arrays: Iterable[tuple[str, str, Array]],
    *,
    replace: bool = False,
) -> CachedStore | None:
    """Write the cache into the first of the folders that takes it.

    Args:
        folders: where it may be.
        files: the tables.
        arrays: table, name and content of each.
        replace: whether a cache of these tables that is there is damaged; otherwise it is as good, and stays.

    Returns:
        The cache, or None (and a warning) where nothing could be written.
    """
    everything = list(arrays)
    failures = []
    for folder in folders:
        try:
            return CachedStore(_publish(folder, fingerprint(files), everything, replace))
        except (OSError, CacheDamagedError) as error:  # noqa: PERF203  # one folder that fails is not the last
            failures.append(str(error))
    warnings.warn(
        f"the nuScenes tables are read from JSON each time, since no cache could be written ({'; '.join(failures)}); "
        "cache=False keeps this quiet",
        RuntimeWarning,
        stacklevel=4,
    )
    return None


def _publish(folder: Path, name: str, arrays: list[tuple[str, str, Array]], replace: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder, keep=name)
    temporary = Path(tempfile.mkdtemp(prefix=_temporary_prefix(os.getpid()), dir=folder))
    try:
        sums = {}
        for table, field, array in arrays:
            file = temporary / f"{table}.{field}.npy"
            np.save(file, array, allow_pickle=False)
            sums[file.name] = checksum(np.memmap(file, dtype=np.uint8, mode="r").view(np.ndarray))
        index = {"format": FORMAT, "sum": _sum_of(sums), "checksums": sums}
        (temporary / INDEX).write_text(json.dumps(index), encoding="ascii")
        temporary.chmod(0o777 & ~_umask())
        return _rename(temporary, folder / name, replace)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename(temporary: Path, target: Path, replace: bool) -> Path:
    """Put a whole cache into its place; a damaged one that is there goes."""
    for _ in range(10):
        try:
            os.rename(temporary, target)
            return target
        except OSError:
            if not target.exists():
                raise
        if not replace and _opened(target) is not None:
            return target
        old = Path(tempfile.mkdtemp(prefix=_temporary_prefix(os.getpid()), dir=target.parent))
        try:
            os.rename(target, old / "old")
        except OSError:  # another writer was faster
            pass
        finally:
            shutil.rmtree(old, ignore_errors=True)
        replace = False
    raise OSError(f"{target}: other writers keep replacing it")


def _sweep(folder: Path, keep: str) -> None:
    """Remove caches of earlier tables, and what writers that were killed on this machine left."""
    for path in folder.iterdir():
        if path.name.startswith(".writing"):
            host, _, process = path.name.removeprefix(".writing-").rpartition("-")[0].rpartition("-")
            abandoned = host == socket.gethostname() and process.isdigit() and not _is_alive(int(process))
        else:
            abandoned = path.name != keep and len(path.name) == len(keep)
        if abandoned:
            shutil.rmtree(path, ignore_errors=True)


def _temporary_prefix(process: int) -> str:
    return f".writing-{socket.gethostname()}-{process}-"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sum_of(sums: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
