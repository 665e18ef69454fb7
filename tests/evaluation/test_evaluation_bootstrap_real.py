"""Paired bootstrap of real tables: official numbers, time, and the devkit on tables with copied samples."""

from __future__ import annotations

import io
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from oracles.random_nuscenes import devkit_curves, random_nuscenes, random_submission
from oracles.tiny_nuscenes import VERSION

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation import Comparison, NuScenesEvaluator, compare_nuscenes, evaluate_nuscenes
from bev3d.evaluation.nuscenes._compare import resampled_numbers
from bev3d.evaluation.nuscenes._score import match_boxes


class TestRealMiniVal:
    @pytest.fixture
    def files(self, real_data: Path) -> tuple[Path, Path, Path]:
        root = real_data / "nuscenes_mini_val"
        return root, root / "submissions" / "synthetic_a.json", root / "submissions" / "synthetic_b_ties.json"

    def compare(self, files: tuple[Path, Path, Path], resamples: int = 100) -> Comparison:
        root, first, second = files
        return compare_nuscenes(root, VERSION, "mini_val", first, second, resamples=resamples)

    def test_numbers_are_the_official_ones(self, files: tuple[Path, Path, Path]) -> None:
        comparison = self.compare(files)
        first, second = (evaluate_nuscenes(files[0], VERSION, "mini_val", file) for file in files[1:])
        for name, numbers in (("mAP", "mean_ap"), ("NDS", "nds"), ("mAP present", "present_class_mean_ap")):
            one = comparison.means[name]
            assert one.first == pytest.approx(getattr(first, numbers), abs=1e-12)
            assert one.second == pytest.approx(getattr(second, numbers), abs=1e-12)
            assert one.first_range[0] < one.first < one.first_range[1]
            assert one.difference_range[0] < one.difference < one.difference_range[1]
        assert list(comparison.ap) == list(DETECTION_CLASSES)
        assert math.isnan(comparison.ap["barrier"].first)
        assert "2 scenes" in comparison.note

    def test_against_itself_nothing_differs(self, files: tuple[Path, Path, Path]) -> None:
        root, first, _ = files
        comparison = compare_nuscenes(root, VERSION, "mini_val", first, first, resamples=50)
        assert comparison.means["NDS"].difference_range == (0, 0)
        assert comparison.means["NDS"].share_better == 0.5
        assert not comparison.means["NDS"].is_clear

    def test_a_thousand_draws_in_seconds(self, files: tuple[Path, Path, Path]) -> None:
        self.compare(files, 2)
        start = time.process_time()
        self.compare(files, 1000)
        assert time.process_time() - start < 6

    def test_json_and_table(self, files: tuple[Path, Path, Path], tmp_path: Path) -> None:
        from rich.console import Console

        comparison = self.compare(files)
        text = comparison.to_json(tmp_path / "comparison.json")
        assert (tmp_path / "comparison.json").read_text() == text
        content = json.loads(text)
        assert content["ap"]["barrier"]["first"] is None
        assert content["means"]["mAP"]["is_clear"] is False
        console = Console(width=80, file=io.StringIO())
        with console.capture() as capture:
            console.print(comparison.table())
        assert "construction vehicle" in capture.get()
        assert "…" not in capture.get()


def test_the_devkit_on_repeated_samples(tmp_path: Path) -> None:
    """The unmodified devkit on tables in which samples are copied, against our weights; scores are made distinct."""
    pytest.importorskip("nuscenes", reason="nuscenes-devkit is not installed")
    root = random_nuscenes(tmp_path / "data", seed=3)
    tokens = [row["token"] for row in json.loads((root / VERSION / "sample.json").read_text())]
    submission = random_submission(root, tokens, seed=5)
    rng = np.random.default_rng(0)
    for boxes in submission["results"].values():
        for box in boxes:
            box["detection_score"] = float(rng.random())
            box["translation"] = (np.array(box["translation"]) + 1e-3 * rng.normal(size=3)).tolist()
    times = {token: int(rng.integers(0, 4)) for token in tokens}
    file = tmp_path / "submission.json"
    file.write_text(json.dumps(submission))
    evaluator = NuScenesEvaluator(root, VERSION, "everything")
    truth, found = evaluator.counting_truth, evaluator.counting(evaluator.read(file))
    weights = np.array([[times[token] for token in evaluator.tokens]])
    matches = match_boxes(truth, found, len(tokens))
    ours = resampled_numbers(matches, truth, found, np.arange(len(tokens)), weights)
    metrics = devkit_of_copies(root, submission, times, tmp_path)
    assert ours["mAP"][0] == pytest.approx(metrics["mean_ap"], abs=1e-12)
    assert ours["NDS"][0] == pytest.approx(metrics["nd_score"], abs=1e-12)


def devkit_of_copies(root: Path, submission: dict, times: dict[str, int], folder: Path) -> dict:
    """Copy samples in the tables and in the submission, and ask the devkit."""
    tables = {name: json.loads((root / VERSION / f"{name}.json").read_text()) for name in ("sample", "sample_data")}
    annotations = json.loads((root / VERSION / "sample_annotation.json").read_text())
    more: dict[str, list] = {"sample": [], "sample_data": [], "sample_annotation": []}
    results = {}
    for token, count in times.items():
        if count == 0:  # an empty sample takes part like any other: its boxes hold no points
            results[token] = []
            blank = {"num_lidar_pts": 0, "num_radar_pts": 0}
            annotations = [row | (blank if row["sample_token"] == token else {}) for row in annotations]
            continue
        results[token] = submission["results"][token]
        for copy in range(1, count):
            new = f"{token[:-2]}{copy:02d}"
            results[new] = [box | {"sample_token": new} for box in submission["results"][token]]
            more["sample"] += [row | {"token": new} for row in tables["sample"] if row["token"] == token]
            for name, rows in (("sample_data", tables["sample_data"]), ("sample_annotation", annotations)):
                more[name] += [
                    row | {"sample_token": new, "token": f"{row['token'][:-2]}{copy:02d}"}
                    for row in rows
                    if row["sample_token"] == token
                ]
    for name, rows in (*tables.items(), ("sample_annotation", annotations)):
        (root / VERSION / f"{name}.json").write_text(json.dumps(rows + more[name]))
    path = folder / "repeated.json"
    path.write_text(json.dumps({"meta": submission["meta"], "results": results}))
    metrics: dict = devkit_curves(root, "everything", path, folder / "out")[0].serialize()
    return metrics
