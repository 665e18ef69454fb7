"""Class-balanced resampling."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.augment import class_balanced_indices

samples = st.lists(st.lists(st.integers(-1, 4), max_size=6), max_size=30)


def _arrays(labels: list[list[int]]) -> list[np.ndarray]:
    return [np.array(label, np.int64) for label in labels]


@settings(deadline=None)
@given(samples, st.integers(0, 1000))
def test_every_class_that_occurs_has_its_share_of_its_own_samples(labels: list[list[int]], seed: int) -> None:
    indices = class_balanced_indices(_arrays(labels), 5, seed)
    holders = {c: [i for i, label in enumerate(labels) if c in label] for c in range(5)}
    occurring = [c for c in range(5) if holders[c]]
    if not occurring:
        assert len(indices) == 0
        return
    share = sum(len(holders[c]) for c in occurring) // len(occurring)
    assert len(indices) == share * len(occurring)
    for k, c in enumerate(occurring):
        drawn = Counter(indices[k * share : (k + 1) * share].tolist())
        times = [drawn.pop(i, 0) for i in holders[c]]
        assert not drawn  # nothing but samples that hold the class
        assert max(times) - min(times) <= 1
    np.testing.assert_array_equal(indices, class_balanced_indices(_arrays(labels), 5, seed))


def test_seeds_and_generators() -> None:
    labels = _arrays([[0]] * 50 + [[1]] * 7)
    one = class_balanced_indices(labels, 2, 3)
    np.testing.assert_array_equal(one, class_balanced_indices(labels, 2, np.random.default_rng(3)))
    assert (one != class_balanced_indices(labels, 2, 4)).any()
    assert (one[28:] >= 50).all()
    assert len(one) == 56


def test_a_rare_class_is_drawn_as_often_as_a_common_one_and_an_absent_one_is_no_matter() -> None:
    labels = _arrays([[0, 0, 0]] * 99 + [[0, 2]])
    indices = class_balanced_indices(labels, 3, 0)
    assert len(indices) == 2 * 50
    assert (indices[50:] == 99).all()


def test_nothing_to_draw() -> None:
    assert class_balanced_indices([], 3, 0).dtype == np.int64
    assert len(class_balanced_indices(_arrays([[], [-1]]), 3, 0)) == 0


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"labels\[1\]: expected -1 to 1, got 0 to 2"):
        class_balanced_indices(_arrays([[0], [0, 2]]), 2, 0)
    with pytest.raises(ValueError, match="class_count: expected an integer >= 1, got 0"):
        class_balanced_indices([], 0, 0)
