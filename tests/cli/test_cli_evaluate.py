"""``bev3d evaluate``: what it writes and prints, subsets, comparison, and bad arguments with status 2."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bev3d.cli import main
from bev3d.data import Detections, KittiDataset, NuScenesDataset
from bev3d.evaluation import evaluate_kitti, evaluate_nuscenes, write_submission
from bev3d.synth import write_kitti, write_nuscenes

VERSION = "v1.0-mini"


def found_in(dataset: NuScenesDataset | KittiDataset, seed: int) -> dict[str, Detections]:
    """Four of five objects, shifted, and an invented one."""
    rng = np.random.default_rng(seed)
    found = {}
    for i, token in enumerate(dataset.tokens):
        sample = dataset.annotations(i)
        known = np.flatnonzero(sample.labels >= 0)
        known = known[rng.random(len(known)) < 0.8]
        boxes = np.concatenate([sample.boxes[known], [[12.0, 3, -1, 4, 2, 1.5, 0.3, 0, 0]]])
        boxes[:, :2] += rng.normal(scale=0.2, size=(len(boxes), 2))
        scores = np.sort(rng.random(len(boxes)))[::-1].copy()
        labels = np.append(sample.labels[known], 0).astype(np.int64)
        found[token] = Detections(token, boxes, scores, labels, dataset.class_names)
    return found


class Folder:
    """Synthetic data of both kinds with two sets of predictions each."""

    def __init__(self, root: Path) -> None:
        self.nuscenes, self.kitti = root / "nuscenes", root / "kitti"
        write_nuscenes(self.nuscenes, train_scenes=1, val_scenes=2, samples=3, sweeps=1)
        write_kitti(self.kitti, train_frames=2, val_frames=5)
        nuscenes = NuScenesDataset(self.nuscenes, split="mini_val")
        kitti = KittiDataset(self.kitti, split="val")
        for name, seed in (("first", 0), ("second", 1)):
            write_submission(root / f"{name}.json", found_in(nuscenes, seed), dataset=nuscenes)
            write_submission(root / name, found_in(kitti, seed), dataset=kitti)
        self.tokens, self.frames = nuscenes.tokens, kitti.tokens
        self.labels, self.root = self.kitti / "training" / "label_2", root

    def nuscenes_arguments(self) -> list[str]:
        return ["evaluate", "--dataroot", str(self.nuscenes), "--predictions", str(self.root / "first.json")]

    def kitti_arguments(self) -> list[str]:
        return ["evaluate", "--kitti-labels", str(self.labels), "--kitti-predictions", str(self.root / "first")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("evaluate"))


class Parts(HTMLParser):
    """Headings and pictures of a page, and whether its tags close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.sources: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.mark.slow
