"""Text of a table: any form of a row that JSON allows, and what is no table, damaged ones included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d._errors import DataFormatError
from bev3d.data.nuscenes._columns import TableFile
from bev3d.data.nuscenes._layout import keys_of
from bev3d.data.nuscenes._parse import read_columns

ROW = {
    "token": "0123456789abcdef0123456789abcdef",
    "sample_token": "s",
    "instance_token": "i",
    "attribute_tokens": ["a", "b"],
    "translation": [1, -2.5, 3e2],
    "size": [0.1, 2, 3],
    "rotation": [1.0, 0.0, 0.0, -0.0],
    "prev": "",
    "next": "",
    "num_lidar_pts": 7,
    "num_radar_pts": 0,
}


def annotations(folder: Path, text: str | bytes) -> tuple[TableFile, dict[str, Any]]:
    path = folder / "sample_annotation.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    file = TableFile(path)
    return file, read_columns("sample_annotation", file)


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"extra": {"an": ["object", {"in": "}"}]}},
        {"extra": [[1, [2.5, []]], ["x", None, True, False]], "more": -1e-7},
        {"token": 'with "quotes" and \\'},
        {"token": "caf\u00e9 \u8eca"},
        {"token": "0" * 32},
        {"token": "0123456789ABCDEF0123456789ABCDEF"},
        {"token": "0123456789abcdef0123456789abcde\u00e9"},
        {"token": ""},
        {"attribute_tokens": []},
        {"num_lidar_pts": 5.0},
        {"translation": [10**25, 123456789012345678901234567890.5, 5e-324]},
        {"translation": [float("nan"), float("inf"), -float("inf")]},
        {"size": [1, 2, 12345678901234567890.25]},
    ],
)
def test_any_form_of_a_row(tmp_path: Path, changes: dict[str, Any], indent: int | None) -> None:
    """Between rows of the usual form, with its keys in another order, in any layout."""
    odd = {**ROW, **changes}
    rows = [{**ROW, "token": "x"}, dict(reversed(odd.items())), {**ROW, "token": "y"}]
    for ascii_only in (True, False):
        file, arrays = annotations(tmp_path, json.dumps(rows, indent=indent, ensure_ascii=ascii_only) + "\n ")
        read = [file.decode(k, int(a), int(a + n)) for k, (a, n) in enumerate(zip(arrays["start"], arrays["length"]))]  # noqa: B905
        assert repr(read) == repr(json.loads(json.dumps(rows)))
        for field in ("translation", "size", "rotation"):
            expected = np.array([[float(v) for v in row[field]] for row in rows])
            assert arrays[field].tobytes() == expected.tobytes()
        assert arrays["num_lidar_pts"].tolist() == [row["num_lidar_pts"] for row in rows]
        assert arrays["attribute_tokens#"].tolist() == [len(row["attribute_tokens"]) for row in rows]
        assert (arrays["key"] == keys_of([row["token"] for row in rows])).all()


def test_tokens_that_differ_have_keys_that_differ() -> None:
    tokens = [*(str(k) for k in range(2000)), *(f"{k:032x}" for k in range(2000)), "", "a" * 32, "A" * 32, "a" * 31,
              *("x" * k for k in range(1, 100)), *("\0" * k for k in range(1, 50))]  # fmt: skip
    keys = keys_of(tokens)
    assert len({tuple(key) for key in keys.tolist()}) == len(tokens)
    assert keys[2000 + 255].tolist() == [0, 255]


@pytest.mark.parametrize("rows", [0, 1])
def test_empty_tables(tmp_path: Path, rows: int) -> None:
    _, arrays = annotations(tmp_path, b"\xef\xbb\xbf [ " + b",".join([json.dumps(ROW).encode()] * rows) + b" ] ")
    assert len(arrays["start"]) == rows
    assert arrays["translation"].shape == (rows, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected JSON, got Expecting value"),
        ("nothing", "expected JSON, got Expecting value"),
        ("[", "expected JSON, got a list of rows that ends within row 0"),
        ("[ROW", "expected JSON, got a list of rows that ends within row 0"),
        ("[ROW,", "expected JSON, got a list of rows that ends within row 1"),
        ("[ROW, {", "expected JSON, got a list of rows that ends within row 1"),
        ("[ROW,]", "row 1: expected JSON"),
        ("[ROW ROW]", "row 1: expected JSON, got .* where ',' or ']' belongs"),
        ("[ROW] x", "expected JSON, got b'x' after the list"),
        ("[ROW, 3]", "row 1: expected an object, got int"),
        ('[ROW, "x"]', "row 1: expected an object, got str"),
        ("[ROW, {}]", r"row 1 \(token None\): missing key attribute_tokens, instance_token"),
        ('[ROW, {"token": 1 2}]', "row 1: expected JSON"),
        ('[ROW, {"a": tru}]', "row 1: expected JSON"),
        ("[ROW, ROW]", "row 1: token '0123456789abcdef0123456789abcdef' stands in a row before it too"),
        ('"text"', "expected a list of rows, got str"),
        ("\ufeff3", "expected JSON|expected a list of rows, got int"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataFormatError, match=rf"sample_annotation\.json.*({message})"):
        annotations(tmp_path, text.replace("ROW", json.dumps(ROW)))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("token", 3, "a token as token, got 3"),
        ("sample_token", None, "a token as sample_token, got None"),
        ("attribute_tokens", "a", "a list of tokens as attribute_tokens, got 'a'"),
        ("attribute_tokens", [1], r"a list of tokens as attribute_tokens, got \[1\]"),
        ("translation", [1, 2], r"3 numbers as translation, got \[1, 2\]"),
        ("translation", [1, 2, 3, 4], "3 numbers as translation"),
        ("size", [1, 2, "3"], "3 numbers as size"),
        ("rotation", {"w": 1}, "4 numbers as rotation"),
        ("size", [1, 2, 10**400], "3 numbers as size"),
        ("num_lidar_pts", 1.5, "a whole number as num_lidar_pts, got 1.5"),
        ("num_lidar_pts", "many", "a whole number as num_lidar_pts, got 'many'"),
        ("num_lidar_pts", True, "a whole number as num_lidar_pts, got True"),
        ("num_radar_pts", float("nan"), "a whole number as num_radar_pts, got nan"),
        ("num_radar_pts", 1 << 60, "a whole number as num_radar_pts"),
    ],
)
def test_values_of_another_kind(tmp_path: Path, field: str, value: Any, message: str) -> None:
    rows = [ROW, {**ROW, "token": "t", field: value}]
    with pytest.raises(DataFormatError, match=rf"row 1 \(token ('t'|3)\): expected {message}"):
        annotations(tmp_path, json.dumps(rows))


TEXT = json.dumps([ROW, {**ROW, "token": "t", "note": [1, "x"]}, {**ROW, "token": "u"}])


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_damaged_table_is_refused_or_read_as_json_reads_it(tmp_path_factory: Any, data: st.DataObject) -> None:
    """Cut, a byte changed, left out or put in."""
    at = data.draw(st.integers(0, len(TEXT) - 1))
    put = data.draw(st.sampled_from([*'{}[],:"\\ 0-.eE1n\n', "", "NaN", "\u00e9"]))
    kind = data.draw(st.sampled_from(["cut", "replace", "insert"]))
    text = {"cut": TEXT[:at], "replace": TEXT[:at] + put + TEXT[at + 1 :], "insert": TEXT[:at] + put + TEXT[at:]}[kind]
    try:
        file, arrays = annotations(tmp_path_factory.getbasetemp(), text)
    except DataFormatError:
        return
    rows = json.loads(text)
    read = [file.decode(k, int(a), int(a + n)) for k, (a, n) in enumerate(zip(arrays["start"], arrays["length"]))]  # noqa: B905
    assert repr(read) == repr(rows)
    assert arrays["size"].tolist() == [row["size"] for row in rows] or "NaN" in text
    assert (arrays["key"] == keys_of([row["token"] for row in rows])).all()
