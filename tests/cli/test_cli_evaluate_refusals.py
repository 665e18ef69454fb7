"""``bev3d evaluate``: arguments and files that cannot be meant end with status 2 and a message that says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from oracles.evaluated_folder import EvaluatedFolder

from bev3d.cli import main
from bev3d.evaluation.nuscenes import _read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> EvaluatedFolder:
    return EvaluatedFolder(tmp_path_factory.mktemp("evaluate"))


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("nuscenes", ["--classes", "Car"], "--classes: has no meaning for nuScenes"),
        ("nuscenes", ["--height-test", "inclusive"], "--height-test: has no meaning for nuScenes"),
        ("nuscenes", ["--difficulty", "hard"], "--difficulty: has no meaning for nuScenes"),
        ("nuscenes", ["--range-bands-m", "20", "10"], "--range-bands-m: expected pairs"),
        ("nuscenes", ["--range-bands-m", "-1", "10"], "--range-bands-m: expected pairs"),
        ("nuscenes", ["--scenes", "scene-7"], "scene-7"),
        ("nuscenes", ["--scenes", "a", "--split", "val"], "--scenes: expected either it or --split, got both (val)"),
        ("nuscenes", ["--samples", "nowhere"], "samples: expected tokens"),
        ("nuscenes", ["--sample-list", "nowhere.txt"], "--sample-list: expected a text file"),
        ("nuscenes", ["--resamples", "0"], "--resamples: expected at least 1, got 0"),
        ("nuscenes", ["--level", "1.5"], "--level: expected a number between 0 and 1, got 1.5"),
        ("nuscenes", ["--level", "nan"], "--level: expected a number between 0 and 1, got nan"),
        ("nuscenes", ["--seed", "-1"], "--seed: expected a number >= 0, got -1"),
        ("nuscenes", ["--worst", "-2"], "--worst: expected a number >= 0, got -2"),
        ("nuscenes", ["--compare", "nowhere.json"], "nowhere.json: no such submission"),
        ("nuscenes", ["--split", "every"], "expected one of mini_train"),
        ("nuscenes", ["--compare", "."], ".: expected a submission's JSON file, got a folder"),
        ("nuscenes", ["--resamples", "50"], "--resamples: has no meaning without --compare"),
        ("nuscenes", ["--resample", "scenes"], "--resample: has no meaning without --compare"),
        ("kitti", ["--level", "0.9"], "--level: has no meaning without --compare"),
        ("kitti", ["--seed", "3"], "--seed: has no meaning without --compare"),
        ("kitti", ["--samples", "000001", "000001"], "frames: expected each frame once, got 000001 twice"),
        ("kitti", ["--scenes", "scene-0103"], "--scenes: has no meaning for KITTI"),
        ("kitti", ["--range-bands-m", "0", "10"], "--range-bands-m: has no meaning for KITTI"),
        ("kitti", ["--resample", "scenes"], "--resample: has no meaning for KITTI"),
        ("kitti", ["--split", "val"], "--split: has no meaning for KITTI"),
        ("kitti", ["--classes", "Lorry"], "--classes: expected classes out of Car, Pedestrian, Cyclist, got 'Lorry'"),
        ("kitti", ["--classes", "Van"], "got 'Van' (KITTI names no overlap for it)"),
        ("kitti", ["--samples", "999999"], "999999.txt: no such label file"),
        ("kitti", ["--compare", "nowhere"], "nowhere: no such folder"),
        ("kitti", ["--resamples", "0"], "--resamples: expected at least 1"),
    ],
)
def test_bad_arguments(
    folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, more: list[str], said: str
) -> None:
    arguments = getattr(folder, f"{kind}_arguments")()
    assert main([*arguments, *more, "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "more",
    [["--height-test", "strict"], ["--difficulty", "extreme"], ["--range-bands-m", "5"], ["--resamples", "many"],
     ["--resample", "boxes"], ["--pages"]],
)  # fmt: skip
def test_words_that_no_option_knows(
    folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*folder.nuscenes_arguments(), *more, "--out", str(tmp_path / "out")])
    assert exit_.value.code == 2
    assert more[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_lists_that_cannot_be_meant(
    folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert main([*folder.nuscenes_arguments(), "--sample-list", str(empty)]) == 2
    assert "--sample-list: expected a token in each line" in capsys.readouterr().err
    assert main([*folder.nuscenes_arguments(), "--sample-list", str(empty), "--samples", "a"]) == 2
    assert "--sample-list: expected either it or --samples, got both" in capsys.readouterr().err
    assert main([*folder.nuscenes_arguments(), "--out", str(empty)]) == 2
    assert "--out: expected a folder" in capsys.readouterr().err
    both = [*folder.nuscenes_arguments(), *folder.kitti_arguments()[1:]]
    assert main(both) == 2
    assert "expected either --dataroot and --predictions" in capsys.readouterr().err


def test_what_takes_a_folder_to_write_to(folder: EvaluatedFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*folder.kitti_arguments(), "--worst", "3"]) == 2
    assert "--worst: has no meaning without --out" in capsys.readouterr().err


def test_a_frame_that_the_other_folder_lacks(
    folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    less = tmp_path / "less"
    shutil.copytree(folder.root / "first", less)
    (less / f"{folder.frames[1]}.txt").unlink()
    assert main([*folder.kitti_arguments(), "--compare", str(less)]) == 2
    assert f"less/{folder.frames[1]}.txt: no such result file; a frame in which nothing" in capsys.readouterr().err


def test_a_file_that_may_not_be_read(
    folder: EvaluatedFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(_read, "read_text", refuse)
    assert main(folder.nuscenes_arguments()) == 2
    assert "first.json" in capsys.readouterr().err
