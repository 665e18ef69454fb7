"""Targets of a split: every box accounted for, resuming, executors, refusals, and the real frames."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.real_nuscenes import KEYFRAME_TOKEN, keyframe_dataset

from bev3d import ConfigError, DataFormatError
from bev3d.config import Config, config_hash, load_config
from bev3d.data import Sample, open_dataset
from bev3d.jobs import _generate, generate_targets, load_targets
from bev3d.targets import HeatmapTargets

CLASSES = ("Car", "Pedestrian", "Cyclist")


class _Frames:
    """A split of made-up frames; frame i has i + 2 boxes."""

    class_names = CLASSES

    def __init__(self, count: int = 5) -> None:
        self.tokens = [f"{i:06d}" for i in range(count)]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> Sample:
        raise AssertionError("targets need no points")

    def annotations(self, index: int) -> Sample:
        rng = np.random.default_rng(index)
        count = index + 2
        boxes = rng.uniform(0.5, 4, (count, 9))
        boxes[:, :3] = rng.uniform((-30, -40, -2), (70, 40, 0), (count, 3))
        labels = rng.integers(-1, 3, count)
        names = tuple("Van" if label < 0 else CLASSES[label] for label in labels)
        points = np.zeros((0, 5), np.float32)
        return Sample(self.tokens[index], points, boxes, labels, names, rng.integers(-1, 3, count), CLASSES)


@pytest.fixture
def config() -> Config:
    return load_config("kitti_3class")


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> _Frames:
    dataset = _Frames()
    monkeypatch.setattr(_generate, "open_dataset", lambda config, dataroot, split: dataset)
    return dataset


def _check_accounts(manifest: dict[str, Any]) -> None:
    for counts in (manifest["total"], *manifest["classes"].values()):
        assert counts["boxes"] == counts["assigned"] + sum(counts["dropped"].values())
    classes = manifest["classes"].values()
    outside = sum(manifest["other"].values())
    assert manifest["total"]["boxes"] == sum(counts["boxes"] for counts in classes) + outside
    assert manifest["total"]["assigned"] == sum(counts["assigned"] for counts in classes)


def test_files_manifest_and_accounts(config: Config, frames: _Frames, tmp_path: Path) -> None:
    manifest = generate_targets(config, tmp_path, tmp_path / "out", split="any")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == json.loads(json.dumps(manifest))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*(f"{token}.npz" for token in frames.tokens), "manifest.json", "job.json"}
    assert manifest["config_hash"] == config_hash(config)
    assert manifest["tokens"] == frames.tokens
    assert manifest["samples"] == 5
    assert manifest["total"]["boxes"] == 2 + 3 + 4 + 5 + 6
    assert set(manifest["total"]["dropped"]) == {"not_a_class", "outside_range", "too_few_points"}
    _check_accounts(manifest)


def test_a_file_holds_the_targets_of_its_sample(config: Config, frames: _Frames, tmp_path: Path) -> None:
    generate_targets(config, tmp_path, tmp_path / "out", split="any")
    generator = HeatmapTargets(
        tasks=config.tasks, range_m=config.range_m, voxel_size_m=config.voxel_size_m, stride=2, max_objects=100
    )
    for index, token in enumerate(frames.tokens):
        sample = frames.annotations(index)
        few = (sample.num_points == 0) & (sample.labels >= 0)
        expected = generator([sample.boxes], [np.where(few, -1, sample.labels)])
        loaded = load_targets(tmp_path / "out" / f"{token}.npz")
        assert torch.equal(loaded.tasks[0].heatmap, expected.tasks[0].heatmap)
        assert torch.equal(loaded.tasks[0].box_index, expected.tasks[0].box_index)
        assert loaded.dropped[0].keys() == expected.dropped[0].keys()
        few_indices = {i for i, reason in loaded.dropped[0].items() if reason == "too_few_points"}
        assert few_indices == set(np.flatnonzero(few).tolist())


def test_goes_on_where_it_stopped(
    config: Config, frames: _Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generate_targets(config, tmp_path, tmp_path / "whole", split="any")
    out, annotations, asked = tmp_path / "out", frames.annotations, []

    def interrupted(index: int) -> Sample:
        if index == 3:
            raise KeyboardInterrupt
        return annotations(index)

    monkeypatch.setattr(frames, "annotations", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate_targets(config, tmp_path, out, split="any")
    assert {path.name for path in out.iterdir()} == {"job.json", "000000.npz", "000001.npz", "000002.npz"}
    (out / "000001.npz").write_bytes((out / "000001.npz").read_bytes()[:100])  # damaged: made again
    (out / ".000003.abc.npz").write_bytes(b"half")  # what a killed writer leaves
    monkeypatch.setattr(frames, "annotations", lambda index: asked.append(index) or annotations(index))
    assert generate_targets(config, tmp_path, out, split="any") == whole
    assert asked == [1, 3, 4]
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (out / path.name).read_bytes()
    assert not (out / ".000003.abc.npz").exists()
    asked.clear()
    generate_targets(config, tmp_path, out, split="any")
    assert asked == []


def test_an_interrupted_write_leaves_no_half_file(
    config: Config, frames: _Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(path: Path, **arrays: np.ndarray) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError, match="No space left"):
        generate_targets(config, tmp_path, tmp_path / "out", split="any")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["job.json"]


def test_other_settings_in_the_folder_are_refused(config: Config, frames: _Frames, tmp_path: Path) -> None:
    generate_targets(config, tmp_path, tmp_path / "out", split="any")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for change, text in (
        ({"radius": "legacy"}, "radius: 'cornernet' there, 'legacy' now"),
        ({"tasks": (("Car",), ("Pedestrian", "Cyclist"))}, "tasks: "),
    ):
        with pytest.raises(ConfigError, match=text):
            generate_targets(replace(config, **change), tmp_path, tmp_path / "out", split="any")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="split: 'any' there, 'other' now"):
        generate_targets(config, tmp_path, tmp_path / "out", split="other")
    with pytest.raises(ConfigError, match="dataroot: "):
        generate_targets(config, tmp_path / "out", tmp_path / "out", split="any")
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    generate_targets(replace(config, learning_rate=0.5), tmp_path, tmp_path / "out", split="any")  # changes no target


def test_bad_places_tokens_and_executors(
    config: Config, frames: _Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="out: expected a folder"):
        generate_targets(config, tmp_path, tmp_path / "file")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "job.json").write_text("{")
    with pytest.raises(ConfigError, match=r"job\.json: expected the settings of a job as JSON"):
        generate_targets(config, tmp_path, tmp_path / "odd")
    with pytest.raises(ValueError, match="executor: expected one of sequential, process, ray"):
        generate_targets(config, tmp_path, tmp_path / "out", executor="threads")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="workers: expected an integer >= 1, got 0"):
        generate_targets(config, tmp_path, tmp_path / "out", workers=0)
    monkeypatch.setattr(frames, "tokens", ["../evil"])
    with pytest.raises(DataFormatError, match=r"token: expected letters.* got '\.\./evil'"):
        generate_targets(config, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bad_box_is_named_by_sample(
    config: Config, frames: _Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotations = frames.annotations

    def broken(index: int) -> Sample:
        sample = annotations(index)
        if index == 2:
            sample.boxes[1, 3] = np.nan
        return sample

    monkeypatch.setattr(frames, "annotations", broken)
    with pytest.raises(DataFormatError, match=r"sample 000002: boxes\[0\]: expected finite .* 1 of 4 boxes .*\(1: "):
        generate_targets(config, tmp_path, tmp_path / "out", split="any")
    assert not (tmp_path / "out" / "000002.npz").exists()
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.slow
def test_processes_write_the_same_bytes(config: Config, kitti_root: Path, tmp_path: Path) -> None:
    manifests = [
        generate_targets(config, kitti_root, tmp_path / kind, split="val", executor=kind)  # type: ignore[arg-type]
        for kind in ("sequential", "process")
    ]
    assert manifests[0] == manifests[1]
    files = sorted(path.name for path in (tmp_path / "sequential").iterdir())
    assert len(files) == 24 + 2
    for name in files:
        assert (tmp_path / "sequential" / name).read_bytes() == (tmp_path / "process" / name).read_bytes()


def test_all_real_kitti_frames_every_box_accounted_for(config: Config, kitti_root: Path, tmp_path: Path) -> None:
    manifest = generate_targets(config, kitti_root, tmp_path / "out", split="trainval")
    assert manifest["samples"] == 70
    assert manifest["total"]["boxes"] == 464
    _check_accounts(manifest)
    files = (kitti_root / "training" / "label_2").glob("*.txt")
    labels = [line.split()[0] for path in files for line in path.read_text().splitlines()]
    for name in CLASSES:
        assert manifest["classes"][name]["boxes"] == labels.count(name)
    assert manifest["other"] == {name: labels.count(name) for name in set(labels) - {*CLASSES, "DontCare"}}
    dataset = open_dataset(config, kitti_root, "trainval")
    for index, token in enumerate(dataset.tokens):
        sample, targets = dataset.annotations(index), load_targets(tmp_path / "out" / f"{token}.npz")
        task = targets.tasks[0]
        used = task.box_index[task.mask].tolist()
        assert sorted([*used, *targets.dropped[0]]) == list(range(len(sample.boxes)))
        for slot, box in enumerate(used):
            row, column = divmod(int(task.cell_index[0, slot]), 176)
            x = (column + float(task.regression["offset"][0, slot, 0])) * 0.4
            y = (row + float(task.regression["offset"][0, slot, 1])) * 0.4 - 40
            assert (x, y) == pytest.approx(tuple(sample.boxes[box, :2]), abs=1e-5)
            assert task.heatmap[0, task.class_index[0, slot], row, column] == 1


def test_the_real_nuscenes_keyframe(real_data: Path, tmp_path: Path) -> None:
    root = keyframe_dataset(real_data, tmp_path / "nuscenes")
    config = load_config("synthetic_nuscenes")
    manifest = generate_targets(config, root, tmp_path / "out", split="mini_train")
    record = json.loads((real_data / "nuscenes" / "keyframe_ca9a282c.json").read_text())
    assert manifest["total"]["boxes"] == len(record["boxes"]) == 69
    _check_accounts(manifest)
    empty = sum(box["num_lidar_pts"] == 0 and box["category"] is not None for box in record["boxes"])
    assert manifest["total"]["dropped"].get("too_few_points", 0) == empty
    task = load_targets(tmp_path / "out" / f"{KEYFRAME_TOKEN}.npz").tasks[0]
    assert int(task.mask.sum()) == manifest["total"]["assigned"] > 30
    assert torch.isnan(task.regression["velocity"][task.mask]).all()  # a single key frame knows no velocities


@pytest.mark.slow
def test_the_script_and_its_exit_status(kitti_root: Path, tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[2] / "tools" / "generate_targets.py"
    command = [sys.executable, str(script), "--config", "kitti_3class", "--out", str(tmp_path / "out")]
    good = subprocess.run(
        [*command, "--dataroot", str(kitti_root), "--split", "val"], capture_output=True, text=True, check=False
    )
    assert good.returncode == 0, good.stderr
    assert "24 samples" in good.stdout
    bad = subprocess.run([*command, "--dataroot", str(tmp_path / "none")], capture_output=True, text=True, check=False)
    assert bad.returncode == 2
    assert "dataroot" in bad.stderr
    assert "Traceback" not in bad.stderr
