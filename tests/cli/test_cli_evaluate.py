"""``bev3d evaluate``: what it writes and prints, subsets and comparison."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from oracles.evaluated_folder import VERSION, EvaluatedFolder, found_in

from bev3d.cli import main
from bev3d.data import NuScenesDataset
from bev3d.evaluation import evaluate_kitti, evaluate_nuscenes, write_submission


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> EvaluatedFolder:
    return EvaluatedFolder(tmp_path_factory.mktemp("evaluate"))


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
    folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
    folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
    folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    arguments = getattr(folder, f"{kind}_arguments")()
    assert main([*arguments, "--no-page", "--out", str(tmp_path / "out")]) == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"metrics.json", "curves.json", "analysis.json"}
    capsys.readouterr()
    assert main(arguments) == 0
    assert "mending" not in capsys.readouterr().out


def test_subsets_of_nuscenes(folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_subsets_and_rules_of_kitti(folder: EvaluatedFolder, tmp_path: Path) -> None:
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


@pytest.mark.slow
def test_neither_predictions_nor_scans(folder: EvaluatedFolder, tmp_path: Path) -> None:
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
        page = (out / "index.html").read_text()
        assert "its points are not in the data folder" in page
        assert ("there are no curves" if found.suffix else "Car: no result file has a detection") in page
        assert not list((out / "pictures").glob("precision_recall*"))
    assert json.loads((tmp_path / "out" / "r.json" / "metrics.json").read_text())["mean_ap"] == 0


def test_a_class_that_nobody_looked_for_is_named(
    folder: EvaluatedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its precision is 0, as is the mean's share; classes that are not asked for have none."""
    cars = tmp_path / "cars"
    cars.mkdir()
    for file in (folder.root / "first").iterdir():
        lines = [line for line in file.read_text().splitlines() if line.startswith("Car ")]
        (cars / file.name).write_text("".join(f"{line}\n" for line in lines))
    arguments = ["evaluate", "--kitti-labels", str(folder.labels), "--kitti-predictions", str(cars)]
    compare = ["--compare", str(folder.root / "first"), "--resamples", "3"]
    assert main([*arguments, *compare, "--no-page", "--out", str(tmp_path / "out")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    absent = "No result file has a detection of Pedestrian, Cyclist: 0 where there are objects."
    assert absent in printed
    assert absent.replace("file has", "file of the second has") in printed
    assert "of the first" not in printed
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["num_predictions"]["Car"] > 0
    assert metrics["num_predictions"]["Cyclist"] == 0
    assert main([*arguments, "--classes", "Car"]) == 0
    assert "No result file" not in capsys.readouterr().out


def test_a_split_that_is_not_all_there(folder: EvaluatedFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """The two scenes of mini_val are 2 of the 150 of val."""
    assert main([*folder.nuscenes_arguments(), "--split", "val"]) == 0
    printed = capsys.readouterr().out
    assert "6 samples; over the" in printed
    assert "The tables lack 148 scenes of val." in printed
    assert main(folder.nuscenes_arguments()) == 0
    assert "lack" not in capsys.readouterr().out
    assert main([*folder.nuscenes_arguments(), "--samples", folder.tokens[0], "--scenes", *["scene-0103"] * 2]) == 0
    printed = capsys.readouterr().out
    assert "nuScenes scene-0103: mAP" in printed
    assert "1 sample; over the" in printed
