"""Sampling of proposals: proportions, no repetition, the same for the same generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.assigner_frames import frames, overlaps

from bev3d.targets import NEGATIVE, sample_proposals
from bev3d.targets.assigners._sample import _sizes


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_sizes(there: list[int], count: int, front_part: float, hard_part: float) -> list[int]:
    """One seat after the other: foreground up to its part, background, then whatever is left."""
    front = hard = easy = 0
    while front < min(there[0], round(count * front_part)):
        front += 1
    while front + hard + easy < count and hard + easy < there[1] + there[2]:
        wanted = int(min(count - front, there[1] + there[2]) * hard_part)
        if (hard < there[1] and hard < wanted) or easy == there[2]:
            hard += 1
        else:
            easy += 1
    while front + hard + easy < count and front < there[0]:
        front += 1
    return [front, hard, easy]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=3, max_size=3), st.integers(1, 50), st.floats(0, 1), st.floats(0, 1))
def test_numbers_drawn(there: list[int], count: int, front: float, hard: float) -> None:
    drawn = _sizes(there, count, front, hard).tolist()
    assert drawn == slow_sizes(there, count, front, hard)
    assert sum(drawn) == min(count, sum(there))
    assert all(0 <= some <= all_ for some, all_ in zip(drawn, there, strict=True))


def test_samples_are_what_they_say() -> None:
    kinds = np.zeros(3, int)
    for k, frame in enumerate(frames(16, anchors=80, seed=7)):
        drawn = sample_proposals(
            frame.anchors,
            frame.boxes,
            frame.labels,
            proposal_labels=frame.anchor_labels if k % 2 else None,
            count=24,
            foreground=0.4,
            ignore_overlap=None,
            generator=generator(k),
        )
        assert len(set(drawn.index.tolist())) == len(drawn.index) == min(24, len(frame.anchors))
        iou = overlaps("3d", frame.anchors, frame.boxes)
        iou[:, frame.labels < 0] = 0
        if k % 2:
            iou[frame.anchor_labels[:, None] != frame.labels[None]] = 0
        for row, own, quality, label in zip(
            drawn.index, drawn.assignment.gt_index, drawn.assignment.quality, drawn.assignment.labels, strict=True
        ):
            best = iou[row].max(initial=0)
            assert quality == pytest.approx(best, abs=1e-9)
            assert own == (int(iou[row].argmax()) if best >= 0.4 else NEGATIVE)
            assert label == (frame.labels[own] if own >= 0 else -1)
            kinds[0 if own >= 0 else 1 if best >= 0.1 else 2] += 1
    assert kinds.min() > 10


def test_same_generator_same_sample() -> None:
    frame = frames(6, anchors=80, seed=7)[5]
    arguments = (frame.anchors, frame.boxes, frame.labels)
    one, other = (sample_proposals(*arguments, count=20, generator=generator(3)) for _ in range(2))
    assert np.array_equal(one.index, other.index)
    assert not np.array_equal(one.index, sample_proposals(*arguments, count=20, generator=generator(4)).index)
    state = torch.get_rng_state()
    sample_proposals(*arguments, count=20, generator=generator(3))
    assert torch.equal(state, torch.get_rng_state())
    tensors = sample_proposals(*(torch.from_numpy(value) for value in arguments), count=20, generator=generator(3))
    assert tensors.index.tolist() == one.index.tolist()
    assert tensors.assignment.gt_index.tolist() == one.assignment.gt_index.tolist()


def test_every_proposal_is_as_likely() -> None:
    """Of ten equal backgrounds each comes in 3 of 10 draws, to five standard deviations."""
    proposals = np.array([[10.0 * k, 0, 0, 4, 2, 1.5, 0] for k in range(10)])
    counts, own = np.zeros(10), generator()
    for _ in range(500):
        drawn = sample_proposals(proposals, proposals[:0], np.zeros(0, np.int64), count=3, generator=own)
        counts[drawn.index] += 1
    assert (abs(counts - 150) < 5 * np.sqrt(500 * 0.3 * 0.7)).all()


def test_repeat_fills_up_in_turn() -> None:
    proposals = np.array([[10.0 * k, 0, 0, 4, 2, 1.5, 0] for k in range(3)])
    labels = np.zeros(1, np.int64)
    drawn = sample_proposals(proposals, proposals[:1], labels, count=8, repeat=True, generator=generator())
    assert len(drawn.index) == 8
    assert drawn.index.tolist() == (drawn.index[:3].tolist() * 3)[:8]
    assert drawn.assignment.gt_index.tolist() == [0, -1, -1, 0, -1, -1, 0, -1]
    none = sample_proposals(proposals[:0], proposals[:1], labels, count=8, repeat=True)
    assert len(none.index) == len(none.assignment) == 0


def test_ignored_proposals_are_not_drawn() -> None:
    proposals = np.array([[10.0 * k, 0, 0, 4, 2, 1.5, 0] for k in range(4)])
    labels = np.array([0, -1])
    drawn = sample_proposals(proposals, proposals[:2], labels, count=8, generator=generator())
    assert sorted(drawn.index.tolist()) == [0, 2, 3]


def test_bad_numbers_are_named() -> None:
    empty = np.zeros((0, 7)), np.zeros((0, 7)), np.zeros(0, np.int64)
    with pytest.raises(ValueError, match="count: expected a whole number >= 1, got 0"):
        sample_proposals(*empty, count=0)
    with pytest.raises(ValueError, match="foreground_fraction: expected a number in"):
        sample_proposals(*empty, foreground_fraction=1.5)
    with pytest.raises(ValueError, match="easy_background: expected 0 <= easy_background <= foreground"):
        sample_proposals(*empty, easy_background=0.6)
