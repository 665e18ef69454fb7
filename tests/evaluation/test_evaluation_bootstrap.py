"""Paired bootstrap: resampled numbers against the metric on samples truly repeated, and coverage on simulated data."""

from __future__ import annotations

import io
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.judged_boxes import random_boxes
from oracles.random_nuscenes import devkit_curves, random_nuscenes, random_submission
from oracles.tiny_nuscenes import VERSION

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation import Comparison, NuScenesEvaluator, compare_nuscenes, evaluate_nuscenes
from bev3d.evaluation._bootstrap import draw_weights, interval
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._compare import compare_boxes, resampled_numbers
from bev3d.evaluation.nuscenes._score import match_boxes
from bev3d.evaluation.nuscenes._summary import evaluate_boxes


def repeated(boxes: BoxColumns, times: list[int]) -> BoxColumns:
    """Every sample as often as asked, each copy a sample of its own."""
    parts, number = [BoxColumns.empty()], 0
    for sample, count in enumerate(times):
        for _ in range(count):
            mine = boxes.take(boxes.sample == sample)
            parts.append(replace(mine, sample=np.full(len(mine), number, dtype=np.int64)))
            number += 1
    return BoxColumns.concatenate(parts)


@pytest.mark.parametrize("seed", range(5))
def test_resampled_numbers_are_the_metric_on_repeated_samples(seed: int) -> None:
    truth, found = random_boxes(np.random.default_rng(seed), samples=12, objects=10)
    weights = np.random.default_rng(seed).multinomial(12, np.full(12, 1 / 12), size=6).astype(np.int64)
    weights[0] = 1
    weights[1] = np.eye(12, dtype=np.int64)[3] * 5  # one sample alone: classes go missing
    matches = match_boxes(truth, found, 12)
    numbers = resampled_numbers(matches, truth, found, np.arange(12), weights)
    for r, times in enumerate(weights.tolist()):
        official = evaluate_boxes("x", repeated(truth, times), repeated(found, times), sum(times))
        assert numbers["mAP"][r] == pytest.approx(official.mean_ap, abs=1e-12)
        assert numbers["NDS"][r] == pytest.approx(official.nds, abs=1e-12)
        assert numbers["mAP present"][r] == pytest.approx(official.present_class_mean_ap, abs=1e-12)
        assert numbers["NDS present"][r] == pytest.approx(official.present_class_nds, abs=1e-12)
        for name, one in official.per_class.items():
            expected = one.ap if one.num_ground_truth else math.nan
            assert numbers[name][r] == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert len(set(numbers["mAP"].tolist())) == 6


def test_groups_of_samples_are_drawn_together() -> None:
    truth, found = random_boxes(np.random.default_rng(7), samples=6, objects=12)
    group = np.array([0, 0, 1, 1, 1, 2])
    weights = np.array([[2, 0, 1], [0, 3, 0]])
    numbers = resampled_numbers(match_boxes(truth, found, 6), truth, found, group, weights)
    for r in range(2):
        times = weights[r][group].tolist()
        official = evaluate_boxes("x", repeated(truth, times), repeated(found, times), sum(times))
        assert numbers["NDS"][r] == pytest.approx(official.nds, abs=1e-12)


def test_equal_scores_change_little() -> None:
    """Copies of one detection stand together here; in a repeated file equal scores rank by place in the file."""
    truth, found = random_boxes(np.random.default_rng(3), samples=12, objects=10, ties=True)
    weights = np.random.default_rng(1).multinomial(12, np.full(12, 1 / 12), size=4).astype(np.int64)
    numbers = resampled_numbers(match_boxes(truth, found, 12), truth, found, np.arange(12), weights)
    for r, times in enumerate(weights.tolist()):
        official = evaluate_boxes("x", repeated(truth, times), repeated(found, times), sum(times))
        assert numbers["mAP"][r] == pytest.approx(official.mean_ap, abs=0.02)
    once = resampled_numbers(match_boxes(truth, found, 12), truth, found, np.arange(12), np.ones((1, 12), np.int64))
    assert once["mAP"][0] == pytest.approx(evaluate_boxes("x", truth, found, 12).mean_ap, abs=1e-12), "exact again"


def test_nothing_found() -> None:
    truth, found = random_boxes(np.random.default_rng(0), samples=3, objects=5)
    none = found.take(np.zeros(len(found), dtype=bool))
    draws = draw_weights(["a"] * 3, unit="samples", resamples=20, level=0.9, seed=0)
    comparison = compare_boxes(truth, (none, none), ["a"] * 3, draws)
    assert comparison.means["mAP"].difference_range == (0, 0)
    assert comparison.means["NDS"].first == 0


