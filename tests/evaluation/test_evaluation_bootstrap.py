"""Paired bootstrap: resampled numbers against the metric on samples truly repeated, and coverage on simulated data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from oracles.judged_boxes import random_boxes

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
