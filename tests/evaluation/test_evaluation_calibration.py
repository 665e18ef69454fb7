"""Calibration: closed forms, a plain oracle, scores that are no probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.plain_errors import plain_reliability

from bev3d.evaluation import reliability
from bev3d.evaluation._calibration import measure_calibration


def test_closed_forms() -> None:
    scores = np.array([0.05, 0.95, 0.95, 0.55])
    one = reliability(scores, np.array([False, True, False, True]))
    assert one.count.tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert one.precision[[0, 5, 9]].tolist() == [0, 1, 0.5]
    assert one.ece == pytest.approx((0.05 + 2 * 0.45 + 0.45) / 4)
    assert one.brier == pytest.approx((0.05**2 + 0.05**2 + 0.95**2 + 0.45**2) / 4)
    perfect = reliability(np.array([0.0, 1.0, 1.0]), np.array([False, True, True]))
    assert (perfect.ece, perfect.brier) == (0, 0)


def test_borders_belong_to_the_bin_above_and_one_to_the_last() -> None:
    one = reliability(np.array([0.0, 0.1, 0.5, 1.0]), np.ones(4, dtype=bool))
    assert one.count.tolist() == [1, 1, 0, 0, 0, 1, 0, 0, 0, 1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([1, 2, 4, 8]),  # borders that the oracle has to the last bit
)
def test_against_the_plain_oracle(pairs: list[tuple[float, bool]], bins: int) -> None:
    scores, hits = [s for s, _ in pairs], [h for _, h in pairs]
    one = reliability(np.array(scores), np.array(hits), bins=bins)
    ece, brier, shares = plain_reliability(scores, hits, bins)
    assert one.ece == pytest.approx(ece, abs=1e-12)
    assert one.brier == pytest.approx(brier, abs=1e-12)
    np.testing.assert_allclose(one.precision, shares, atol=1e-12)


def test_calibrated_scores_have_little_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(200_000)
    one = reliability(scores, rng.random(200_000) < scores)
    assert one.ece < 0.005
    assert one.brier == pytest.approx(1 / 6, abs=0.003)  # the mean of p (1 - p)
    sure = reliability(np.clip(2 * scores - 0.5, 0, 1), rng.random(200_000) < scores)
    assert sure.ece > 0.08


def test_by_class_and_without_detections() -> None:
    labels, scores = np.array([0, 0, 1]), np.array([0.9, 0.2, 0.4])
    found = measure_calibration(("a", "b", "c"), labels, scores, np.array([True, False, True]))
    assert found.per_class["a"].brier == pytest.approx((0.01 + 0.04) / 2)
    assert found.per_class["b"].ece == pytest.approx(0.6)
    assert math.isnan(found.per_class["c"].ece)
    assert found.to_dict()["classes"]["c"]["brier"] is None
    assert found.all.count.sum() == 3
    assert found.note == ""


def test_scores_that_are_no_probabilities_are_named() -> None:
    found = measure_calibration(("a",), np.zeros(2, dtype=np.int64), np.array([0.5, 17.0]), np.array([True, True]))
    assert "0.5 to 17" in found.note
    assert math.isnan(found.all.ece)


@pytest.mark.parametrize(
    ("scores", "hits", "bins", "said"),
    [
        ([1.2], [True], 10, "scores: expected numbers in"),
        ([math.nan], [True], 10, "scores: expected numbers in"),
        ([0.5], [True, False], 10, "hits: expected the shape"),
        ([0.5], [True], 0, "bins: expected at least 1"),
    ],
)
def test_refusals(scores: list[float], hits: list[bool], bins: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reliability(np.array(scores), np.array(hits), bins=bins)
