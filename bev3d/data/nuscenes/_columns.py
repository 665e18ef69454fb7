"""A table as columns, and its rows as they stand in the file."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError

__all__ = ["Columns", "Row", "Rows", "TableFile"]

Row = dict[str, Any]
Array = NDArray[Any]

BLOCK_ROWS, BLOCK_BYTES = 1024, 1 << 20


class TableFile:
    """An open table: the same file for as long as this lives, whatever takes its place in the folder.

    Attributes:
        path: of the file.
        size: bytes when it was opened.
        mtime_ns: last change before it was opened, nanoseconds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self.descriptor)
        self._lock = threading.Lock()
        status = os.fstat(self.descriptor)
        self.size, self.mtime_ns = status.st_size, status.st_mtime_ns

    def read(self, start: int, stop: int) -> bytes:
        """Bytes ``start`` to ``stop``."""
        if hasattr(os, "pread"):
            return os.pread(self.descriptor, stop - start, start)
        with self._lock:  # where a place cannot be read without going there
            os.lseek(self.descriptor, start, os.SEEK_SET)
            return os.read(self.descriptor, stop - start)

    def read_into(self, room: memoryview, start: int) -> int:
        """Fill ``room`` from byte ``start`` on; how many bytes there were."""
        if hasattr(os, "preadv"):
            return os.preadv(self.descriptor, [room], start)
        text = self.read(start, start + len(room))
        room[: len(text)] = text
        return len(text)

    def is_unchanged(self) -> bool:
        """Whether size and time of the last change are still what they were."""
        status = os.fstat(self.descriptor)
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)

    def decode(self, row: int, start: int, stop: int) -> Row:
        """The row between these bytes."""
        return self._decoded(row, self.read(start, stop))

    def decode_all(self, first: int, starts: list[int], stops: list[int]) -> list[Row]:
        """Rows that follow one another."""
        text = self.read(starts[0], stops[-1])
        base = starts[0]
        return [
            self._decoded(first + i, text[a - base : b - base])
            for i, (a, b) in enumerate(zip(starts, stops, strict=True))
        ]

    def _decoded(self, row: int, text: bytes) -> Row:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise DataFormatError(
                f"{self.path}, row {row}: expected the row that was read before; the file has changed"
            )
        return value


@dataclass(frozen=True, eq=False)
class Columns:
    """N rows.

    Attributes:
        file: where the rows stand.
        array: by name. ``start`` (N,) int64 and ``length`` (N,) int32, the bytes of a row; ``key`` (N, 2) uint64, its
            token, and ``slots``, the hash table of the keys; ``attribute_tokens#`` the length of that list; a
            field's own name for its numbers. Links are not among them.
    """

    file: TableFile
    array: Callable[[str], Array]

    def __len__(self) -> int:
        return len(self.array("start"))

    def row(self, index: int) -> Row:
        """One row, decoded."""
        start = int(self.array("start")[index])
        return self.file.decode(index, start, start + int(self.array("length")[index]))


class Rows(Sequence[Row]):
    """Rows of a table in the file's order, each decoded when it is asked for.

    Args:
        columns: of the table.
        chosen: indices of the rows, ascending; None for all.
    """

    def __init__(self, columns: Columns, chosen: NDArray[np.int64] | None = None) -> None:
        self._columns = columns
        self._chosen = chosen
        self._count = len(columns) if chosen is None else len(chosen)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._columns.row(place if self._chosen is None else int(self._chosen[place]))

    def __iter__(self) -> Iterator[Row]:
        if self._chosen is not None:
            for index in self._chosen.tolist():
                yield self._columns.row(index)
            return
        start, length = self._columns.array("start"), self._columns.array("length")
        for first in range(0, len(self), BLOCK_ROWS):
            starts = np.asarray(start[first : first + BLOCK_ROWS])
            stops = starts + length[first : first + BLOCK_ROWS]
            yield from self._columns.file.decode_all(first, starts.tolist(), stops.tolist())

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {self._columns.file.path}>"
