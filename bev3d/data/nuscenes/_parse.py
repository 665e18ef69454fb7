"""A table's file into columns, in one pass and in pieces, however large it is."""

from __future__ import annotations

import codecs
import json
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.data.nuscenes._columns import Columns, TableFile
from bev3d.data.nuscenes._layout import Layout, fill
from bev3d.data.nuscenes._schema import SCHEMAS
from bev3d_ops.cpu._decimal import decimal_powers
from bev3d_ops.cpu._table_text import BAD, DONE, FLAG, KEY, KEYS, MORE, NUMBERS, WHOLE, parse_rows
from bev3d_ops.cpu._token_keys import index_keys

__all__ = ["hash_slots", "read_columns"]

Array = NDArray[Any]

PIECE_BYTES = 8 << 20
LEAST_ROW_BYTES = 64  # shorter rows only need another round
WHITE = b" \t\n\r"


@lru_cache(maxsize=1)
def _powers() -> NDArray[np.uint64]:
    return decimal_powers()


def read_columns(table: str, file: TableFile) -> dict[str, Array]:
    """Parse a table.

    Returns:
        Arrays of :class:`Columns`, and links as keys, (N, 2) uint64 under the field's name, to be resolved.

    Raises:
        DataFormatError: JSON that is not a list of rows, a row without a key that is needed or with a value of another
            kind, a token that two rows have; the text names file, row and token.
    """
    reader = _Reader(file, Layout(SCHEMAS[table]))
    arrays = reader.read()
    slots = hash_slots(arrays["key"])
    double = index_keys(arrays["key"], slots)
    if double >= 0:
        token = Columns(file, arrays.__getitem__).row(double)["token"]
        raise DataFormatError(f"{file.path}, row {double}: token {token!r} stands in a row before it too")
    return arrays | {"slots": slots}


def hash_slots(keys: Array) -> NDArray[np.int32]:
    """An empty hash table for these keys."""
    return np.full(1 << max(2, (2 * len(keys)).bit_length()), -1, dtype=np.int32)


