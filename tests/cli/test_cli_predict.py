"""``bev3d predict``, ``bev3d paste-database`` and ``bev3d view --checkpoint`` on small synthetic folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bev3d.cli import main
from bev3d.evaluation import evaluate_kitti, evaluate_nuscenes
from bev3d.synth import write_kitti, write_nuscenes

PRESETS = {"nuscenes": "synthetic_nuscenes", "kitti": "kitti_3class"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder of each data set and a detector that has taken a step on it."""
    root = tmp_path_factory.mktemp("trained")
    write_nuscenes(root / "nuscenes", train_scenes=1, val_scenes=1, samples=2, sweeps=1)
    write_kitti(root / "kitti", train_frames=2, val_frames=2)
    for layout, preset in PRESETS.items():
        arguments = ["--config", preset, "--dataroot", str(root / layout), "--out", str(root / f"run-{layout}")]
        assert main(["train", *arguments, "--max-seconds", "0"]) == 0
    return root


def arguments_of(trained: Path, layout: str, data: Path | None = None) -> list[str]:
    checkpoint = trained / f"run-{layout}" / "checkpoint.pt"
    dataroot = trained / layout if data is None else data
    return ["--config", PRESETS[layout], "--checkpoint", str(checkpoint), "--dataroot", str(dataroot)]


def test_nuscenes_with_mirror_images_and_a_report(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.json"
    flags = ["--score-threshold", "0.001", "--double-flip", "both", "--nms", "weighted", "--max-per-class", "5"]
    flags += ["--post-range-m", "-40", "-40", "-5", "40", "40", "5", "--speed-report", "--device", "cpu"]
    assert main(["predict", *arguments_of(trained, "nuscenes"), *flags, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    results = json.loads(out.read_text())["results"]
    assert len(results) == 2
    assert 0 < max(map(len, results.values())) <= 50
    for stage in ("read", "encode", "network", "decode", "suppression", "write"):
        assert f"\n{stage} " in said
    assert "samples/s" in said
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
    evaluate_nuscenes(trained / "nuscenes", "v1.0-mini", "synth_val", out)


def test_kitti_without_detections(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results"
    flags = ["--class-score-thresholds", "1.0", "1.0", "1.0", "--double-flip", "y"]
    assert main(["predict", *arguments_of(trained, "kitti"), *flags, "--out", str(out)]) == 0
    assert f"{out}: 0 boxes in 2 samples of val" in capsys.readouterr().out
    files = sorted(out.glob("*.txt"))
    assert [file.read_text() for file in files] == ["", ""]
    evaluate_kitti(trained / "kitti" / "training" / "label_2", out, frames=[file.stem for file in files])


def test_a_missing_scan_names_sample_and_file_and_leaves_no_result(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(trained / "kitti", data)
    frame = (data / "ImageSets" / "val.txt").read_text().split()[1]
    scan = data / "training" / "velodyne" / f"{frame}.bin"
    kept = scan.read_bytes()
    scan.unlink()
    arguments = ["predict", *arguments_of(trained, "kitti", data), "--out", str(tmp_path / "results")]
    assert main(arguments) == 2
    assert f"sample {frame}: {scan}: no such file" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
    scan.write_bytes(b"")  # a scan without points
    assert main(arguments) == 0
    scan.write_bytes(kept)
    assert main(arguments) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data", "results"]


def test_leftovers_of_another_detector(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = tmp_path / ".results.json.parts"
    parts.mkdir()
    (parts / "job.json").write_text('{"checkpoint_sha256": "of another"}')
    arguments = ["predict", *arguments_of(trained, "nuscenes"), "--out", str(tmp_path / "results.json")]
    assert main(arguments) == 2
    assert "checkpoint_sha256: 'of another' there" in capsys.readouterr().err
    assert main([*arguments, "--no-resume"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("layout", ["nuscenes", "kitti"])
def test_a_place_that_cannot_hold_the_result(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    out = tmp_path / "out"
    if layout == "nuscenes":
        out.mkdir()
    else:
        out.write_text("")
    assert main(["predict", *arguments_of(trained, layout), "--out", str(out)]) == 2
    assert "--out: expected a f" in capsys.readouterr().err


def test_a_checkpoint_of_another_network(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predict", *arguments_of(trained, "nuscenes"), "--out", str(tmp_path / "results.json")]
    assert main([*arguments, "--head-channels", "16"]) == 2
    assert "expected head_channels 32 as the checkpoint was trained, got 16" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_view_draws_what_predict_finds(trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "scene.html"
    arguments = ["view", *arguments_of(trained, "nuscenes"), "--html", str(page), "--min-score", "0.01"]
    assert main([*arguments, "--score-threshold", "0.001", "--double-flip", "both", "--count", "2"]) == 0
    assert page.stat().st_size > 10_000


def test_paste_database_and_a_run_that_pastes(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--config", "kitti_3class", "--dataroot", str(trained / "kitti")]
    objects = tmp_path / "objects"
    assert main(["paste-database", *data, "--out", str(objects)]) == 0
    said = capsys.readouterr().out
    counts = json.loads((objects / "index.json").read_text())["counts"]
    assert f"{objects}: {sum(counts.values())} objects of train: Car {counts['Car']}, Pedestrian" in said
    flags = ["--paste-counts", "2", "2", "2", "--paste-database", str(objects), "--max-seconds", "0"]
    assert main(["train", *data, "--out", str(tmp_path / "run"), *flags]) == 0
    assert f"paste database: {objects}: Car" in capsys.readouterr().err
    assert main(["paste-database", *data, "--out", str(objects), "--threads", "0"]) == 2
    assert "--threads: expected at least 1, got 0" in capsys.readouterr().err
    assert main(["paste-database", *data, "--sweeps", "1", "--train-split", "val", "--out", str(objects)]) == 2
    assert "tokens_sha256" in capsys.readouterr().err
