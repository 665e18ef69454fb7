"""Labels, samples and limits against loops over them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from nms_worlds import clusters

from bev3d.nms import batched_nms, nms_bev, nms_circle, nms_diou

Kind = Literal["bev", "circle", "diou"]

SINGLE = {"bev": nms_bev, "circle": nms_circle, "diou": nms_diou}
THRESHOLDS = {"bev": 0.1, "circle": 0.5, "diou": 0.3}
WILD = np.array([-(2**63), -1, 0, 2**62, 2**63 - 1])


def by_score(kept: list[int], scores: np.ndarray) -> list[int]:
    return sorted(kept, key=lambda k: (-scores[k], k))


@pytest.mark.parametrize("kind", SINGLE)
def test_every_class_of_every_sample_alone(kind: Kind) -> None:
    boxes, scores, labels = clusters(3)
    batch = np.random.default_rng(0).integers(0, 4, len(boxes))
    threshold = THRESHOLDS[kind]
    expected: list[int] = []
    for sample in range(4):
        for label in range(3):
            members = np.flatnonzero((labels == label) & (batch == sample))
            expected += members[SINGLE[kind](boxes[members], scores[members], threshold, pre_max=30)].tolist()
    kept = batched_nms(boxes, scores, labels, threshold, kind, batch=batch, pre_max=30)
    assert kept.tolist() == by_score(expected, scores)
    wild = batched_nms(boxes, scores, WILD[labels], threshold, kind, batch=WILD[batch], pre_max=30)
    assert wild.tolist() == kept.tolist()


def test_max_keep_counts_over_the_labels_of_a_sample() -> None:
    boxes, scores, labels = clusters(4)
    batch = np.random.default_rng(1).integers(0, 3, len(boxes)) * 10 - 5
    everything = batched_nms(boxes, scores, labels, 0.1, batch=batch)
    for most in (1, 7, 10_000):
        expected = [k for sample in (-5, 5, 15) for k in everything[batch[everything] == sample][:most].tolist()]
        kept = batched_nms(boxes, scores, labels, 0.1, batch=batch, max_keep=most)
        assert kept.tolist() == by_score(expected, scores)
        assert batched_nms(boxes, scores, labels, 0.1, max_keep=most).tolist() == (
            batched_nms(boxes, scores, labels, 0.1)[:most].tolist()
        )


def test_a_sample_alone_is_a_label() -> None:
    boxes, scores, labels = clusters(5)
    expected = batched_nms(boxes, scores, labels, 0.2)
    assert batched_nms(boxes, scores, None, 0.2, batch=labels).tolist() == expected.tolist()
    assert batched_nms(boxes, scores, np.zeros_like(labels), 0.2).tolist() == nms_bev(boxes, scores, 0.2).tolist()


@pytest.mark.parametrize("kind", SINGLE)
def test_the_limits_say_who_takes_part(kind: Kind) -> None:
    boxes, scores, _ = clusters(6)
    threshold, single = THRESHOLDS[kind], SINGLE[kind]
    everything = single(boxes, scores, threshold)
    members = np.flatnonzero(scores >= 0.5)
    assert single(boxes, scores, threshold, score_threshold=0.5).tolist() == (
        members[single(boxes[members], scores[members], threshold)].tolist()
    )
    best = np.argsort(-scores, kind="stable")[:50]
    assert single(boxes, scores, threshold, pre_max=50).tolist() == (
        best[single(boxes[best], scores[best], threshold)].tolist()
    )
    assert single(boxes, scores, threshold, max_keep=5).tolist() == everything[:5].tolist()
    assert single(boxes, scores, threshold, pre_max=10**6, max_keep=10**6).tolist() == everything.tolist()
    assert len(single(boxes, scores, threshold, score_threshold=2.0)) == 0


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(8)
    boxes, _, _ = clusters(8, n=30_000, centres=3_000)
    scores, labels = rng.random(30_000), rng.integers(0, 7, 30_000)
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results.append(batched_nms(boxes, scores, labels, 0.3).tolist())
    assert results[0] == results[1]
    expected = [k for label in range(7) for k in _alone(boxes, scores, labels == label)]
    assert results[0] == by_score(expected, scores)


def _alone(boxes: np.ndarray, scores: np.ndarray, chosen: np.ndarray) -> list[int]:
    members = np.flatnonzero(chosen)
    alone: list[int] = members[nms_bev(boxes[members], scores[members], 0.3)].tolist()
    return alone