class _Reader:
    """Reads pieces of the file, and rows out of them."""

    def __init__(self, file: TableFile, layout: Layout) -> None:
        self.file, self.layout = file, layout
        self.text = np.zeros(PIECE_BYTES + 1, dtype=np.uint8)
        self.size, self.base = 0, 0  # bytes in hand, and place of the first of them in the file
        self.rows = 0
        self.parts: list[dict[str, Array]] = []

    def read(self) -> dict[str, Array]:
        """All columns of the file but the index of its tokens."""
        self._more(0)
        at = self._opening()
        state = MORE if at >= 0 else DONE
        at = abs(at)
        while state != DONE:
            at, state = self._piece(at)
            if state == BAD:
                self._refuse(at)
            if state == MORE:
                self._more(at - 1)  # the byte before a row says what may follow
                at = 1
        self._ending(at)
        if not self.file.is_unchanged():
            raise DataFormatError(f"{self.file.path}: changed while it was read")
        return self._joined()

    def _more(self, at: int) -> None:
        """Drop what is before ``at`` and fill up; what is left of a row stays."""
        rest = self.size - at
        if rest >= len(self.text) // 2:
            self.text = np.concatenate([self.text, np.zeros_like(self.text)])
        self.text[:rest] = self.text[at : self.size].copy()
        self.base += at
        room = memoryview(self.text.data)[rest : len(self.text) - 1]
        got = self.file.read_into(room, self.base + rest)
        self.size = rest + got
        self.text[self.size] = 0
        if got == 0 and self.base + rest:
            raise DataFormatError(
                f"{self.file.path}: expected JSON, got a list of rows that ends within row {self.rows}"
            )

    def _opening(self) -> int:
        """Place of the first row; negative where there is none and the list is closed before it."""
        head = self.text[: self.size].tobytes()
        stripped = head.removeprefix(codecs.BOM_UTF8).lstrip(WHITE)
        if not stripped.startswith(b"["):
            self._no_list(head)
        rest = stripped[1:].lstrip(WHITE)
        at = len(head) - len(rest)
        return -(at + 1) if rest.startswith(b"]") else at

    def _no_list(self, head: bytes) -> None:
        text = self.file.read(0, self.file.size) if self.file.size < PIECE_BYTES else head
        try:
            kind = type(json.loads(text)).__name__
        except ValueError as error:
            raise DataFormatError(f"{self.file.path}: expected JSON, got {error}") from None
        if kind == "list":
            raise DataFormatError(f"{self.file.path}: expected JSON in UTF-8, got another encoding")
        raise DataFormatError(f"{self.file.path}: expected a list of rows, got {kind}")

    def _piece(self, at: int) -> tuple[int, int]:
        room = max(1024, (self.size - at) // LEAST_ROW_BYTES)
        place = np.empty((room, 2), dtype=np.int64)
        usual = np.empty(room, dtype=np.bool_)
        keys = np.zeros((room, self.layout.key_slots, 2), dtype=np.uint64)
        numbers = np.zeros((room, self.layout.number_slots))
        at, count, state = parse_rows(
            self.text, at, self.size, self.layout.fields, _powers(), place, usual, keys, numbers
        )
        for k in np.flatnonzero(~usual[:count]).tolist():
            self._slowly(k, place[k], keys[k], numbers[k])
        self.parts.append(self._columns(place[:count], keys[:count], numbers[:count]))
        self.rows += count
        return at, state

    def _columns(self, place: Array, keys: Array, numbers: Array) -> dict[str, Array]:
        part: dict[str, Array] = {
            "start": place[:, 0] + self.base,
            "length": (place[:, 1] - place[:, 0]).astype(np.int32),
            "key": keys[:, 0].copy(),
        }
        for name, kind, width, slot in self.layout.entries[1:]:
            if kind in (KEY, KEYS):
                part[name] = keys[:, slot].copy()
            if kind == KEYS:
                part[f"{name}#"] = numbers[:, width].astype(np.int32)
            elif kind == NUMBERS:
                part[name] = numbers[:, slot : slot + width].copy()
            elif kind == WHOLE:
                part[name] = numbers[:, slot].astype(np.int64)
            elif kind == FLAG:
                part[name] = numbers[:, slot].astype(np.bool_)
        return part

    def _slowly(self, k: int, place: Array, keys: Array, numbers: Array) -> None:
        """A row of an unusual form, or the error that it makes."""
        where = f"{self.file.path}, row {self.rows + k}"
        try:
            row = json.loads(self.text[place[0] : place[1]].tobytes())
        except (ValueError, RecursionError) as error:
            raise DataFormatError(f"{where}: expected JSON, got {error}") from None
        names = [entry[0] for entry in self.layout.entries]
        missing = [name for name in names if name not in row]
        if missing:
            raise DataFormatError(f"{where} (token {row.get('token')!r}): missing key {', '.join(sorted(missing))}")
        for name, kind, width, slot in self.layout.entries:
            expected = fill(row, name, kind, width, slot, keys, numbers)
            if expected:
                raise DataFormatError(
                    f"{where} (token {row['token']!r}): expected {expected} as {name}, got {row[name]!r}"
                )

    def _refuse(self, at: int) -> None:
        """The error of text that is no row, at a place where one or the end is expected."""
        text = self.text[at : self.size].tobytes().decode("utf-8", "replace")
        where = f"{self.file.path}, row {self.rows}"
        before = self.text[:at].tobytes().rstrip(WHITE)[-1:]
        if before in (b"}", b""):
            raise DataFormatError(f"{where}: expected JSON, got {text[:20]!r} where ',' or ']' belongs")
        try:
            value = json.JSONDecoder().raw_decode(text)[0]
        except ValueError as error:
            raise DataFormatError(f"{where}: expected JSON, got {error}") from None
        raise DataFormatError(f"{where}: expected an object, got {type(value).__name__}")

    def _ending(self, at: int) -> None:
        rest = self.text[at : self.size].tobytes() + self.file.read(self.base + self.size, self.file.size)
        if rest.strip(WHITE):
            raise DataFormatError(f"{self.file.path}: expected JSON, got {rest.strip(WHITE)[:20]!r} after the list")

    def _joined(self) -> dict[str, Array]:
        if not self.parts:
            empty = np.zeros((0, self.layout.key_slots, 2), dtype=np.uint64)
            self.parts.append(
                self._columns(np.zeros((0, 2), dtype=np.int64), empty, np.zeros((0, self.layout.number_slots)))
            )
        joined = {}
        for name in list(self.parts[0]):
            joined[name] = np.concatenate([part.pop(name) for part in self.parts])
        return joined
