"""Rows and columns of the tables in a folder, out of the cache or out of the JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data.nuscenes._cache import CacheDamagedError, cache_folders, open_cache, write_cache
from bev3d.data.nuscenes._columns import Columns, Row, Rows, TableFile
from bev3d.data.nuscenes._layout import keys_of
from bev3d.data.nuscenes._rows import TABLE_NAMES
from bev3d.data.nuscenes._schema import LINKS, TEXT_TABLES
from bev3d.data.nuscenes._store import TEXT, ParsedStore, Store, resolve_keys

__all__ = ["Indices", "TableAccess"]

Indices = NDArray[np.int64]

CACHED_FROM_BYTES = 64 << 20  # smaller tables are parsed in less time than a cache is worth


class TableAccess:
    """What :class:`bev3d.data.nuscenes.NuScenesTables` knows of any table."""

    def __init__(
        self, dataroot: str | os.PathLike[str], version: str, *, cache: bool | str | os.PathLike[str] = True
    ) -> None:
        self.dataroot = Path(dataroot)
        self.version = version
        self.folder = self.dataroot / version
        self.cache = cache
        if not self.folder.is_dir():
            raise DataFormatError(f"{self.folder}: no such folder; expected the nuScenes tables of {version}")
        for table in TABLE_NAMES:
            if not self.path(table).is_file():
                raise DataFormatError(f"{self.path(table)}: missing; a nuScenes folder has {len(TABLE_NAMES)} tables")
        self._files: Mapping[str, TableFile] = {table: TableFile(self.path(table)) for table in TABLE_NAMES}
        self._store: Store | None = None

    def path(self, table: str) -> Path:
        """File of a table."""
        return self.folder / f"{table}.json"

    def rows(self, table: str) -> Sequence[Row]:
        """All rows of a table in the file's order, each decoded when it is asked for."""
        return Rows(self._columns(table), self.chosen_rows(table))

    def tokens(self, table: str) -> tuple[str, ...]:
        """Tokens of :meth:`rows`."""
        if table not in TEXT_TABLES:
            return tuple(row["token"] for row in self.rows(table))
        chosen = self.chosen_rows(table)
        text = self.array(table, TEXT)
        text = text if chosen is None else text[chosen]
        return tuple(one.decode("utf-8", "surrogatepass") for one in text.tolist())

    def get(self, table: str, token: str) -> Row:
        """The row with this token."""
        index = int(self.indices(table, [token])[0])
        return self._columns(table).row(index)

    def indices(self, table: str, tokens: Sequence[str]) -> Indices:
        """(N,) places of the rows with these tokens.

        Raises:
            DataFormatError: a token that no row has.
        """
        found = resolve_keys(keys_of(list(tokens)), self._columns(table)).astype(np.int64)
        absent = found < 0
        chosen = self.chosen_rows(table)
        if chosen is not None:
            at = np.minimum(np.searchsorted(chosen, found), len(chosen) - 1)
            absent |= chosen[at] != found if len(chosen) else True
        for k in np.flatnonzero(absent):
            raise DataFormatError(f"{self.path(table)}: no row has the token {tokens[k]!r}{self._restriction}")
        return found

    def array(self, table: str, field: str) -> NDArray[Any]:
        """A column: numbers of a field, or for a field of tokens the rows they point to (-1: empty, -2: no such row).

        Columns are (N, ...) for the N rows of the whole table, and must not be written to.
        """
        if self._store is None:
            self._store = self._open()
        try:
            return self._store.array(table, field)
        except CacheDamagedError:
            self._store = self._build(replace=True)
        try:
            return self._store.array(table, field)
        except CacheDamagedError:  # again: the disk is not to be trusted
            self._store = ParsedStore(self._files)
            return self._store.array(table, field)

    def follow(self, table: str, field: str, rows: Indices) -> Indices:
        """(N,) rows that a field of ``rows`` points to.

        Raises:
            DataFormatError: a token that no row of the other table has.
        """
        found: Indices = self.array(table, field)[rows].astype(np.int64)
        for k in np.flatnonzero(found < 0):
            token = self.row(table, int(rows[k]))[field]
            raise DataFormatError(f"{self.path(LINKS[table, field])}: no row has the token {token!r}")
        return found

    def row(self, table: str, index: int) -> Row:
        """The row at a place of its table."""
        return self._columns(table).row(index)

    def names(self, table: str) -> tuple[str, ...]:
        """``name`` of every row of ``scene``, ``category`` or ``attribute``, ``channel`` of every row of ``sensor``."""
        return self._names[table]

    @cached_property
    def _names(self) -> dict[str, tuple[str, ...]]:
        fields = {"scene": "name", "category": "name", "attribute": "name", "sensor": "channel"}
        return {table: tuple(row[field] for row in Rows(self._columns(table))) for table, field in fields.items()}

    def chosen_rows(self, table: str) -> Indices | None:
        """Rows that there are for this reader, ascending; None for all."""
        return None

    @property
    def _restriction(self) -> str:
        """What to add to the news that a token is unknown."""
        return ""

    def _columns(self, table: str) -> Columns:
        return Columns(self._files[table], partial(self.array, table))

    def _open(self) -> Store:
        small = sum(file.size for file in self._files.values()) < CACHED_FROM_BYTES
        if self.cache is False or (self.cache is True and small):
            return ParsedStore(self._files)
        return open_cache(self._cache_folders(), self._files) or self._build(replace=False)

    def _build(self, *, replace: bool) -> Store:
        parsed = ParsedStore(self._files)
        return write_cache(self._cache_folders(), self._files, parsed.read_all(), replace=replace) or parsed

    def _cache_folders(self) -> list[Path]:
        return cache_folders(self.folder) if isinstance(self.cache, bool) else [Path(self.cache)]
