"""Damaged data through the command: status 2, a line that names place, expectation and value, nothing half-written."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bev3d.cli import main
from bev3d.synth import write_kitti, write_nuscenes


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic folder of each data set."""
    root = tmp_path_factory.mktemp("sound")
    write_nuscenes(root / "nuscenes", train_scenes=1, val_scenes=1, samples=2, sweeps=1)
    write_kitti(root / "kitti", train_frames=2, val_frames=1)
    return root


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(sound, tmp_path / "data")
    return tmp_path / "data"


def edit_rows(table: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Apply ``change`` to the first row of a nuScenes table."""
    rows = json.loads(table.read_text())
    change(rows[0])
    table.write_text(json.dumps(rows))


def edit_label(file: Path, column: int, value: str | None) -> None:
    """Replace a column of the first labelled line, or with None drop it and all after it."""
    lines = file.read_text().splitlines()
    words = lines[0].split()
    lines[0] = " ".join(words[:column] if value is None else [*words[:column], value, *words[column + 1 :]])
    file.write_text("\n".join(lines) + "\n")


def refused(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that has to end with 2 and leave nothing in ``out``; returns what it said."""
    assert main([*arguments, "--out", str(out)]) == 2
    left = [file for file in out.rglob("*") if file.is_file()] if out.exists() else []
    # what a job remembers of itself is not output
    assert not [file for file in left if file.name != "job.json"], left
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize("command", ["targets", "train"])
def test_a_missing_table(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (data / "nuscenes" / "v1.0-mini" / "sample_data.json").unlink()
    arguments = [command, "--config", "synthetic_nuscenes", "--dataroot", str(data / "nuscenes")]
    assert "sample_data.json" in refused(arguments, tmp_path / "out", capsys)


@pytest.mark.parametrize("layout", ["nuscenes", "kitti"])
def test_a_truncated_point_file(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str) -> None:
    record = {"nuscenes": 20, "kitti": 16}[layout]
    preset = {"nuscenes": "synthetic_nuscenes", "kitti": "kitti_3class"}[layout]
    for file in (data / layout).rglob("*.bin"):
        file.write_bytes(file.read_bytes()[:-3])
    arguments = ["train", "--config", preset, "--dataroot", str(data / layout)]
    message = refused(arguments, tmp_path / "out", capsys)
    assert ".bin" in message
    assert f"multiple of {record}" in message


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (12, None, "columns"),
        (0, "Spaceship", "Spaceship"),
        (8, "nan", "nan"),
        (9, "0.0", "0.0"),
        (10, "-2.5", "-2.5"),
    ],
)
def test_a_wrong_label_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], column: int, value: str | None, said: str
) -> None:
    labels = data / "kitti" / "training" / "label_2"
    file = next(f for f in sorted(labels.glob("*.txt")) if f.read_text() and not f.read_text().startswith("DontCare"))
    edit_label(file, column, value)
    arguments = ["targets", "--config", "kitti_3class", "--dataroot", str(data / "kitti"), "--split", "trainval"]
    message = refused(arguments, tmp_path / "out", capsys)
    assert f"{file}" in message
    assert ":1" in message or "line 1" in message
    assert said in message


@pytest.mark.parametrize("size", [[1.9, 0.0, 1.6], [1.9, float("nan"), 1.6], [1.9, -4.5, 1.6]])
@pytest.mark.parametrize("command", ["targets", "train"])
def test_an_impossible_size(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, size: list[float]
) -> None:
    table = data / "nuscenes" / "v1.0-mini" / "sample_annotation.json"
    rows = json.loads(table.read_text())
    for row in rows:
        row["size"] = size
    table.write_text(json.dumps(rows))
    arguments = [command, "--config", "synthetic_nuscenes", "--dataroot", str(data / "nuscenes")]
    message = refused(arguments, tmp_path / "out", capsys)
    assert "size" in message
    assert str(size[1]) in message or f"{size[1]:g}" in message


def test_an_unknown_class(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["targets", "--config", "synthetic_nuscenes", "--dataroot", str(data / "nuscenes")]
    message = refused(
        [*arguments, "--tasks", "car,spaceship", "--nms-radius-m", "1", "--peak-window", "3"], tmp_path / "out", capsys
    )
    assert "spaceship" in message
    assert "pedestrian" in message


def test_no_workers(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["targets", "--config", "synthetic_nuscenes", "--dataroot", str(data / "nuscenes"), "--workers", "0"]
    assert "--workers: expected at least 1, got 0" in refused(arguments, tmp_path / "out", capsys)


def test_a_missing_optional_package(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    arguments = ["targets", "--config", "synthetic_nuscenes", "--dataroot", str(data / "nuscenes")]
    arguments += ["--executor", "ray"]
    message = refused(arguments, tmp_path / "out", capsys)
    assert "ray" in message
    assert "pip install 'bev3d[ray]'" in message


def test_sound_data_are_accepted(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for layout, preset in (("nuscenes", "synthetic_nuscenes"), ("kitti", "kitti_3class")):
        out = tmp_path / layout
        assert main(["targets", "--config", preset, "--dataroot", str(sound / layout), "--out", str(out)]) == 0
        assert (out / "manifest.json").is_file()
        assert "boxes:" in capsys.readouterr().out


def test_results_of_another_data_set(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.json"
    for text in ("{", json.dumps({"results": {}}), json.dumps({"meta": {}, "results": {"unknown": []}})):
        results.write_text(text)
        arguments = ["evaluate", "--dataroot", str(data / "nuscenes"), "--predictions", str(results)]
        assert "results.json" in refused(arguments, tmp_path / "out", capsys)