class TestDraws:
    def test_scenes_where_there_are_ten(self) -> None:
        few, many = [f"scene {i // 4}" for i in range(12)], [f"scene {i // 4}" for i in range(40)]
        assert draw_weights(few, unit="auto", resamples=5, level=0.9, seed=0).unit == "samples"
        one = draw_weights(many, unit="auto", resamples=5, level=0.9, seed=0)
        assert (one.unit, one.weights.shape) == ("scenes", (5, 10))
        assert (one.weights.sum(axis=1) == 10).all()
        assert [len(set(one.group[i : i + 4])) for i in range(0, 40, 4)] == [1] * 10
        assert draw_weights(few, unit="scenes", resamples=5, level=0.9, seed=0).weights.shape == (5, 3)

    def test_a_seed_is_a_draw(self) -> None:
        def draw(seed: int) -> list[list[int]]:
            return draw_weights(["a", "b", "c"], unit="samples", resamples=9, level=0.9, seed=seed).weights.tolist()

        assert draw(1) == draw(1)
        assert draw(1) != draw(2)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"unit": "boxes"}, "unit: expected one of auto, scenes, samples"),
            ({"resamples": 0}, "resamples: expected at least 1"),
            ({"level": 1.0}, "level: expected a number between 0 and 1"),
            ({"seed": -1}, "seed: expected a number >= 0"),
        ],
    )
    def test_refusals(self, options: dict[str, object], said: str) -> None:
        arguments = {"unit": "auto", "resamples": 5, "level": 0.9, "seed": 0} | options
        with pytest.raises(ValueError, match=said):
            draw_weights(["a"], **arguments)  # type: ignore[arg-type]

    def test_intervals_are_quantiles_of_paired_differences(self) -> None:
        firsts = np.arange(101.0)
        one = interval(1.0, 3.0, firsts, firsts + 2, 0.9)
        assert one.difference_range == (2, 2)
        assert one.first_range == pytest.approx((5, 95))
        assert one.is_clear
        assert one.share_better == 1
        gaps = np.array([1.0, np.nan, 2.0])
        assert interval(0, 0, gaps, gaps, 0.5).share_better == 0.5
        empty = interval(0, 0, gaps[1:2], gaps[:1], 0.5)
        assert math.isnan(empty.difference_range[0])
        assert not empty.is_clear


def simulate(rng: np.random.Generator, samples: int) -> tuple[BoxColumns, list[BoxColumns]]:
    """Cars 20 m apart; both detectors find most of them, the second more, with errors that go together."""
    per_sample = 6
    count = samples * per_sample
    hard = rng.random(count)
    truth = replace(
        BoxColumns.empty(count),
        sample=np.repeat(np.arange(samples), per_sample),
        translation=np.stack([20.0 * np.tile(np.arange(per_sample), samples), *np.zeros((2, count))], axis=1),
        size=np.ones((count, 3)),
        rotation=np.tile([1.0, 0, 0, 0], (count, 1)),
    )
    founds = []
    for skill in (0.6, 0.7):
        seen = hard + rng.normal(scale=0.15, size=count) < skill
        wrong = rng.random(count) < 0.3
        found = BoxColumns.concatenate([truth.take(seen), truth.take(wrong)])
        place = found.translation.copy()
        place[seen.sum() :, 1] += 10
        score = np.concatenate([rng.beta(4, 2, seen.sum()), rng.beta(2, 4, wrong.sum())])
        founds.append(replace(found, translation=place, score=score))
    return truth, founds


@pytest.mark.slow
def test_intervals_cover_what_they_promise() -> None:
    """150 experiments of 40 samples each; 90 % intervals of the difference in AP of cars hold the true one."""
    rng = np.random.default_rng(12)
    truth, founds = simulate(rng, 20_000)
    expected = [evaluate_boxes("x", truth, found, 20_000).per_class["car"].ap for found in founds]
    difference = expected[1] - expected[0]
    assert difference > 0.03
    covered, widths = 0, []
    for i in range(150):
        truth, founds = simulate(rng, 40)
        draws = draw_weights(["a"] * 40, unit="samples", resamples=200, level=0.9, seed=i)
        low, high = compare_boxes(truth, founds, ["a"] * 40, draws).ap["car"].difference_range
        covered += low <= difference <= high
        widths.append(high - low)
    # two-sided bounds of a binomial of 150 draws at 0.9, with one percent of the bootstrap's own shortfall
    assert 0.82 <= covered / 150 <= 0.97
    assert np.median(widths) < 0.2


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
