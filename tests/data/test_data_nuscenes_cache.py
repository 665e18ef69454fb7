"""The cache of the tables: used when it is right, and made anew whatever happened to it."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from oracles.random_nuscenes import random_nuscenes
from oracles.tiny_nuscenes import VERSION, tiny_nuscenes

from bev3d.data import NuScenesTables
from bev3d.data.nuscenes import TABLE_NAMES, _access, _store
from bev3d.data.nuscenes._schema import LINKS, SCHEMAS
from bev3d.data.nuscenes._store import FIRST, ORDER, group_members


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_nuscenes(tmp_path_factory.mktemp("source") / "data", seed=4, samples=3, boxes=15)


@pytest.fixture
def root(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy whose tables are as good as large ones, and a cache folder of the user."""
    shutil.copytree(source, tmp_path / "data", copy_function=shutil.copy2)
    monkeypatch.setattr(_access, "CACHED_FROM_BYTES", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "data"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tables that are parsed from now on."""
    names: list[str] = []
    real = _store.read_columns
    monkeypatch.setattr(_store, "read_columns", lambda table, file: names.append(table) or real(table, file))
    return names


def assert_right(tables: NuScenesTables) -> None:
    """Everything that the reader gives, against plain JSON."""
    content = {table: json.loads(tables.path(table).read_bytes()) for table in TABLE_NAMES}
    place = {table: {row["token"]: i for i, row in enumerate(rows)} | {"": -1} for table, rows in content.items()}
    for table, rows in content.items():
        assert list(tables.rows(table)) == rows
        assert tables.indices(table, [row["token"] for row in rows]).tolist() == list(range(len(rows)))
        assert tables.tokens(table) == tuple(row["token"] for row in rows)
        schema = SCHEMAS[table]
        for field in (*schema.vectors, *schema.wholes, *schema.flags):
            assert tables.array(table, field).tolist() == [row[field] for row in rows]
        for field in (*schema.links, *schema.lists):
            wanted = [(row[field] or [""])[0] if field in schema.lists else row[field] for row in rows]
            assert tables.array(table, field).tolist() == [place[LINKS[table, field]][token] for token in wanted]
        for field in schema.lists:
            assert tables.array(table, f"{field}#").tolist() == [len(row[field]) for row in rows]
    first = {scene["token"]: scene["first_sample_token"] for scene in content["scene"]}
    assert [row["token"] for row in content["sample"] if row["token"] in first.values()] == list(first.values())
    for sample in content["sample"]:
        wanted = [row for row in content["sample_annotation"] if row["sample_token"] == sample["token"]]
        assert tables.sample_annotations(sample["token"]) == wanted
        assert tables.key_frame(sample["token"])["sample_token"] == sample["token"]
    scenes = group_members(np.arange(len(first)), tables.array("sample", ORDER), tables.array("sample", FIRST))[0]
    assert scenes.tolist() == list(range(len(content["sample"])))


def caches(root: Path) -> list[Path]:
    return sorted((root / VERSION / ".bev3d_cache").glob("*"))


def test_tables_are_parsed_once(root: Path, parsed: list[str]) -> None:
    assert_right(NuScenesTables(root, VERSION))
    assert sorted(parsed) == sorted(TABLE_NAMES)
    assert len(caches(root)) == 1
    parsed.clear()
    again = NuScenesTables(root, VERSION)
    assert_right(again)
    assert parsed == []
    assert not again.array("ego_pose", "translation").flags.writeable
    assert not again.array("ego_pose", "translation").flags.owndata


def test_the_files_are_plain_numpy(root: Path) -> None:
    tables = NuScenesTables(root, VERSION)
    size = tables.array("sample_annotation", "size")
    np.testing.assert_array_equal(np.load(caches(root)[0] / "sample_annotation.size.npy", mmap_mode="r"), size)


def test_changed_tables_are_read_anew(root: Path, parsed: list[str]) -> None:
    assert_right(NuScenesTables(root, VERSION))
    (old,) = caches(root)
    path = root / VERSION / "sample_annotation.json"
    rows = json.loads(path.read_text())
    rows[0]["num_lidar_pts"] = 9 - rows[0]["num_lidar_pts"] % 10  # the same number of bytes is enough
    path.write_text(json.dumps(rows))
    parsed.clear()
    assert_right(NuScenesTables(root, VERSION))
    assert sorted(parsed) == sorted(TABLE_NAMES)
    (new,) = caches(root)
    assert new != old, "the cache of the tables that are gone is gone too"


def test_a_touched_table_is_read_anew(root: Path, parsed: list[str]) -> None:
    assert_right(NuScenesTables(root, VERSION))
    os.utime(root / VERSION / "map.json", ns=(1, 1))
    parsed.clear()
    assert_right(NuScenesTables(root, VERSION))
    assert "map" in parsed


def array_of(file: str) -> tuple[str, str]:
    table, _, rest = file.partition(".")
    return ("sample", "start") if file == "index.json" else (table, rest.removesuffix(".npy"))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 8)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[random.Random(path.name).randrange(len(content))] ^= 1
    path.write_bytes(bytes(content))


def _zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _remove(path: Path) -> None:
    path.unlink()


DAMAGES = (_cut, _grow, _flip, _zero, _empty, _remove)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_never_believed(
    root: Path, tmp_path: Path, parsed: list[str], damage: Callable[[Path], None]
) -> None:
    NuScenesTables(root, VERSION).rows("sample")
    (cache,) = caches(root)
    names = sorted(path.name for path in cache.glob("*.npy"))
    for name in ("index.json", *names[DAMAGES.index(damage) :: len(DAMAGES)]):
        damage(cache / name)
        parsed.clear()
        tables = NuScenesTables(root, VERSION)
        tables.array(*array_of(name))
        assert parsed, f"{name} was believed"
        parsed.clear()
        NuScenesTables(root, VERSION).array(*array_of(name))
        assert parsed == [], f"{name} was not made anew"
    assert_right(tables)
    assert caches(root) == [cache]
    assert not (tmp_path / "home").exists()


def test_damage_while_it_is_open(root: Path) -> None:
    tables = NuScenesTables(root, VERSION)
    tables.rows("sample")
    shutil.rmtree(caches(root)[0])
    assert_right(tables)
    for path in caches(root)[0].glob("*.npy"):
        _flip(path)
    assert_right(NuScenesTables(root, VERSION))


def test_no_cache(root: Path, parsed: list[str]) -> None:
    for _ in range(2):
        parsed.clear()
        assert_right(NuScenesTables(root, VERSION, cache=False))
        assert sorted(parsed) == sorted(TABLE_NAMES)
    assert caches(root) == []


def test_a_folder_of_ones_own(root: Path, tmp_path: Path, parsed: list[str]) -> None:
    for _ in range(2):
        parsed.clear()
        assert_right(NuScenesTables(root, VERSION, cache=tmp_path / "mine" / "cache"))
    assert parsed == []
    assert caches(root) == []


def test_small_tables_get_none(source: Path, parsed: list[str]) -> None:
    tables = NuScenesTables(source, VERSION)
    assert len(tables.rows("sample")) > 0
    assert parsed == ["sample"], "and only what is asked for is parsed"
    assert caches(source) == []


def test_where_nothing_can_be_written_beside_the_tables(root: Path, tmp_path: Path, parsed: list[str]) -> None:
    (root / VERSION / ".bev3d_cache").write_text("a file in the folder's place")
    for _ in range(2):
        parsed.clear()
        assert_right(NuScenesTables(root, VERSION))
    assert parsed == []
    assert list((tmp_path / "home" / "bev3d" / "nuscenes").glob("*/*/index.json"))


def test_where_nothing_can_be_written_at_all(root: Path, tmp_path: Path) -> None:
    (root / VERSION / ".bev3d_cache").write_text("")
    (tmp_path / "home").write_text("")
    with pytest.warns(RuntimeWarning, match="no cache could be written"):
        assert_right(NuScenesTables(root, VERSION))


def test_tiny_tables_of_every_test_stay_clean(tmp_path: Path) -> None:
    root = tiny_nuscenes(tmp_path / "tiny", samples=2, sweeps=1)
    before = sorted(root.rglob("*"))
    NuScenesTables(root, VERSION).rows("sample")
    assert sorted(root.rglob("*")) == before
