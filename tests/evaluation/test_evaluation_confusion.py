"""Confusion, operating scores and worst samples, against plain oracles and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from oracles.judged_boxes import columns, distance, judged_at, random_boxes, things
from oracles.plain_errors import plain_confusion

from bev3d.evaluation._confusion import best_f1, confusion_matrix, worst_samples


@pytest.mark.parametrize("seed", range(3))
def test_confusion_against_the_plain_oracle(seed: int) -> None:
    truth, found = random_boxes(np.random.default_rng(seed), samples=6, objects=14, ties=True)
    one = judged_at(truth, found, 6)[2.0]
    thresholds = best_f1(one)
    counts = confusion_matrix(one, thresholds).counts
    plain = plain_confusion(things(found), things(truth), distance, [-2.0] * 10, thresholds.tolist())
    assert counts.tolist() == plain
    assert counts[:10].sum() == len(truth)
    assert counts[:, :10].sum() == (one.found_score >= thresholds[one.found_label]).sum()
    assert np.count_nonzero(counts - np.diag(np.diag(counts))) > 5


def test_best_f1_by_trying_every_score() -> None:
    truth, found = random_boxes(np.random.default_rng(2), samples=6, objects=14, ties=True)
    one = judged_at(truth, found, 6)[2.0]
    for label, best in enumerate(best_f1(one)):
        mine = one.found_label == label
        total = int((truth.label == label).sum())
        if not (mine & (one.found_truth >= 0)).any():
            continue

        def f1(score: float, mine: np.ndarray = mine, total: int = total) -> float:
            shown = mine & (one.found_score >= score)
            return 2 * (shown & (one.found_truth >= 0)).sum() / (shown.sum() + total)

        assert f1(best) == max(f1(score) for score in one.found_score[mine])


def test_worst_samples_are_counted_and_kept_apart() -> None:
    truth = columns([(s, "car", 10.0 * i, 0.0, -1.0) for s in range(6) for i in range(s + 1)])
    found = columns([(s, "car", 0.0, 0.0, 0.9) for s in range(6)] + [(0, "car", 50.0, 0.0, 0.9)])
    one = judged_at(truth, found, 6)[2.0]
    thresholds = np.zeros(10)
    worst = worst_samples(one, thresholds, count=3)
    assert [w.index for w in worst] == [5, 4, 3]
    assert [(len(w.missed), len(w.false), len(w.hits)) for w in worst] == [(5, 0, 1), (4, 0, 1), (3, 0, 1)]
    apart = worst_samples(one, thresholds, count=3, groups=["a"] * 6, apart=2)
    assert [w.index for w in apart] == [5, 2]  # 0 and 1 lie within two samples of 2
    scenes = worst_samples(one, thresholds, count=3, groups=list("aaabbb"), apart=2)
    assert [w.index for w in scenes] == [5, 2]
    assert len(worst_samples(one, thresholds + 2, count=9)) == 6, "nothing shown: all objects are missed"
