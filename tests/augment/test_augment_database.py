"""The database of objects: what is in it, resuming, refusals, the real frames."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from augment_worlds import CLASSES, World

from bev3d import ConfigError, DataFormatError
from bev3d.augment import PasteDatabase, _build, build_database
from bev3d.data import KittiDataset
from bev3d.points import count_points_in_boxes, points_in_boxes_mask

FILES = {"index.json", "points.npy", "job.json"}


@pytest.fixture(autouse=True)
def two_samples_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_build, "_SAMPLES_PER_PART", 2)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_object_of_a_class_with_its_points_bit_for_bit(tmp_path: Path) -> None:
    world = World()
    counts = build_database(world, tmp_path, min_points=3)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    database = PasteDatabase(tmp_path, min_points=1)
    assert database.class_names == CLASSES
    row = 0
    for index in range(len(world)):
        sample = world[index]
        held = points_in_boxes_mask(sample.points, sample.boxes)
        for k in np.flatnonzero((sample.labels >= 0) & (held.sum(axis=0) >= 3)):
            expected = sample.points[held[:, k]]
            crop = database.crop(row)
            np.testing.assert_array_equal(crop, expected[np.argsort(expected[:, 4], kind="stable")])
            np.testing.assert_array_equal(database.boxes[row], sample.boxes[k])  # NaN velocities too
            assert database.labels[row] == sample.labels[k]
            assert database.num_points[row] == len(expected)
            assert database.tokens[row] == sample.token
            assert database.difficulty is not None
            assert database.difficulty[row] == sample.meta["difficulty"][k]
            row += 1
    assert row == len(database) == sum(counts.values()) > 30
    assert counts == {name: int((database.labels == c).sum()) for c, name in enumerate(CLASSES)}
    for c, members in enumerate(database.members):
        np.testing.assert_array_equal(members, np.flatnonzero(database.labels == c))


def test_filters_and_the_order_of_the_classes(tmp_path: Path) -> None:
    build_database(World(), tmp_path)
    whole = PasteDatabase(tmp_path, min_points=1)
    assert whole.difficulty is not None
    some = PasteDatabase(tmp_path, class_names=("pedestrian", "car"), min_points={"car": 27}, difficulties=(0, 2))
    names = np.array([CLASSES[label] for label in whole.labels])
    wanted = np.isin(whole.difficulty, [0, 2]) & (
        (names == "pedestrian") | ((names == "car") & (whole.num_points >= 27))
    )
    assert 0 < wanted.sum() < len(whole)
    np.testing.assert_array_equal(some.boxes, whole.boxes[wanted])
    assert [some.class_names[label] for label in some.labels] == names[wanted].tolist()
    for row, place in enumerate(np.flatnonzero(wanted)):
        np.testing.assert_array_equal(some.crop(row), whole.crop(place))


def test_it_goes_on_where_it_stopped_and_the_number_of_threads_is_no_matter(tmp_path: Path) -> None:
    build_database(World(), tmp_path / "whole")
    read: list[int] = []

    def stops(index: int) -> None:
        read.append(index)
        if index == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_database(World(on_read=stops), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"job.json", "part-000000.npz", "part-000001.npz"}
    damaged = tmp_path / "out" / "part-000000.npz"
    damaged.write_bytes(damaged.read_bytes()[:200])  # made again
    (tmp_path / "out" / ".part-000002.abc.npz").write_bytes(b"half")  # what a killed writer leaves
    read.clear()
    build_database(World(on_read=read.append), tmp_path / "out")
    assert read == [0, 1, 4, 5, 6]
    assert _contents(tmp_path / "out") == _contents(tmp_path / "whole")
    read.clear()
    (tmp_path / "out" / "part-000001.npz").write_bytes(b"")  # killed while the parts went away
    build_database(World(on_read=read.append), tmp_path / "out")
    assert not read
    build_database(World(), tmp_path / "threads", workers=3)
    assert _contents(tmp_path / "out") == _contents(tmp_path / "whole") == _contents(tmp_path / "threads")


def test_a_stop_between_points_and_index_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_database(World(), tmp_path / "whole")
    write_json = _build.write_json

    def fails(path: Path, *rest: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_build, "write_json", fails)
    with pytest.raises(OSError, match="No space left"):
        build_database(World(), tmp_path / "out")
    monkeypatch.setattr(_build, "write_json", write_json)
    build_database(World(on_read=pytest.fail), tmp_path / "out")
    assert _contents(tmp_path / "out") == _contents(tmp_path / "whole")


@pytest.mark.slow
def test_after_kill_9_it_goes_on(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from augment_worlds import World
        from bev3d.augment import _build
        _build._SAMPLES_PER_PART = 2
        _build.build_database(World(40, on_read=lambda index: time.sleep(0.05)), sys.argv[1])
    """)
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", script, str(out)])
    deadline = time.monotonic() + 100
    while len(list(out.glob("part-*.npz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    parts = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*.npz")}
    assert 3 <= len(parts) < 20
    read: list[int] = []
    build_database(World(40, on_read=read.append), out)
    finished = {2 * int(name[5:11]) + k for name in parts for k in range(2)}
    assert sorted(read) == sorted(set(range(40)) - finished)  # nothing lost, nothing twice
    build_database(World(40), tmp_path / "whole")
    assert _contents(out) == _contents(tmp_path / "whole")


def test_other_settings_in_the_folder_are_refused(tmp_path: Path) -> None:
    build_database(World(), tmp_path / "out")
    before = _contents(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"a database of the same settings .* min_points: 1 there, 4 now"):
        build_database(World(), tmp_path / "out", min_points=4)
    with pytest.raises(ConfigError, match="samples: 7 there, 6 now; tokens_sha256: "):
        build_database(World(6), tmp_path / "out")
    assert _contents(tmp_path / "out") == before
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="out: expected a folder"):
        build_database(World(), tmp_path / "file")
    with pytest.raises(ValueError, match="min_points: expected an integer >= 1, got 0"):
        build_database(World(), tmp_path / "new", min_points=0)


