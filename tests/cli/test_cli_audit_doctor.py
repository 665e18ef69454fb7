"""``bev3d audit`` and ``bev3d doctor``: 0 for sound, 1 for what they look for, 2 for what the user has to change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from oracles.planted_defects import DEFECTS

from bev3d.cli import main
from bev3d.config import load_config
from bev3d.data import open_dataset
from bev3d.synth import write_kitti


@pytest.fixture(scope="module")
def kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kitti(tmp_path_factory.mktemp("cli") / "kitti", train_frames=5, val_frames=1)


def audit(kitti: Path, out: Path, *more: str) -> int:
    return main(["audit", "--config", "kitti_3class", "--dataroot", str(kitti), "--out", str(out), *more])


def test_audit_writes_table_json_and_page(kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(kitti, tmp_path, "--frames", "1") == 0
    said = capsys.readouterr().out
    for text in ("Pedestrian", "total", "decode error", str(tmp_path / "audit.json"), str(tmp_path / "index.html")):
        assert text in said
    content = json.loads((tmp_path / "audit.json").read_text())
    assert (content["frames"], content["split"], content["passed"]) == (5, "train", True)
    assert (tmp_path / "index.html").is_file()


def test_audit_as_a_check(kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(kitti, tmp_path, "--no-page", "--max-min-radius", "0.1", "--split", "trainval") == 1
    assert "limit broken: min_radius: expected at most 10.00%, got" in capsys.readouterr().err
    content = json.loads((tmp_path / "audit.json").read_text())
    assert content["passed"] is False
    assert content["limits"]["max_min_radius"] == 0.1
    assert not (tmp_path / "index.html").exists()
    limits = ("--max-decode-error", "1e-5", "--max-non-finite", "0", "--max-duplicate", "0.01", "--by-class")
    assert audit(kitti, tmp_path, "--no-page", *limits) == 0


def test_audit_takes_settings_of_the_preset_as_flags(kitti: Path, tmp_path: Path) -> None:
    narrow = ("--range-m", "0", "-8", "-3", "70.4", "8", "1")
    assert audit(kitti, tmp_path, "--no-page", "--max-out-of-range", "0.2", *narrow) == 1
    assert json.loads((tmp_path / "audit.json").read_text())["total"]["out_of_range"] > 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--max-collided", "1.5"], "max_collided: expected a share in [0, 1], got 1.5"),
        (["--split", "nowhere"], "nowhere"),
        (["--frames", "-1"], "--frames: expected at least 0, got -1"),
        (["--workers", "0", "--executor", "process"], "--workers: expected at least 1, got 0"),
    ],
)
def test_audit_refuses(
    kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert audit(kitti, tmp_path / "out", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def archives(kitti: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The frames as they are and with the bottom for the centre, an .npz file each."""
    folder = tmp_path_factory.mktemp("archives")
    dataset = open_dataset(load_config("kitti_3class"), kitti, "trainval")
    files: dict[str, list[str]] = {"sound": [], "z_bottom": []}
    for i in range(len(dataset)):
        sample = dataset[i]
        for kind, boxes in (("sound", sample.boxes), ("z_bottom", DEFECTS["z_bottom"](sample.boxes))):
            file = folder / f"{kind}_{i}.npz"
            np.savez(file, boxes=boxes, points=sample.points)
            files[kind].append(str(file))
    return files


def test_doctor_on_arrays(archives: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *archives["sound"]]) == 0
    said = capsys.readouterr().out
    assert "as given" in said
    assert said.splitlines()[-1] == "no defect found"
    out = tmp_path / "diagnosis.json"
    assert main(["doctor", *archives["z_bottom"], "--out", str(out)]) == 1
    said = capsys.readouterr().out
    assert "defect z_bottom: z is the bottom face" in said
    assert "points over the ground inside the boxes" in said
    assert "to do: add half the height: bev3d.boxes.convert.from_mmdet3d" in said
    content = json.loads(out.read_text())
    assert content["sound"] is False
    assert [finding["name"] for finding in content["findings"]] == ["z_bottom"]
    assert content["candidate"]["bottom"] is True


def test_doctor_on_a_data_set(kitti: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["doctor", "--config", "kitti_3class", "--dataroot", str(kitti), "--split", "trainval", "--frames", "6"]
    assert main(arguments) == 0
    assert "of 6 frames, reading: as given" in capsys.readouterr().out


def test_doctor_on_a_configuration_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", "kitti_3class"]) == 0
    assert capsys.readouterr().out == "no defect found\n"
    theirs = tmp_path / "nuscenes.yaml"
    weights = "[1, 1, 1, 1, 1, 1, 0.2, 0.2, 1, 1]"
    theirs.write_text(f"MODEL: {{DENSE_HEAD: {{LOSS_CONFIG: {{LOSS_WEIGHTS: {{code_weights: {weights}}}}}}}}}\n")
    assert main(["doctor", "--config", str(theirs)]) == 1
    said = capsys.readouterr().out
    assert "defect weight_order: the weight 0.2 meant for the velocity falls on the heading" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected array files, --boxes, or --config, got none of them"),
        (["nowhere.npz"], "nowhere.npz: no such file"),
        (["--points", "a.npy", "--config", "kitti_3class"], "--points: expected --boxes beside it"),
        (["--config", "kitti_3class", "--frames", "0"], "--frames: expected at least 1, got 0"),
        (["--config", "nowhere"], "expected a YAML file or one of the presets"),
        (["--config", "kitti_3class", "--dataroot", "nowhere"], "dataroot: expected a folder"),
        (["--dataroot", "."], "expected array files, --boxes, or --config"),
    ],
)
def test_doctor_refuses(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["doctor", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_doctor_wants_a_preset_of_its_own_for_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = tmp_path / "a.py"
    theirs.write_text("min_radius = 2\n")
    assert main(["doctor", "--config", str(theirs), "--dataroot", str(tmp_path)]) == 2
    assert "--dataroot: expected a preset of bev3d as --config" in capsys.readouterr().err


def test_doctor_on_arrays_of_different_widths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for columns in (7, 9):
        np.savez(tmp_path / f"{columns}.npz", boxes=np.ones((2, columns)))
    assert main(["doctor", str(tmp_path / "7.npz"), str(tmp_path / "9.npz")]) == 2
    assert "expected boxes of shape (N, 7) or (N, 9), the same in all" in capsys.readouterr().err
