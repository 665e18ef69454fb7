"""Which slot of the parser's arrays each field of a table goes to, and putting values there that it did not read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d.data.nuscenes._columns import Row
from bev3d.data.nuscenes._schema import Schema
from bev3d_ops.cpu._table_text import ANY, FLAG, KEY, KEYS, NUMBERS, WHOLE
from bev3d_ops.cpu._token_keys import token_keys

__all__ = ["Layout", "fill", "keys_of"]

Array = NDArray[Any]


class Layout:
    """Where each field goes: ``fields`` of the kernel, and how many slots there are."""

    def __init__(self, schema: Schema) -> None:
        entries: list[tuple[str, int, int, int]] = [("token", KEY, 0, 0)]
        self.key_slots = 1
        self.number_slots = 0
        entries += [(name, KEY, 0, self._key()) for name in schema.links]
        entries += [(name, KEYS, self._number(1), self._key()) for name in schema.lists]
        entries += [(name, NUMBERS, width, self._number(width)) for name, width in schema.vectors.items()]
        entries += [(name, WHOLE, 1, self._number(1)) for name in schema.wholes]
        entries += [(name, FLAG, 1, self._number(1)) for name in schema.flags]
        entries += [(name, ANY, 0, 0) for name in schema.others]
        self.entries = entries
        names = [name.encode() for name, *_ in entries]
        self.fields = (
            np.frombuffer(b"".join(names), dtype=np.uint8),
            np.cumsum([0, *map(len, names)]),
            *(np.array([entry[k] for entry in entries], dtype=np.int64) for k in (1, 2, 3)),
        )

    def _key(self) -> int:
        self.key_slots += 1
        return self.key_slots - 1

    def _number(self, width: int) -> int:
        self.number_slots += width
        return self.number_slots - width


def keys_of(tokens: list[str]) -> NDArray[np.uint64]:
    """(N, 2) keys of tokens."""
    raw = [token.encode("utf-8", "surrogatepass") for token in tokens]
    text = np.frombuffer(b"".join(raw), dtype=np.uint8)
    keys = np.empty((len(raw), 2), dtype=np.uint64)
    token_keys(text, np.cumsum([len(one) for one in raw], dtype=np.int64), keys)
    return keys


def fill(row: Row, name: str, kind: int, width: int, slot: int, keys: Array, numbers: Array) -> str | None:
    """Put a decoded value into its place; what was expected where that cannot be."""
    value = row[name]
    if kind == KEY:
        if not isinstance(value, str):
            return "a token"
        keys[slot] = keys_of([value])[0]
    elif kind == KEYS:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            return "a list of tokens"
        keys[slot] = keys_of([*value, ""])[0]
        numbers[width] = len(value)
    elif kind == NUMBERS:
        if not isinstance(value, list) or len(value) != width or not all(map(_is_number, value)):
            return f"{width} numbers"
        numbers[slot : slot + width] = [float(one) for one in value]
    elif kind == WHOLE:
        if not _is_number(value) or not math.isfinite(value) or value != int(value) or abs(value) >= 1 << 53:
            return "a whole number"
        numbers[slot] = value
    elif kind == FLAG:
        if not isinstance(value, bool):
            return "true or false"
        numbers[slot] = value
    return None


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True