@pytest.mark.parametrize("world", [World(0), World(3, boxes=0)])
def test_nothing_to_cut_out(tmp_path: Path, world: World) -> None:
    assert build_database(world, tmp_path) == dict.fromkeys(CLASSES, 0)
    database = PasteDatabase(tmp_path)
    assert len(database) == 0
    assert database.boxes.shape == (0, 9)
    assert [len(members) for members in database.members] == [0, 0, 0]


def test_boxes_that_cannot_be_are_left_out(tmp_path: Path) -> None:
    class Broken(World):
        def __getitem__(self, index: int) -> Any:
            sample = super().__getitem__(index)
            sample.boxes[0, 3], sample.boxes[2, 0], sample.boxes[3, 5] = -1, np.nan, 0
            return sample

    build_database(Broken(2), tmp_path)
    database = PasteDatabase(tmp_path, min_points=1)
    assert np.isfinite(database.boxes[:, :7]).all()
    assert (database.boxes[:, 3:6] > 0).all()
    assert len(database) <= 2 * 4


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"index\.json: no such file; expected the index of a database"):
        PasteDatabase(tmp_path)
    build_database(World(), tmp_path)
    with pytest.raises(ConfigError, match="class_names: expected classes out of car, truck, pedestrian, got 'bus'"):
        PasteDatabase(tmp_path, class_names=("car", "bus"))
    with pytest.raises(ConfigError, match=r"min_points: expected classes out of car, .* got 'bus'"):
        PasteDatabase(tmp_path, min_points={"bus": 3})
    np.save(tmp_path / "points.npy", np.zeros((3, 5), np.float32))
    with pytest.raises(DataFormatError, match=r"points\.npy: expected float32 of shape \(\d+, 5\), as the index says"):
        PasteDatabase(tmp_path).crop(0)
    (tmp_path / "points.npy").write_bytes(b"none")
    with pytest.raises(DataFormatError, match=r"points\.npy: expected the points of a database"):
        PasteDatabase(tmp_path).crop(0)
    (tmp_path / "index.json").write_text('{"format": 9}')
    with pytest.raises(DataFormatError, match="expected a database of format 1, got 9"):
        PasteDatabase(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(DataFormatError, match="expected the index of a database of objects, got"):
        PasteDatabase(tmp_path)


def test_it_travels_to_other_processes_without_its_points(tmp_path: Path) -> None:
    build_database(World(), tmp_path)
    database = PasteDatabase(tmp_path)
    before = len(pickle.dumps(database))
    expected = database.crop(3).copy()
    assert len(pickle.dumps(database)) == before  # the open file stays here
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(database)).crop(3), expected)
    assert not database.crop(3).flags.writeable


def test_a_data_set_without_difficulties(tmp_path: Path) -> None:
    class Plain(World):
        def __getitem__(self, index: int) -> Any:
            sample = super().__getitem__(index)
            sample.meta.clear()  # type: ignore[attr-defined]
            return sample

    build_database(Plain(2), tmp_path)
    assert PasteDatabase(tmp_path).difficulty is None
    assert json.loads((tmp_path / "index.json").read_text())["objects"]["difficulty"] is None
    with pytest.raises(ConfigError, match="difficulties: expected None"):
        PasteDatabase(tmp_path, difficulties=(0,))


def test_the_real_kitti_frames(kitti_root: Path, tmp_path: Path) -> None:
    dataset = KittiDataset(kitti_root, split="val")
    counts = build_database(dataset, tmp_path)
    expected = dict.fromkeys(dataset.class_names, 0)
    for index in range(len(dataset)):
        sample = dataset[index]
        held = count_points_in_boxes(sample.points, sample.boxes)
        for label in sample.labels[(held > 0) & (sample.labels >= 0)]:
            expected[dataset.class_names[label]] += 1
    assert counts == expected
    assert counts["Car"] > 90
    easy = PasteDatabase(tmp_path, difficulties=(0,))
    assert 0 < len(easy) < len(PasteDatabase(tmp_path))
