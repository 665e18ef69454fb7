"""The demo on a small world: it runs through, starts again where it stopped, and its page holds everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bev3d import UserError
from bev3d.demo import run_demo
from bev3d.demo._clock import Clock


@pytest.mark.slow
def test_demo_runs_through_and_starts_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    page = run_demo(out, train_scenes=4, val_scenes=1, epochs=3)
    text = page.read_text(encoding="utf-8")
    for name in ("detections_0.png", "targets_0.png", "scene.html", "loss.png", "score.png"):
        assert (out / name).stat().st_size > 1000
        assert name in text
    assert "says nothing about real nuScenes" in text
    assert "mAP" in capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["split"] == "synth_val"
    assert metrics["num_samples"] == 2
    before = {file: file.stat().st_mtime_ns for file in (out / "data").rglob("*.bin")}
    checkpoint = (out / "run" / "checkpoint.pt").read_bytes()
    run_demo(out, train_scenes=4, val_scenes=1, epochs=3)
    assert {file: file.stat().st_mtime_ns for file in (out / "data").rglob("*.bin")} == before
    assert (out / "run" / "checkpoint.pt").read_bytes() == checkpoint
    with pytest.raises(UserError):
        run_demo(out, train_scenes=5, val_scenes=1, epochs=3)


def test_demo_wants_scenes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="scenes: expected at least 1 of each, got 0 and 1"):
        run_demo(tmp_path / "demo", train_scenes=0, val_scenes=1)
    assert not (tmp_path / "demo").exists()


def test_clock_keeps_the_time_of_the_run_that_did_the_work(tmp_path: Path) -> None:
    (tmp_path / "seconds.json").write_text('{"training": 100.0}')
    clock = Clock(2, tmp_path / "seconds.json")
    for name in ("training", "pictures"):
        with clock.step(name):
            pass
    assert clock.seconds["training"] == 100.0
    assert clock.seconds["pictures"] < 1
    assert json.loads((tmp_path / "seconds.json").read_text()) == clock.seconds
