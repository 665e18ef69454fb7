"""Writers of the cache that are killed or at work at the same time, on tables large enough for it."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bev3d.bench._large_tables import write_large_tables
from bev3d.data import NuScenesTables

OPEN = """
import sys
from bev3d.data import NuScenesTables
tables = NuScenesTables(sys.argv[1], sys.argv[2], cache=sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
print(len(tables.rows("sample_annotation")), tables.array("sample_annotation", "size").sum(), flush=True)
"""


def _reader(root: Path, version: str, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPEN, str(root), version, str(cache)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 MB of tables: writing their cache takes long enough to be killed in it."""
    return write_large_tables(tmp_path_factory.mktemp("large") / "data", samples=500, scenes=12)


@pytest.mark.slow
def test_killed_writers(large: Path, tmp_path: Path) -> None:
    expected = NuScenesTables(large, "v1.0-trainval", cache=False).array("sample_annotation", "size").sum()
    cache = tmp_path / "cache"
    generator = random.Random(0)
    left = set()
    for _ in range(4):
        process = _reader(large, "v1.0-trainval", cache)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        _start(process)
        deadline = time.monotonic() + 60
        while not list(cache.glob(".writing*/*.npy")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(generator.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left |= {path.name for path in cache.glob(".writing*")}
        for index in cache.glob("*/index.json"):
            if not index.parent.name.startswith("."):  # it was faster: the next one shall write again
                shutil.rmtree(index.parent)
    assert left, "no writer was killed while it wrote"
    tables = NuScenesTables(large, "v1.0-trainval", cache=cache)
    assert tables.array("sample_annotation", "size").sum() == expected
    assert [path.name for path in cache.glob(".writing*")] == [], "what killed writers left is cleared away"


@pytest.mark.slow
def test_writers_at_once(large: Path, tmp_path: Path) -> None:
    tables = NuScenesTables(large, "v1.0-trainval", cache=False)
    expected = f"{len(tables.rows('sample_annotation'))} {tables.array('sample_annotation', 'size').sum()}\n"
    processes = [_reader(large, "v1.0-trainval", tmp_path / "cache") for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        _start(process)
    assert [process.communicate(timeout=120)[0] for process in processes] == [expected] * 2
    assert [process.returncode for process in processes] == [0] * 2
    (cache,) = (tmp_path / "cache").iterdir()
    assert (cache / "index.json").is_file()


def test_the_maker_of_large_tables_agrees_with_the_devkit(tmp_path: Path) -> None:
    nuscenes = pytest.importorskip("nuscenes", reason="nuscenes-devkit is not installed")
    root = write_large_tables(tmp_path / "data", samples=20, scenes=2)
    theirs = nuscenes.NuScenes("v1.0-trainval", str(root), verbose=False)
    ours = NuScenesTables(root, "v1.0-trainval")
    assert len(ours.rows("sample_data")) == 20 * 77
    assert len(ours.rows("sample_annotation")) == 20 * 34 + 3
    for sample in theirs.sample:
        assert sorted(sample["data"]) == sorted(ours.names("sensor"))
        assert [row["token"] for row in ours.sample_annotations(sample["token"])] == sample["anns"]
        row = ours.key_frame(sample["token"])
        assert row["token"] == sample["data"]["LIDAR_TOP"]
        speeds = [theirs.box_velocity(token) for token in sample["anns"]]
        assert np.isfinite(speeds).any()
