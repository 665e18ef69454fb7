"""Evaluation while a run goes on: when it comes, what it leaves, and that it is the data set's own metric."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.tiny_kitti import tiny_kitti
from oracles.tiny_nuscenes import tiny_nuscenes
from training_worlds import BlockWorld

from bev3d.config import Config, load_config
from bev3d.data import Detections, open_dataset
from bev3d.evaluation import evaluate_kitti, evaluate_nuscenes, make_evaluator, write_submission
from bev3d.models import Detector, build_detector
from bev3d.training import evaluate_on, load_checkpoint, train
from bev3d.training._evaluate import evaluation_indices, metrics_of


class Judge:
    """Scores by step, and remembers what it was given."""

    def __init__(self, scores: Mapping[int, float]) -> None:
        self.scores = scores
        self.steps: list[int] = []
        self.weights: dict[int, dict[str, torch.Tensor]] = {}

    def __call__(self, detector: Detector, step: int) -> Mapping[str, float]:
        assert not detector.training
        torch.rand(3)  # must not change what the run draws
        self.steps.append(step)
        self.weights[step] = {name: value.clone() for name, value in detector.state_dict().items()}
        return {"mean_ap": self.scores[step], "nds": float("nan")}


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


SCORES = {2: 0.1, 4: 0.5, 6: 0.5}


@pytest.mark.parametrize("every", [{"evaluate_every_steps": 2}, {"evaluate_every_epochs": 0.5}])
def test_evaluates_the_average_and_keeps_the_best(
    small_config: Config, world: BlockWorld, tmp_path: Path, every: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(small_config, ema_decay=0.9, **every)
    judge = Judge(SCORES)
    result = train(config, ".", tmp_path, dataset=world, evaluate=judge)
    assert judge.steps == [2, 4, 6]
    assert rows(tmp_path / "evaluations.jsonl") == [{"step": k, "mean_ap": SCORES[k]} for k in (2, 4, 6)]
    assert "training: step 4: mAP 0.5000" in capsys.readouterr().err
    best = load_checkpoint(tmp_path / "best.pt")
    assert best.step == result.best["step"] == 4  # as good as the last, and earlier
    assert all(torch.equal(best.weights[name], value) for name, value in judge.weights[4].items())
    assert all(torch.equal(best.state["ema"]["weights"][name], value) for name, value in judge.weights[4].items())


def test_evaluation_changes_nothing_of_the_run(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    plain = load_checkpoint(train(small_config, ".", tmp_path / "a", dataset=world).checkpoint)
    config = replace(small_config, evaluate_every_steps=2)
    judged = load_checkpoint(train(config, ".", tmp_path / "b", dataset=world, evaluate=Judge(SCORES)).checkpoint)
    assert all(torch.equal(plain.weights[name], value) for name, value in judged.weights.items())
    assert not (tmp_path / "a" / "best.pt").exists()
    assert judged.step == plain.step


def test_a_run_that_goes_on_remembers_the_best(small_config: Config, world: BlockWorld, tmp_path: Path) -> None:
    config, scores = replace(small_config, evaluate_every_steps=2), {2: 0.9, 4: 0.5, 6: 0.5}
    while train(config, ".", tmp_path, dataset=world, evaluate=Judge(scores), max_seconds=0.0).steps < 6:
        pass
    assert load_checkpoint(tmp_path / "best.pt").step == 2
    assert load_checkpoint(tmp_path / "checkpoint.pt").state["best"] == {"step": 2, "mean_ap": 0.9}
    assert [row["step"] for row in rows(tmp_path / "evaluations.jsonl")] == [2, 4, 6]
    with (tmp_path / "evaluations.csv").open() as file:
        assert [row["mean_ap"] for row in csv.DictReader(file)] == ["0.9", "0.5", "0.5"]


@pytest.mark.parametrize(
    ("length", "samples", "expected"),
    [(5, 0, [0, 1, 2, 3, 4]), (5, 9, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8]), (9, 1, [0]), (0, 3, [])],
)
def test_samples_are_spread_evenly(length: int, samples: int, expected: list[int]) -> None:
    assert evaluation_indices(length, samples) == expected


def test_nuscenes_is_scored_by_its_own_metric(tmp_path: Path) -> None:
    root = tiny_nuscenes(tmp_path, samples=4)
    config = replace(
        load_config("synthetic_nuscenes"),
        val_split="everything",
        evaluate_samples=2,
        sweeps=1,
        channels=(8, 8, 8),
        lateral_channels=8,
        head_channels=8,
        max_detections=20,
        score_threshold=0.0,
    )
    dataset = open_dataset(config, root, config.val_split)
    # the labels of two of four samples
    tokens = [dataset.tokens[i] for i in evaluation_indices(4, 2)]
    truth = {token: as_detections(dataset.annotations(dataset.tokens.index(token))) for token in tokens}
    found = metrics_of(make_evaluator(config, root, dataset, tokens)(truth))
    official = evaluate_nuscenes(root, config.version, config.val_split, truth, samples=tokens)
    assert (found["mean_ap"], found["nds"]) == (official.mean_ap, official.nds)
    assert found["mean_ap"] > 0.5
    names = {name.removeprefix("ap/") for name in found if name.startswith("ap/")}
    assert names == set(official.present_classes)
    # and a detector that was never trained goes through the same
    metrics = evaluate_on(config, root, dataset)(build_detector(config).eval(), 1)
    assert metrics.keys() == found.keys()
    assert 0.0 <= metrics["mean_ap"] < 0.2


def test_kitti_is_scored_by_its_own_metric(tmp_path: Path) -> None:
    root = tiny_kitti(tmp_path, frames=("000000", "000003", "000007"), with_image=True)
    config = replace(load_config("kitti_3class"), val_split="train", evaluate_samples=2)
    dataset = open_dataset(config, root, config.val_split)
    whole = {token: as_detections(dataset.annotations(i)) for i, token in enumerate(dataset.tokens)}
    tokens = [dataset.tokens[i] for i in evaluation_indices(3, 2)]
    found = metrics_of(make_evaluator(config, root, dataset, tokens)(whole))
    write_submission(tmp_path / "results", whole, dataset=dataset)
    official = evaluate_kitti(root / "training" / "label_2", tmp_path / "results", frames=tokens)
    for name in ("Car", "Pedestrian"):
        assert found[f"ap/{name}"] == official.r40(name, "3d", "moderate") / 100 > 0
    assert "ap/Cyclist" not in found  # there is none to find
    assert found["mean_ap"] == pytest.approx((found["ap/Car"] + found["ap/Pedestrian"]) / 2)
    metrics = evaluate_on(config, root, dataset)(build_detector(config).eval(), 1)
    assert metrics.keys() == found.keys()


def as_detections(sample: Any, *, keep: int | None = None, token: str | None = None) -> Detections:
    known = np.flatnonzero(sample.labels >= 0)[:keep]
    return Detections(
        token or sample.token, sample.boxes[known], np.full(len(known), 0.9), sample.labels[known], sample.class_names
    )
