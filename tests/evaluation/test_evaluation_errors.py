"""Kinds of errors: planted ones, a slow plain oracle, and gains by truly editing boxes and scoring them again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.judged_boxes import REACH_M, columns, distance, judged_at, random_boxes, things
from oracles.plain_errors import plain_kinds

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation import ERROR_KINDS, Analysis, analyse_nuscenes, evaluate_nuscenes
from bev3d.evaluation._confusion import best_f1, confusion_matrix
from bev3d.evaluation._error_kinds import DETECTION_KINDS, Blame, blame, promote
from bev3d.evaluation._judged import Judged
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._gains import ALL_KINDS, analyse_errors, mended_result
from bev3d.evaluation.nuscenes._summary import evaluate_boxes

TURN_RAD = 0.5236


def kinds_of(found: Blame, rows: int) -> list[str]:
    return ["hit" if found.kind[k] < 0 else DETECTION_KINDS[found.kind[k]] for k in range(rows)]


class TestPlanted:
    """One object of each kind of trouble, 20 m apart."""

    truth = columns([(0, "car", 20.0 * i, 0.0, -1.0) for i in range(8)])

    def blamed(self, found: BoxColumns) -> tuple[list[str], Blame]:
        one = judged_at(self.truth, found, 1)[2.0]
        result = blame(one, turn_rad=TURN_RAD)
        return kinds_of(result, len(found)), result

    def test_each_kind(self) -> None:
        found = columns(
            [
                (0, "car", 0.5, 0.0, 0.9),  # hit
                (0, "car", 0.9, 0.0, 0.8),  # the same object again
                (0, "truck", 20.5, 0.0, 0.7),  # right place, wrong class
                (0, "car", 43.0, 0.0, 0.6),  # 3 m off
                (0, "bus", 63.0, 0.0, 0.5),  # 3 m off and of another class
                (0, "car", 90.0, 0.0, 0.4),  # near nothing
                (0, "car", 100.2, 0.0, 0.3),  # a hit that faces backwards
            ],
            yaws=[0, 0, 0, 0, 0, 0, np.pi],
        )
        kinds, result = self.blamed(found)
        expected = ["hit", "duplicate", "classification", "localisation", "both", "background", "hit"]
        assert kinds == expected
        assert result.turned.tolist() == [False] * 6 + [True]
        assert result.target[:4].tolist() == [0, 0, 1, 2]
        # objects 3 (something of another class nearby), 4, 6 and 7 are missed; 1 and 2 are blamed on a detection
        assert np.flatnonzero(result.missed).tolist() == [3, 4, 6, 7]
        counts = result.counts(judged_at(self.truth, found, 1)[2.0])
        assert counts["car"] == {
            "classification": 0, "localisation": 1, "orientation": 1, "both": 0, "duplicate": 1, "background": 1,
            "missed": 4,
        }  # fmt: skip
        assert counts["truck"]["classification"] == counts["bus"]["both"] == 1

    def test_the_nearer_object_decides(self) -> None:
        truth = columns([(0, "car", 0.0, 0.0, -1.0), (0, "truck", 1.5, 0.0, -1.0)])
        found = columns([(0, "car", 0.0, 0.0, 0.9), (0, "car", 1.4, 0.0, 0.8), (0, "car", 0.6, 0.0, 0.7)])
        result = blame(judged_at(truth, found, 1)[2.0], turn_rad=TURN_RAD)
        assert kinds_of(result, 3) == ["hit", "classification", "duplicate"]

    def test_an_object_in_another_sample_is_no_excuse(self) -> None:
        found = columns([(1, "car", 0.0, 0.0, 0.9)])
        one = judged_at(self.truth, found, 2)[2.0]
        assert kinds_of(blame(one, turn_rad=TURN_RAD), 1) == ["background"]

    def test_free_objects_go_before_found_ones(self) -> None:
        truth = columns([(0, "car", 0.0, 0.0, -1.0), (0, "car", 7.0, 0.0, -1.0)])
        found = columns([(0, "car", 0.0, 0.0, 0.9), (0, "car", 3.2, 0.0, 0.8)])
        result = blame(judged_at(truth, found, 1)[2.0], turn_rad=TURN_RAD)
        assert kinds_of(result, 2) == ["hit", "localisation"]
        assert result.target[1] == 1  # 3.8 m away, but free
        assert not result.missed.any()

    def test_only_the_best_of_several_is_promoted(self) -> None:
        found = columns([(0, "truck", 0.5, 0.0, 0.3), (0, "bus", 0.2, 0.0, 0.9), (0, "truck", 1.0, 0.0, 0.5)])
        one = judged_at(self.truth, found, 1)[2.0]
        after = promote(one, blame(one, turn_rad=TURN_RAD), "classification")
        assert after.kept.tolist() == [False, True, False]
        assert after.label[1] == DETECTION_CLASSES.index("car")
        assert after.truth[1] == 0


@pytest.mark.parametrize("seed", range(4))
def test_kinds_against_the_plain_oracle(seed: int) -> None:
    truth, found = random_boxes(np.random.default_rng(seed), samples=6, objects=14)
    seen = set()
    for d, one in judged_at(truth, found, 6).items():
        result = blame(one, turn_rad=TURN_RAD)
        plain = plain_kinds(things(found, one.found_truth), things(truth), distance, [-d] * 10, -REACH_M)
        assert kinds_of(result, len(found)) == plain[0]
        assert result.target.tolist() == plain[1]
        assert result.missed.tolist() == plain[2]
        seen |= set(plain[0])
    assert seen == {"hit", *DETECTION_KINDS}


@pytest.mark.parametrize("ties", [False, True])
def test_mending_nothing_is_the_official_metric(ties: bool) -> None:
    truth, found = random_boxes(np.random.default_rng(9), samples=6, objects=14, ties=ties)
    judged = judged_at(truth, found, 6)
    blamed = {d: blame(one, turn_rad=TURN_RAD) for d, one in judged.items()}
    assert replace(mended_result("nothing", truth, found, judged, blamed), split="x") == evaluate_boxes(
        "x", truth, found, 6
    )


def edited(kind: str, truth: BoxColumns, found: BoxColumns, one: Judged, wrong: Blame) -> tuple[BoxColumns, BoxColumns]:
    """Boxes with one kind of error mended in the boxes themselves."""
    if kind == "missed":
        return truth.take(~wrong.missed), found
    if kind == "false negatives":
        return truth.take(wrong.truth_found), found
    if kind == "false positives":
        return truth, found.take(one.found_truth >= 0)
    if kind == "orientation":
        rotation = found.rotation.copy()
        rotation[wrong.turned] = truth.rotation[one.found_truth[wrong.turned]]
        return truth, replace(found, rotation=rotation)
    guilty = [k for k in range(len(found)) if wrong.kind[k] >= 0 and DETECTION_KINDS[wrong.kind[k]] == kind]
    keep, label, place = np.ones(len(found), dtype=bool), found.label.copy(), found.translation.copy()
    keep[guilty] = False
    done: set[int] = set()
    for k in sorted(guilty, key=lambda k: (found.score[k], k), reverse=True):
        target = int(wrong.target[k])
        if kind in ("classification", "localisation") and not wrong.truth_found[target] and target not in done:
            done.add(target)
            keep[k] = True
            label[k] = truth.label[target]
            place[k] = truth.translation[target] if kind == "localisation" else place[k]
    return truth, replace(found, label=label, translation=place).take(keep)


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_gains_are_those_of_edited_boxes(seed: int, kind: str) -> None:
    """The official metric, matching included, on boxes in which the errors are mended one distance at a time."""
    truth, found = random_boxes(np.random.default_rng(100 + seed), samples=8, objects=10, ties=seed == 2)
    judged = judged_at(truth, found, 8)
    blamed = {d: blame(one, turn_rad=TURN_RAD) for d, one in judged.items()}
    ours = mended_result(kind, truth, found, judged, blamed)
    base = evaluate_boxes("x", truth, found, 8)
    for d, one in judged.items():
        edit = edited(kind, truth, found, one, blamed[d])
        theirs = evaluate_boxes("x", *edit, 8)
        for name in DETECTION_CLASSES:
            ap = theirs.per_class[name].ap_by_distance[d]
            assert ours.per_class[name].ap_by_distance[d] == pytest.approx(ap, abs=1e-12), (name, d)
            if d == 2.0:
                for error, value in theirs.per_class[name].tp_errors.items():
                    assert ours.per_class[name].tp_errors[error] == pytest.approx(value, abs=1e-12, nan_ok=True)
    assert (ours.mean_ap, ours.nds) != (base.mean_ap, base.nds)
    assert ours.mean_ap >= base.mean_ap - 1e-12 if kind != "orientation" else ours.mean_ap == base.mean_ap


def test_orientation_gains_no_ap_but_nds() -> None:
    truth, found = random_boxes(np.random.default_rng(5), samples=6, objects=12)
    judged = judged_at(truth, found, 6)
    errors = analyse_errors(truth, found, judged, TURN_RAD, "rule")
    gain = errors.gains["orientation"]
    assert gain.mean["mAP"] == 0
    assert gain.mean["NDS"] > 0.001
    assert set(errors.gains) == set(ALL_KINDS)
    assert errors.counts.keys() == set(DETECTION_CLASSES)
    total = sum(sum(errors.counts[name][kind] for kind in DETECTION_KINDS) for name in DETECTION_CLASSES)
    assert total + sum(errors.hits.values()) == len(found)


def test_nothing_found_and_nothing_there() -> None:
    none = columns([])
    truth, found = random_boxes(np.random.default_rng(0), samples=2, objects=5)
    for there, seen in ((truth, none), (none, found), (none, none)):
        judged = judged_at(there, seen, 2)
        errors = analyse_errors(there, seen, judged, TURN_RAD, "rule")
        total = sum(sum(kinds.values()) for kinds in errors.counts.values())
        assert total == len(there) + len(seen)
        counts = confusion_matrix(judged[2.0], best_f1(judged[2.0])).counts
        assert counts.sum() == len(there) + len(seen)


@pytest.fixture(scope="module")
def root(real_data: Path) -> Path:
    return real_data / "nuscenes_mini_val"


@pytest.fixture(scope="module")
def analysis(root: Path) -> Analysis:
    return analyse_nuscenes(root, "v1.0-mini", "mini_val", root / "submissions" / "synthetic_a.json")


class TestRealMiniVal:
    def test_counts_add_up(self, analysis: Analysis, root: Path) -> None:
        result = evaluate_nuscenes(root, "v1.0-mini", "mini_val", root / "submissions" / "synthetic_a.json")
        for name, one in result.per_class.items():
            counts = analysis.errors.counts[name]
            false = sum(counts[kind] for kind in DETECTION_KINDS)
            assert analysis.errors.hits[name] + false == one.num_predictions
            assert counts["missed"] <= one.num_ground_truth - analysis.errors.hits[name]
        assert analysis.confusion.counts[:10].sum() == sum(one.num_ground_truth for one in result.per_class.values())

    def test_the_recipe_of_the_submission_shows(self, analysis: Analysis) -> None:
        """About 6 % of the headings were reversed, 4 % of the classes confused, 8 % of the boxes doubled."""
        counts = analysis.errors.counts
        hits = sum(analysis.errors.hits.values())
        turned = sum(one["orientation"] for one in counts.values())
        assert 0.05 < turned / hits < 0.11
        assert 0.04 < sum(one["duplicate"] for one in counts.values()) / hits < 0.12
        assert 0.02 < sum(one["classification"] for one in counts.values()) / hits < 0.1

    def test_json(self, analysis: Analysis, tmp_path: Path) -> None:
        text = analysis.to_json(tmp_path / "analysis.json")
        assert (tmp_path / "analysis.json").read_text() == text
        content = json.loads(text)
        assert set(content) == {"errors", "calibration", "confusion", "worst"}
        assert set(content["errors"]["counts"]["car"]) == {*ERROR_KINDS, "hits"}
        assert len(content["confusion"]["counts"]) == 11
        assert len(content["worst"]) == 6

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"reach_m": 3.0}, "reach_m"),
            ({"turn_rad": -1.0}, "turn_rad"),
            ({"worst": -1}, "worst"),
            ({"bins": 0}, "bins"),
        ],
    )
    def test_refusals(self, root: Path, options: dict[str, float], said: str) -> None:
        with pytest.raises(ValueError, match=f"{said}: expected"):
            analyse_nuscenes(root, "v1.0-mini", "mini_val", root / "submissions" / "synthetic_a.json", **options)
