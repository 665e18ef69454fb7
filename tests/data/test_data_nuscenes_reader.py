"""The reader of tables against plain JSON and against the devkit, on real and random tables."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.random_nuscenes import random_nuscenes
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.data import NuScenesTables
from bev3d.data.nuscenes import TABLE_NAMES, _parse
from bev3d.data.nuscenes._annotations import velocities
from bev3d.data.nuscenes._schema import LINKS, SCHEMAS


def plain(root: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((root / VERSION / f"{table}.json").read_bytes())
    return rows


def assert_equal_to_json(tables: NuScenesTables, root: Path) -> None:
    """Every row, every number and every link of every table."""
    content = {table: plain(root, table) for table in TABLE_NAMES}
    place = {table: {row["token"]: i for i, row in enumerate(rows)} for table, rows in content.items()}
    for table, rows in content.items():
        assert list(tables.rows(table)) == rows
        assert len(tables.rows(table)) == len(rows)
        assert tables.tokens(table) == tuple(row["token"] for row in rows)
        assert [tables.get(table, row["token"]) for row in rows] == rows
        schema = SCHEMAS[table]
        for field, width in schema.vectors.items():
            expected = np.array([row[field] for row in rows], dtype=np.float64).reshape(-1, width)
            assert np.ascontiguousarray(tables.array(table, field)).tobytes() == expected.tobytes(), (table, field)
        for field in (*schema.wholes, *schema.flags):
            assert tables.array(table, field).tolist() == [row[field] for row in rows]
        for field in (*schema.links, *schema.lists):
            target = place[LINKS[table, field]]
            wanted = [(row[field] or [""])[0] if field in schema.lists else row[field] for row in rows]
            assert tables.array(table, field).tolist() == [target.get(t, -2) if t else -1 for t in wanted]
    for sample in content["sample"]:
        expected_rows = [row for row in content["sample_annotation"] if row["sample_token"] == sample["token"]]
        assert tables.sample_annotations(sample["token"]) == expected_rows


@pytest.mark.parametrize("piece", [1 << 23, 2500])
def test_random_tables_are_read_as_json_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """In one piece and in many, with rows that lie across their edges."""
    monkeypatch.setattr(_parse, "PIECE_BYTES", piece)
    root = random_nuscenes(tmp_path / "data", seed=1, boxes=20)
    for path in (root / VERSION).glob("*.json"):
        if piece < 1 << 20:  # no white space that would forgive a byte too many
            path.write_text(json.dumps(json.loads(path.read_text()), separators=(",", ":")))
    assert_equal_to_json(NuScenesTables(root, VERSION), root)
    assert_equal_to_json(NuScenesTables(root, VERSION, cache=tmp_path / "cache"), root)


def test_real_mini_val_is_read_as_json_reads_it(real_data: Path, tmp_path: Path) -> None:
    root = real_data / "nuscenes_mini_val"
    before = sorted(root.rglob("*"))
    tables = NuScenesTables(root, VERSION)
    for table in TABLE_NAMES:
        assert list(tables.rows(table)) == plain(root, table)
    cached = NuScenesTables(root, VERSION, cache=tmp_path)
    for table in TABLE_NAMES:
        for field in (*SCHEMAS[table].vectors, *SCHEMAS[table].wholes, *SCHEMAS[table].links):
            np.testing.assert_array_equal(cached.array(table, field), tables.array(table, field))
    assert sorted(root.rglob("*")) == before, "small tables get no cache"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
class TestDevkit:
    @pytest.fixture(params=["random 2", "random 3", "real"])
    def root(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        pytest.importorskip("nuscenes", reason="nuscenes-devkit is not installed")
        if request.param == "real":
            data: Path = request.getfixturevalue("real_data")
            return data / "nuscenes_mini_val"
        return random_nuscenes(tmp_path / "data", seed=int(request.param[-1]), boxes=30)

    def test_the_devkit_reads_the_same(self, root: Path, tmp_path: Path) -> None:
        from nuscenes import NuScenes

        theirs = NuScenes(VERSION, str(root), verbose=False)
        ours = NuScenesTables(root, VERSION, cache=tmp_path / "cache")
        categories = ours.names("category")
        for sample in theirs.sample:
            row = ours.indices("sample", [sample["token"]])
            assert ours.key_frame(sample["token"])["token"] == sample["data"]["LIDAR_TOP"]
            rows, _ = ours.annotation_indices(row)
            assert [ours.row("sample_annotation", int(k))["token"] for k in rows] == sample["anns"]
            speeds = [theirs.box_velocity(token)[:2] for token in sample["anns"]]
            np.testing.assert_array_equal(velocities(ours, rows), np.array(speeds).reshape(-1, 2))
            names = [categories[k] for k in ours.follow("instance", "category_token",
                     ours.follow("sample_annotation", "instance_token", rows))]  # fmt: skip
            assert names == [theirs.get("sample_annotation", token)["category_name"] for token in sample["anns"]]
        for table in ("sample_data", "ego_pose", "calibrated_sensor", "sample_annotation", "instance", "scene"):
            for row_of in ours.rows(table):
                assert row_of.items() <= theirs.get(table, row_of["token"]).items()


def test_a_file_that_changes_while_it_is_open(tmp_path: Path) -> None:
    root = tiny_nuscenes(tmp_path / "tiny", samples=2, sweeps=1)
    tables = NuScenesTables(root, VERSION)
    path = root / VERSION / "sample.json"
    rows = list(tables.rows("sample"))
    replacement = path.with_suffix(".new")
    replacement.write_text("[]")
    replacement.replace(path)
    assert list(tables.rows("sample")) == rows, "the file that was opened is still there"
    annotation = root / VERSION / "sample_annotation.json"
    annotation.write_text("[]")
    with pytest.raises(DataFormatError, match=r"sample_annotation\.json: changed while it was read"):
        tables.rows("sample_annotation")
    count = len(tables.rows("scene"))
    (root / VERSION / "scene.json").write_text(" " * 1000)
    with pytest.raises(DataFormatError, match=r"scene\.json, row 0: expected the row that was read before"):
        tables.rows("scene")[count - 1]


def test_where_files_can_only_be_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tiny_nuscenes(tmp_path / "tiny", samples=2, sweeps=1)
    for name in ("pread", "preadv"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(_parse, "PIECE_BYTES", 2000)
    assert_equal_to_json(NuScenesTables(root, VERSION), root)


def test_links_into_nowhere_are_named(tmp_path: Path) -> None:
    root = tiny_nuscenes(tmp_path / "tiny", samples=2, sweeps=1)
    path = root / VERSION / "sample_annotation.json"
    rows = json.loads(path.read_text())
    rows[0]["instance_token"] = "nobody"
    path.write_text(json.dumps(rows))
    tables = NuScenesTables(root, VERSION)
    with pytest.raises(DataFormatError, match=r"instance\.json: no row has the token 'nobody'"):
        tables.follow("sample_annotation", "instance_token", np.array([1, 0]))
    with pytest.raises(DataFormatError, match=r"sample\.json: no row has the token 'nowhen'"):
        tables.sample_annotations("nowhen")


def test_a_reader_is_opened_again_by_another_process(tmp_path: Path) -> None:
    root = tiny_nuscenes(tmp_path / "tiny", samples=2, sweeps=1)
    tables = NuScenesTables(root, VERSION, cache=tmp_path / "cache")
    tables.rows("sample")
    text = pickle.dumps(tables)
    assert len(text) < 1000
    assert list(pickle.loads(text).rows("sample")) == list(tables.rows("sample"))