def test_nuscenes_writes_numbers_curves_analysis_and_a_page(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    more = ["--compare", str(folder.root / "second.json"), "--resamples", "50", "--worst", "2", "--errors"]
    assert main([*folder.nuscenes_arguments(), *more, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "nuScenes mini_val: mAP" in printed
    assert "mending one kind" in printed
    assert "50 draws of 6 samples" in printed
    official = evaluate_nuscenes(folder.nuscenes, VERSION, "mini_val", folder.root / "first.json")
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["mean_ap"] == official.mean_ap
    assert list(metrics["by_range"]) == ["0-15 m", "15-30 m", "30-50 m"]
    assert len(json.loads((out / "curves.json").read_text())) == 40
    assert len(json.loads((out / "analysis.json").read_text())["worst"]) == 2
    comparison = json.loads((out / "comparison.json").read_text())
    assert comparison["means"]["mAP"]["second"] == pytest.approx(official.mean_ap), "these predictions come second"
    parts = Parts((out / "index.html").read_text())
    assert parts.headings == [
        "Score", "Curves", "By range", "Errors", "Confusion", "Calibration", "Worst samples", "Comparison", "Made with",
    ]  # fmt: skip
    assert all(source.startswith("data:image/png;base64,") for source in parts.sources), "one file is enough"
    names = {file.name for file in (out / "pictures").iterdir()}
    expected = ["precision_recall", "true_positive_errors", "precision_recall_by_range", "errors", "confusion",
                "calibration", "worst_0", "worst_1", "comparison"]  # fmt: skip
    assert names == {f"{name}{ending}.png" for name in expected for ending in ("", "_dark")}
    assert len(parts.sources) == len(names)
    assert "not in the data folder" not in (out / "index.html").read_text(), "the folder has scans"


@pytest.mark.slow
def test_kitti_writes_numbers_curves_analysis_and_a_page(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    more = ["--compare", str(folder.root / "second"), "--resamples", "50", "--worst", "2", "--errors"]
    assert main([*folder.kitti_arguments(), *more, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "KITTI, 5 frames" in printed
    assert "50 draws of 5 samples" in printed
    official = evaluate_kitti(folder.labels, folder.root / "first")
    assert json.loads((out / "metrics.json").read_text()) == json.loads(official.to_json())
    assert "Car:3d:moderate" in json.loads((out / "curves.json").read_text())
    parts = Parts((out / "index.html").read_text())
    assert parts.headings == ["Score", "Curves", "Errors", "Confusion", "Calibration", "Worst frames", "Comparison",
                              "Made with"]  # fmt: skip
    assert all(source.startswith("data:image/png;base64,") for source in parts.sources)
    assert (out / "pictures" / "precision_recall_Car_dark.png").is_file()
    assert "not in the data folder" not in (out / "index.html").read_text(), "the folder has scans"


@pytest.mark.parametrize("kind", ["nuscenes", "kitti"])
def test_without_a_page_or_a_folder(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    arguments = getattr(folder, f"{kind}_arguments")()
    assert main([*arguments, "--no-page", "--out", str(tmp_path / "out")]) == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"metrics.json", "curves.json", "analysis.json"}
    capsys.readouterr()
    assert main(arguments) == 0
    assert "mending" not in capsys.readouterr().out


def test_subsets_of_nuscenes(folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "tokens.txt"
    listed.write_text("\n".join(folder.tokens[:2]) + "\n")
    out = ["--no-page", "--range-bands-m", "0", "20", "20", "40", "--out", str(tmp_path / "out")]
    for more, count in (
        (["--samples", *folder.tokens[1:4]], 3),
        (["--sample-list", str(listed)], 2),
        (["--scenes", "scene-0103"], 3),
    ):
        assert main([*folder.nuscenes_arguments(), *more, *out]) == 0
        metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
        assert metrics["num_samples"] == count
        assert list(metrics["by_range"]) == ["0-20 m", "20-40 m"]
    assert "nuScenes scene-0103" in capsys.readouterr().out


def test_subsets_and_rules_of_kitti(folder: Folder, tmp_path: Path) -> None:
    out = ["--no-page", "--out", str(tmp_path / "out")]
    arguments = [*folder.kitti_arguments(), "--samples", *folder.frames[:3], "--classes", "Car", *out]
    assert main([*arguments, "--difficulty", "hard", "--height-test", "inclusive"]) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["num_frames"] == 3
    assert list(metrics["classes"]) == ["Car"]
    assert json.loads((tmp_path / "out" / "analysis.json").read_text())["errors"]["rule"].startswith("hard")
    exact = evaluate_kitti(
        folder.labels, folder.root / "first", folder.frames[:3], min_overlap={"Car": 0.7}, exact_height_counts=True
    )
    assert metrics == json.loads(exact.to_json())


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
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, more: list[str], said: str
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
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*folder.nuscenes_arguments(), *more, "--out", str(tmp_path / "out")])
    assert exit_.value.code == 2
    assert more[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_lists_that_cannot_be_meant(folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


@pytest.mark.slow
def test_neither_predictions_nor_scans(folder: Folder, tmp_path: Path) -> None:
    """Zeros and a page with the ground truth alone, not an exception."""
    dataset = NuScenesDataset(folder.nuscenes, split="mini_val")
    none = np.zeros(0, dtype=np.int64)
    nothing = {
        token: replace(found, boxes=np.zeros((0, 9)), scores=np.zeros(0), labels=none)
        for token, found in found_in(dataset, 0).items()
    }
    write_submission(tmp_path / "r.json", nothing, dataset=dataset)
    shutil.copytree(folder.nuscenes / VERSION, tmp_path / "data" / VERSION)
    shutil.copytree(folder.labels, tmp_path / "kitti" / "label_2")
    (tmp_path / "empty").mkdir()
    for frame in folder.frames:
        (tmp_path / "empty" / f"{frame}.txt").write_text("\n")
    for first, second, found in (
        (["--dataroot", str(tmp_path / "data")], "--predictions", tmp_path / "r.json"),
        (["--kitti-labels", str(tmp_path / "kitti" / "label_2")], "--kitti-predictions", tmp_path / "empty"),
    ):
        more = [second, str(found), "--compare", str(found), "--resamples", "5", "--worst", "1"]
        out = tmp_path / "out" / found.name
        assert main(["evaluate", *first, *more, "--out", str(out)]) == 0
        assert "its points are not in the data folder" in (out / "index.html").read_text()
    assert json.loads((tmp_path / "out" / "r.json" / "metrics.json").read_text())["mean_ap"] == 0
