"""KITTI: kinds of errors planted and by the plain oracle, gains of truly edited files, a real detector."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.kitti_lines import Frame, Line, random_frames, write_folder
from oracles.plain_errors import Thing, plain_kinds

from bev3d.evaluation import analyse_kitti, evaluate_kitti
from bev3d.evaluation._error_kinds import DETECTION_KINDS, Blame, blame
from bev3d.evaluation.kitti import (
    MIN_OVERLAP,
    KittiCase,
    analyse_kitti_frames,
    compare_kitti_frames,
    kitti_case,
    read_frames,
    score_frames,
    upright_boxes,
)
from bev3d.evaluation.kitti._gains import ALL_KINDS, analyse_errors, mended_scores
from bev3d.overlap import pairwise_iou_3d

TURN_RAD = 0.5236


def case_of(folders: tuple[Path, Path], **options: str) -> KittiCase:
    return kitti_case(read_frames(*folders, None), MIN_OVERLAP, False, **options)  # type: ignore[arg-type]


def kinds_of(wrong: Blame) -> list[str]:
    return ["hit" if kind < 0 else DETECTION_KINDS[kind] for kind in wrong.kind]


def test_each_kind_is_found(tmp_path: Path) -> None:
    place = [Line("Car", x=-20.0 + 8 * i, z=20.0) for i in range(6)]
    truth = [*place[:5], replace(place[5], name="Cyclist")]
    found = [
        replace(place[0], score=0.9),  # hit
        replace(place[0], score=0.8, x=place[0].x + 0.1),  # the same object again
        replace(place[1], score=0.7, x=place[1].x + 0.7),  # overlaps by about a half
        replace(place[2], score=0.6, turn=place[2].turn + np.pi),  # faces backwards
        replace(place[3], name="Cyclist", size=(1.5, 1.7, 4.0), score=0.5),  # right place, wrong class
        replace(place[4], name="Pedestrian", size=(1.5, 1.7, 4.0), score=0.4, x=place[4].x + 1.0),  # both
        replace(place[0], score=0.3, z=45.0),  # near nothing
        replace(place[1], score=0.95, height_px=10.0, x=place[1].x + 0.7),  # too small to count
    ]
    case = case_of(write_folder(tmp_path, [Frame(truth, found)]))
    wrong = blame(case.judged, turn_rad=TURN_RAD)
    expected = ["hit", "duplicate", "localisation", "hit", "classification", "both", "background"]
    assert kinds_of(wrong) == expected
    assert wrong.turned.tolist() == [False, False, False, True, False, False, False]
    assert case.truth_rows[wrong.missed].tolist() == [4, 5]


def test_what_the_benchmark_ignores_is_no_error(tmp_path: Path) -> None:
    truth = [Line("Van", x=0.0, z=20.0), Line("Car", x=10.0, z=20.0, occlusion=3), Line("Car", x=-10.0, z=20.0)]
    found = [
        replace(line, name="Car", size=(2.0, 1.9, 5.0) if line.name == "Van" else None, score=0.5) for line in truth
    ]
    case = case_of(write_folder(tmp_path, [Frame(truth, found)]))
    assert case.found_rows.tolist() == [2]
    assert kinds_of(blame(case.judged, turn_rad=TURN_RAD)) == ["hit"]


@pytest.mark.parametrize("seed", range(3))
def test_kinds_against_the_plain_oracle(tmp_path: Path, seed: int) -> None:
    case = case_of(write_folder(tmp_path, random_frames(np.random.default_rng(seed), 40)))
    judged = case.judged
    truth_boxes, found_boxes = (
        upright_boxes(lines.select(rows))
        for lines, rows in ((case.frames.truth, case.truth_rows), (case.frames.found, case.found_rows))
    )

    def things(boxes: np.ndarray, sample: np.ndarray, label: np.ndarray, hits: np.ndarray | None) -> list[Thing]:
        each = zip(boxes, sample.tolist(), label.tolist(), strict=True)
        return [Thing(s, c, b, hit=-1 if hits is None else int(hits[k])) for k, (b, s, c) in enumerate(each)]

    found = things(found_boxes, judged.found_sample, judged.found_label, judged.found_truth)
    truth = things(truth_boxes, judged.truth_sample, judged.truth_label, None)
    overlap = pairwise_iou_3d(found_boxes, truth_boxes)
    number = {id(thing): k for k, thing in enumerate([*found, *truth])}

    def closeness(a: Thing, b: Thing) -> float:
        return float(overlap[number[id(a)], number[id(b)] - len(found)])

    kinds, targets, missed = plain_kinds(found, truth, closeness, list(MIN_OVERLAP.values()), 0.1)
    wrong = blame(judged, turn_rad=TURN_RAD)
    assert kinds_of(wrong) == kinds
    assert wrong.target.tolist() == targets
    assert wrong.missed.tolist() == missed
    assert {"hit", "duplicate", "localisation", "classification", "background"} <= set(kinds)


def test_mending_nothing_is_the_official_metric(tmp_path: Path) -> None:
    folders = write_folder(tmp_path, random_frames(np.random.default_rng(4), 60))
    official = evaluate_kitti(*folders)
    for difficulty in ("easy", "moderate", "hard"):
        case = case_of(folders, difficulty=difficulty)
        scores = mended_scores("nothing", case, blame(case.judged, turn_rad=TURN_RAD))
        for name, (precision, _) in scores.items():
            assert 100 * precision == pytest.approx(official.r40(name, "3d", difficulty), abs=1e-12)


def edited(kind: str, frames: list[Frame], case: KittiCase, wrong: Blame) -> list[Frame]:
    """Lines with one kind of error mended; the numbers of lines are those of the whole folder."""
    judged = case.judged
    truth = [line for frame in frames for line in frame.truth]
    gone_truth: set[int] = set()
    gone: set[int] = set()
    changed: dict[int, Line] = {}
    lines = [line for frame in frames for line in frame.found]
    rows = case.found_rows.tolist()
    if kind == "missed":
        gone_truth = set(case.truth_rows[wrong.missed].tolist())
    elif kind == "false negatives":
        gone_truth = set(case.truth_rows[~wrong.truth_found].tolist())
    elif kind == "false positives":
        gone = {rows[k] for k in np.flatnonzero(judged.found_truth < 0)}
    elif kind == "orientation":
        for k in np.flatnonzero(wrong.turned):
            there = truth[case.truth_rows[judged.found_truth[k]]]
            changed[rows[k]] = replace(lines[rows[k]], alpha=there.turn - np.arctan2(there.x, there.z))
    else:
        guilty = np.flatnonzero(wrong.kind == DETECTION_KINDS.index(kind))
        gone = {rows[k] for k in guilty}
        done: set[int] = set()
        for k in sorted(guilty, key=lambda k: (judged.found_score[k], k), reverse=True):
            target = int(wrong.target[k])
            if kind not in ("classification", "localisation") or wrong.truth_found[target] or target in done:
                continue
            done.add(target)
            gone.discard(rows[k])
            there = truth[case.truth_rows[target]]
            # its own picture box and angle stay, so that heights and similarities do
            line = replace(lines[rows[k]], name=there.name, size=None)
            angle = line.turn - np.arctan2(line.x, line.z)
            changed[rows[k]] = replace(line, x=there.x, z=there.z, turn=there.turn, alpha=angle)
    result, n, m = [], 0, 0
    for frame in frames:
        new = Frame()
        for line in frame.truth:
            if n not in gone_truth:
                new.truth.append(line)
            n += 1
        for line in frame.found:
            if m not in gone:
                new.found.append(changed.get(m, line))
            m += 1
        result.append(new)
    return result


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_gains_are_those_of_edited_files(tmp_path: Path, kind: str) -> None:
    """The benchmark on files in which every error of one kind is mended."""
    frames = random_frames(np.random.default_rng(11), 120)
    case = case_of(write_folder(tmp_path / "before", frames))
    wrong = blame(case.judged, turn_rad=TURN_RAD)
    ours = mended_scores(kind, case, wrong)
    folders = write_folder(tmp_path / "after", edited(kind, frames, case, wrong))
    official = evaluate_kitti(*folders)
    after = case_of(folders)
    theirs = mended_scores("nothing", after, blame(after.judged, turn_rad=TURN_RAD))
    before = mended_scores("nothing", case, wrong)
    for name, (precision, similarity) in ours.items():
        assert 100 * precision == pytest.approx(official.r40(name, "3d", "moderate"), abs=1e-9), name
        assert similarity == pytest.approx(theirs[name][1], abs=1e-6), name  # angles have six decimals in a file
    assert ours != before, "a kind without effect would test nothing"
    means = analyse_errors(case, TURN_RAD, "").gains[kind].mean
    assert means["AP"] >= 0 if kind != "orientation" else means["AP"] == 0
    assert means["orientation"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"difficulty": "impossible"}, "difficulty: expected one of"),
        ({"metric": "image"}, "metric: expected one of bev, 3d"),
        ({"background": 0.6}, "background: expected an overlap"),
        ({"turn_rad": -1.0}, "turn_rad: expected"),
        ({"worst": -1}, "worst: expected"),
    ],
)
def test_refusals(tmp_path: Path, options: dict[str, object], said: str) -> None:
    folders = write_folder(tmp_path, random_frames(np.random.default_rng(0), 3))
    with pytest.raises(ValueError, match=said):
        analyse_kitti(*folders, **options)


@pytest.mark.slow
def test_a_real_detector(kitti_root: Path, tmp_path: Path) -> None:
    """Point-GNN: only cars, alpha 0 throughout, scores beyond 1."""
    for name in ("val_labels", "point_gnn_val"):
        with tarfile.open(kitti_root / f"{name}.tar.gz") as archive:
            archive.extractall(tmp_path, filter="data")
    frames, overlap = read_frames(tmp_path / "label_2", tmp_path / "point_gnn_val" / "data", None), {"Car": 0.7}
    analysis = analyse_kitti_frames(kitti_case(frames, overlap, False))
    official = score_frames(frames, overlap, exact_height_counts=False)
    objects = official.curves["Car"]["3d"]["moderate"].num_ground_truth
    counts = analysis.errors.counts["Car"]
    assert analysis.errors.hits["Car"] + counts["missed"] <= objects
    assert counts["duplicate"] < 20, "its boxes went through non-maximum suppression"
    assert counts["classification"] == counts["both"] == 0, "it knows one class, and one is evaluated"
    # with every angle 0 most hits are turned away; mending that leaves the precision alone as the bound
    gain = analysis.errors.gains["orientation"].mean
    assert gain["AP"] == 0
    assert 0.3 < gain["orientation"] < 0.6
    assert "no probabilities" in analysis.calibration.note
    assert analysis.confusion.counts[0].sum() == objects
    assert len(analysis.worst) == 6
    comparison = compare_kitti_frames(frames, frames, overlap, False, resamples=30)
    assert comparison.means["mean 3d moderate"].first == pytest.approx(official.mean_ap, abs=1e-12)
    assert comparison.means["mean 3d moderate"].first == pytest.approx(0.82295, abs=1e-5)
    low, high = comparison.means["mean 3d moderate"].first_range
    assert 0.80 < low < 0.823 < high < 0.85
