"""Target generation that is really killed: nothing lost, nothing made twice, no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from oracles.tiny_kitti import tiny_kitti

from bev3d.config import config_hash, load_config
from bev3d.jobs import generate_targets, load_targets

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "generate_targets.py"
FRAMES = tuple(f"{i:06d}" for i in range(240))


def _files(out: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of the whole files: a file that is written again has others."""
    found = {}
    for path in out.glob("[0-9]*.npz"):
        status = path.stat()
        found[path.name] = (status.st_ino, status.st_mtime_ns)
    return found


def _run_until(command: list[str], out: Path, count: int) -> None:
    """Start the job and kill it, without a chance to tidy up, once ``count`` files are there."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(_files(out)) < count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)  # workers hold the pipe open: it ends when the last one has
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "counts"), [("sequential", (40, 120)), ("process", (60,))])
def test_killed_it_ends_as_if_nothing_had_been(executor: str, counts: tuple[int, ...], tmp_path: Path) -> None:
    root, out = tmp_path / "kitti", tmp_path / "out"
    root.mkdir()
    tiny_kitti(root, frames=FRAMES)
    config = load_config("kitti_3class")
    whole = generate_targets(config, root, tmp_path / "whole")
    command = [sys.executable, str(SCRIPT), "--config", "kitti_3class", "--dataroot", str(root), "--out", str(out)]
    command += ["--executor", executor]
    before: dict[str, tuple[int, int]] = {}
    for count in counts:
        _run_until(command, out, count)
        now = _files(out)
        assert count <= len(now) < len(FRAMES)
        assert before.items() <= now.items()  # what was whole was not touched again
        assert not (out / "manifest.json").exists()
        for name in now:
            load_targets(out / name)  # none is half written
        before = now
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert before.items() <= _files(out).items()
    names = {path.name for path in out.iterdir()}
    assert names == {*(f"{frame}.npz" for frame in FRAMES), "manifest.json", "job.json"}
    for name in names:
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert whole["config_hash"] == config_hash(config)
    assert set(whole["versions"]) == {"bev3d", "python", "numpy", "numba", "torch"}
    assert whole["samples"] == len(whole["tokens"]) == len(FRAMES)
    assert whole["total"]["boxes"] == 3 * len(FRAMES)
