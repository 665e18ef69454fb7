"""Columns of all tables and what follows from them, computed when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bev3d.data.nuscenes._columns import Columns, Rows, TableFile
from bev3d.data.nuscenes._parse import read_columns
from bev3d.data.nuscenes._schema import GROUPS, LINKS, SCHEMAS, TEXT_TABLES
from bev3d_ops.cpu._threads import run_in_ranges
from bev3d_ops.cpu._token_keys import find_keys

__all__ = ["FIRST", "ORDER", "TEXT", "ParsedStore", "Store", "group_members", "resolve_keys"]

Array = NDArray[Any]

ORDER, FIRST, TEXT = "order", "first", "text"
"""Arrays that are no fields: rows ordered by what they belong to, where each owner's rows begin, tokens as bytes."""

LEAST_KEYS = 100_000  # worth a thread


class Store(Protocol):
    """Where :class:`bev3d.data.nuscenes.NuScenesTables` gets its columns from."""

    def array(self, table: str, name: str) -> Array:
        """One of the arrays of :class:`Columns`; for a link the (N,) int32 rows it points to; or ORDER, FIRST, TEXT.

        Not to be written to.
        """
        ...


class ParsedStore:
    """Columns out of the JSON itself; a table is read when it is first asked for."""

    def __init__(self, files: Mapping[str, TableFile]) -> None:
        self._files = files
        self._parsed: dict[str, dict[str, Array]] = {}
        self._derived: dict[tuple[str, str], Array] = {}

    def columns(self, table: str) -> Columns:
        """Places and keys of the rows."""
        return Columns(self._files[table], partial(self.array, table))

    def array(self, table: str, name: str) -> Array:
        """See :class:`Store`."""
        if (table, name) not in self._derived:
            array = self._compute(table, name)
            array.flags.writeable = False
            self._derived[table, name] = array
        return self._derived[table, name]

    def read_all(self) -> Iterator[tuple[str, str, Array]]:
        """Every array of every table: its table, its name and itself."""
        largest_first = sorted(self._files, key=lambda table: -self._files[table].size)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._arrays, largest_first))
        for table in self._files:
            names = dict.fromkeys(self._arrays(table))
            if table in GROUPS:
                names |= dict.fromkeys((ORDER, FIRST))
            if table in TEXT_TABLES:
                names[TEXT] = None
            for name in names:
                yield table, name, self.array(table, name)

    def _compute(self, table: str, name: str) -> Array:
        if (table, name) in LINKS:
            target = self.columns(LINKS[table, name])
            return resolve_keys(self._arrays(table).pop(name), target)
        if name in (ORDER, FIRST):
            return self._group(table, name)
        if name == TEXT:
            tokens = [row["token"].encode("utf-8", "surrogatepass") for row in Rows(self.columns(table))]
            return np.array(tokens, dtype=np.bytes_) if tokens else np.zeros(0, dtype="S1")
        return self._arrays(table)[name]

    def _arrays(self, table: str) -> dict[str, Array]:
        """What the table's text says."""
        if table not in self._parsed:
            self._parsed[table] = read_columns(table, self._files[table])
            for array in self._parsed[table].values():
                array.flags.writeable = False
        return self._parsed[table]

    def _group(self, table: str, name: str) -> Array:
        owner = self.array(table, GROUPS[table])
        wanted = owner >= 0
        if "is_key_frame" in SCHEMAS[table].flags:
            wanted &= self.array(table, "is_key_frame")
        rows = np.flatnonzero(wanted)
        owners = len(self.columns(LINKS[table, GROUPS[table]]))
        if name == FIRST:
            return np.concatenate([[0], np.cumsum(np.bincount(owner[rows], minlength=owners))]).astype(np.int64)
        return rows[np.argsort(owner[rows], kind="stable")].astype(np.int32)


def resolve_keys(keys: Array, target: Columns) -> NDArray[np.int32]:
    """(N,) rows of ``target`` with these (N, 2) keys; NONE for the empty token, ABSENT where no row has it."""
    found = np.empty(len(keys), dtype=np.int32)
    find = partial(find_keys, keys, target.array("key"), target.array("slots"), found)
    if len(keys) < LEAST_KEYS:  # mostly a single one
        find(0, len(keys))
    else:
        run_in_ranges(find, len(keys), LEAST_KEYS)
    return found


def group_members(owners: NDArray[np.int64], order: Array, first: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Members of groups, group after group, and the place in ``owners`` of the group of each.

    Args:
        owners: (G,) rows that the groups belong to.
        order: see ORDER.
        first: see FIRST.
    """
    start = first[owners].astype(np.int64)
    count = first[owners + 1].astype(np.int64) - start
    place = np.repeat(np.arange(len(owners)), count)
    within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    return order[start[place] + within].astype(np.int64), place
