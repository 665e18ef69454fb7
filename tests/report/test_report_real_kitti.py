"""Real KITTI frames: the loss falls, cars are found, and the page shows detections beside the labels."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from bev3d.config import load_config
from bev3d.report import write_report
from bev3d.training import train


@pytest.mark.slow
def test_training_on_real_frames_learns_and_is_shown(kitti_root: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(load_config("kitti_3class"), epochs=5.0)
    train(config, kitti_root, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "losses.jsonl").read_text().splitlines()]
    first, last = rows[0]["losses"], rows[-1]["losses"]
    assert last["total"] < 0.4 * first["total"]
    assert last["heatmap"] < 0.4 * first["heatmap"]
    page = write_report(tmp_path / "run", kitti_root, tmp_path / "page", samples=2)
    text = page.read_text(encoding="utf-8")
    for name in ("detections_0.png", "detections_1.png", "targets_1.png", "scene.html"):
        assert name in text
        assert (page.parent / name).stat().st_size > 10_000
    assert len(list((page.parent / "results").glob("*.txt"))) == 24
    metrics = json.loads((page.parent / "metrics.json").read_text())
    assert metrics["num_frames"] == 24
    assert metrics["classes"]["Car"]["bev"]["num_ground_truth"]["hard"] > 20
