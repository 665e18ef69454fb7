"""What holds of every keep list."""

from __future__ import annotations

from typing import Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nms_worlds import matrix, near

from bev3d.boxes import Box
from bev3d.nms import batched_nms, nms_bev, nms_weighted

Kind = Literal["bev", "circle", "diou"]

SIZES = {Box.LENGTH, Box.WIDTH, Box.HEIGHT}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Up to 40 boxes in a small place, on a coarse grid so that ties and equal boxes happen."""
    n = draw(st.integers(0, 40))
    step = draw(st.sampled_from([0.5, 0.01]))
    columns = [
        draw(arrays.arrays(np.int64, n, elements=st.integers(1, 12) if k in SIZES else st.integers(-12, 12)))
        for k in range(7)
    ]
    boxes = np.stack(columns, axis=1).reshape(n, 7) * 0.5
    boxes[:, :2] *= 2 * step
    scores = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 8))) / 8
    return boxes, scores, draw(arrays.arrays(np.int64, n, elements=st.integers(0, 2)))


thresholds = st.floats(0, 1)
kinds: st.SearchStrategy[Kind] = st.sampled_from(["bev", "circle", "diou"])


@settings(deadline=None, max_examples=150)
@given(worlds(), thresholds, kinds)
def test_by_descending_score_once_each_and_the_best_among_them(
    world: tuple[np.ndarray, ...], threshold: float, kind: Kind
) -> None:
    boxes, scores, labels = world
    kept = batched_nms(boxes, scores, labels, threshold, kind)
    assert len(set(kept.tolist())) == len(kept)
    assert kept.tolist() == sorted(kept.tolist(), key=lambda k: (-scores[k], k))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        assert members[scores[members].argmax()] in kept


@settings(deadline=None, max_examples=150)
@given(worlds(), thresholds)
def test_what_is_kept_overlaps_no_more_and_what_goes_overlaps_a_better_one(
    world: tuple[np.ndarray, ...], threshold: float
) -> None:
    boxes, scores, _ = world
    kept = nms_bev(boxes, scores, threshold)
    overlaps = matrix(boxes)
    among = overlaps[np.ix_(kept, kept)] - 2 * np.eye(len(kept))
    assert (among <= threshold + 1e-12).all()
    for gone in set(range(len(boxes))) - set(kept.tolist()):
        better = [k for k in kept if (-scores[k], k) < (-scores[gone], gone)]
        assert overlaps[better, gone].max() > threshold - 1e-12


@settings(deadline=None, max_examples=100)
@given(worlds(), thresholds, kinds)
def test_a_second_time_changes_nothing(world: tuple[np.ndarray, ...], threshold: float, kind: Kind) -> None:
    boxes, scores, labels = world
    kept = batched_nms(boxes, scores, labels, threshold, kind)
    again = batched_nms(boxes[kept], scores[kept], labels[kept], threshold, kind)
    assert again.tolist() == list(range(len(kept)))


@settings(deadline=None, max_examples=100)
@given(worlds())
def test_an_overlap_of_one_keeps_all(world: tuple[np.ndarray, ...]) -> None:
    boxes, scores, labels = world
    for kind in ("bev", "diou"):
        assert len(batched_nms(boxes, scores, labels, 1.0, kind)) == len(boxes)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=100)
@given(worlds(), st.floats(0, 5))
def test_circles_leave_no_two_near(world: tuple[np.ndarray, ...], radius: float) -> None:
    boxes, scores, _ = world
    kept = batched_nms(boxes, scores, None, radius, "circle")
    assert not (near(boxes[kept], radius) & ~np.eye(len(kept), dtype=bool)).any()


@settings(deadline=None, max_examples=100)
@given(worlds(), thresholds, st.permutations(range(3)), st.integers(-3, 3))
def test_labels_are_names_only(world: tuple[np.ndarray, ...], threshold: float, names: list[int], step: int) -> None:
    boxes, scores, labels = world
    renamed = np.array(names)[labels] + step
    kept = batched_nms(boxes, scores, labels, threshold)
    assert kept.tolist() == batched_nms(boxes, scores, renamed, threshold).tolist()


@settings(deadline=None, max_examples=100)
@given(worlds(), thresholds)
def test_merged_boxes_stay_within_what_they_merge(world: tuple[np.ndarray, ...], threshold: float) -> None:
    boxes, scores, labels = world
    merged = nms_weighted(boxes, scores, threshold, labels=labels)
    assert merged.counts.sum() == len(boxes)
    assert np.isfinite(merged.boxes).all()
    if len(boxes):
        low, high = boxes[:, :6].min(axis=0), boxes[:, :6].max(axis=0)
        assert (merged.boxes[:, :6] >= low - 1e-9).all()
        assert (merged.boxes[:, :6] <= high + 1e-9).all()
