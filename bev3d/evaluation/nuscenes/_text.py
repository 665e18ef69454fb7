"""The text of a submission: its outer structure, and slow decoding where that is wanted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import DataFormatError
from bev3d.evaluation.nuscenes._check import check_outer
from bev3d_ops.cpu._json_text import CLOSE_OBJECT, COMMA, OPEN_OBJECT, read_key, skip_space, skip_value, split_members

__all__ = ["Text", "decode_json", "decode_string", "load_results", "read_text", "result_members"]

Text = NDArray[np.uint8]


def read_text(path: Path) -> Text:
    """The file and one byte more, which stops every look ahead."""
    try:
        with open(path, "rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            text = np.zeros(size + 1, dtype=np.uint8)
            read = handle.readinto(memoryview(text.data)[:size])
    except FileNotFoundError:
        raise DataFormatError(f"{path}: no such submission") from None
    except IsADirectoryError:
        raise DataFormatError(f"{path}: expected a submission's JSON file, got a folder") from None
    return text[: read + 1]


def result_members(path: Path, text: Text) -> NDArray[np.int64] | None:
    """Members of ``results``, or None where the text has to be read as a whole."""
    size = len(text) - 1
    results: NDArray[np.int64] | None = None
    seen: set[str] = set()
    at = skip_space(text, 0)
    while text[at] == (COMMA if seen else OPEN_OBJECT):
        key_start, key_stop, start = read_key(text, skip_space(text, at + 1), size)
        key = decode_string(text, key_start, key_stop) if start >= 0 else None
        if key is None or key in seen:
            return None
        seen.add(key)
        if key == "results":
            results, at = split_members(text, start, size)
        else:
            at, _ = skip_value(text, start, size)
        if not 0 <= at <= size:
            return None
        if key != "results":
            content = decode_json(f"{path}, {key}", text[start:at])
            if key == "meta" and not isinstance(content, dict):
                return None
        at = skip_space(text, at)
    closed = text[at] == CLOSE_OBJECT and skip_space(text, at + 1) == size
    return results if closed and "meta" in seen else None


def load_results(path: Path, text: Text) -> dict[str, Any]:
    """``results`` of a text of whatever form, with double keys refused."""
    try:
        content = json.loads(text[:-1].tobytes(), object_pairs_hook=_unique)
    except _DoubleKeyError as error:
        raise DataFormatError(f"{path}: {error} appears twice in one object") from None
    except (ValueError, RecursionError) as error:
        raise DataFormatError(f"{path}: expected a submission in JSON, got {error}") from None
    return check_outer(str(path), content)


def decode_json(where: str, text: Text) -> Any:
    try:
        return json.loads(text.tobytes(), object_pairs_hook=_unique)
    except _DoubleKeyError as error:
        raise DataFormatError(f"{where}: {error} appears twice in one object") from None
    except (ValueError, RecursionError) as error:
        raise DataFormatError(f"{where}: expected JSON, got {error}") from None


class _DoubleKeyError(Exception):
    """A key that an object has already."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DoubleKeyError(repr(next(key for key in keys if keys.count(key) > 1)))
    return made


def decode_string(text: Text, start: int, stop: int) -> str:
    raw = text[start:stop].tobytes()
    if b"\\" not in raw and raw.isascii():
        return raw.decode("ascii")
    try:
        return str(json.loads(b'"' + raw + b'"'))
    except ValueError:
        return raw.decode("utf-8", "replace")
