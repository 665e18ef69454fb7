"""KITTI where objects and detections overlap each other: draws of the bootstrap, mended errors, ignored detections."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.kitti_lines import Frame, Line, write_folder
from oracles.plain_kitti import random_frames

from bev3d.evaluation import evaluate_kitti
from bev3d.evaluation._error_kinds import blame
from bev3d.evaluation.kitti import MIN_OVERLAP, kitti_case, read_frames
from bev3d.evaluation.kitti._compare import resampled_r40
from bev3d.evaluation.kitti._gains import mended_scores
from bev3d_ops.cpu._kitti_match import COUNTS, IGNORED
from bev3d_ops.cpu._kitti_resample import final_matches

FRAMES = 60


def copied(source: Path, target: Path, times: list[int]) -> tuple[Path, Path]:
    """Files of each frame as often as asked."""
    number = 0
    for name in ("labels", "found"):
        (target / name).mkdir(parents=True)
    for frame, count in enumerate(times):
        for _ in range(count):
            for name in ("labels", "found"):
                shutil.copy(source / name / f"{frame:06d}.txt", target / name / f"{number:06d}.txt")
            number += 1
    return target / "labels", target / "found"


@pytest.mark.parametrize("seed", range(3))
def test_draws_are_the_metric_on_repeated_frames(tmp_path: Path, seed: int) -> None:
    """Doubles, equal scores, exact heights and neighbours of every class."""
    random_frames(tmp_path / "labels", tmp_path / "found", seed=seed, frames=FRAMES)
    content = read_frames(tmp_path / "labels", tmp_path / "found", None)
    draws = np.random.default_rng(seed).multinomial(FRAMES, np.full(FRAMES, 1 / FRAMES), size=3).astype(np.int64)
    (numbers,) = resampled_r40(content, MIN_OVERLAP, [draws], False)
    for r, times in enumerate(draws.tolist()):
        official = evaluate_kitti(*copied(tmp_path, tmp_path / str(r), times))
        for name in MIN_OVERLAP:
            for metric in ("bev", "3d"):
                for level in ("easy", "moderate", "hard"):
                    expected = official.r40(name, metric, level) / 100
                    assert numbers[f"{name} {metric} {level}"][r] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("objects", [1, 2, 7, 39, 40, 41, 42, 79, 80, 81, 200])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_every_number_of_objects(tmp_path: Path, objects: int, share: float) -> None:
    """One object a frame: recall grows by more or less than 1/40 at a time, up to 1 or not."""
    truth = Line("Car", x=0.0, z=20.0)
    wrong = replace(truth, z=45.0, score=0.5)
    rng = np.random.default_rng(objects)
    frames = []
    for k in range(objects):
        found = [replace(truth, score=float(rng.random()))] if k < share * objects else []
        frames.append(Frame([truth], [*found, *([replace(wrong, score=float(rng.random()))] if k % 3 else [])]))
    folders = write_folder(tmp_path, frames)
    (numbers,) = resampled_r40(read_frames(*folders, None), {"Car": 0.7}, [np.ones((1, objects), np.int64)], False)
    official = evaluate_kitti(*folders)
    assert numbers["Car 3d easy"][0] == pytest.approx(official.r40("Car", "3d", "easy") / 100, abs=1e-12)


def test_a_mended_detection_lies_on_its_own_object_alone(tmp_path: Path) -> None:
    """Two cyclists side by side: the misnamed detection between them gets the class of the nearer one, not of both."""
    other, own = Line("Cyclist", x=0.0, z=20.0, turn=0.0), Line("Cyclist", x=0.0, z=20.3, turn=0.0)
    misnamed = replace(own, name="Pedestrian", size=(1.7, 0.6, 1.8), z=20.16, score=0.9)
    frame = Frame([other, own], [misnamed, replace(other, score=0.5)])
    case = kitti_case(read_frames(*write_folder(tmp_path / "before", [frame] * 5), None), MIN_OVERLAP, False)
    wrong = blame(case.judged, turn_rad=0.5)
    assert wrong.counts(case.judged)["Pedestrian"]["classification"] == 5
    mended = Frame([other, own], [replace(own, score=0.9), replace(other, score=0.5)])
    official = evaluate_kitti(*write_folder(tmp_path / "after", [mended] * 5))
    precision = mended_scores("classification", case, wrong)["Cyclist"][0]
    assert 100 * precision == pytest.approx(official.r40("Cyclist", "3d", "moderate"), abs=1e-9)
    assert precision == pytest.approx(9 / 40), "ten hits, nothing false: one of ten steps stands at recall 0"


def test_of_ignored_detections_the_first_takes_the_object() -> None:
    start = np.array([0, 1]), np.array([0, 3])
    states = np.array([COUNTS]), np.array([IGNORED, IGNORED, IGNORED])
    overlaps, scores = np.array([0.2, 0.6, 0.9]), np.array([0.5, 0.5, 0.9])
    assert final_matches(overlaps, np.array([0]), *start, *states, scores, 0.5, -np.inf).tolist() == [-1, 0, -1]
    states[1][2] = COUNTS
    assert final_matches(overlaps, np.array([0]), *start, *states, scores, 0.5, -np.inf).tolist() == [-1, -1, 0]
