"""Which reading the votes are for, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.doctor._candidates import AS_GIVEN, Candidate
from bev3d.doctor._votes import Votes

__all__ = ["Choice", "choose_reading"]

RESAMPLES = 400
SURE = 0.95  # share of resamples in which a reading has to beat a simpler one
LEAST_GAIN = 0.01  # of the mean vote
LEAST_BOXES = 3  # whose votes differ


@dataclass(frozen=True, eq=False)
class Choice:
    """The reading that is taken.

    Attributes:
        candidate: the simplest one that no other beats with certainty.
        index: its place among the candidates.
        confidence: share of resamples of the boxes in which no other reading has more votes; ties are no loss.
        scores: (C,) mean vote on each candidate.
        given: place of the array as it is.
        boxes: how many boxes tell the reading from the array as it is.
        alike: readings with other defects, just as simple and with the same votes.
        rival: place of a reading that has more votes, though not with certainty; -1 without one.
    """

    candidate: Candidate
    index: int
    confidence: float
    scores: NDArray[np.float64]
    given: int
    boxes: int
    alike: tuple[Candidate, ...]
    rival: int


def choose_reading(votes: Votes, *, seed: int = 0) -> Choice | None:
    """Weigh the votes; None where no box has any.

    A reading has to have more votes than every simpler one in 95 % of resamples of the boxes (bootstrap, Efron 1979),
    and by a margin: a defect is claimed only where the boxes agree on it.
    """
    candidates = votes.candidates
    total, voters = votes.total
    if not voters.sum():
        return None
    given = candidates.index(AS_GIVEN)
    scores = total.sum(1) / voters.sum()
    resampled = _resample(total, voters, seed)
    best = int(np.argmax(scores))
    chosen = best
    # of readings that are equally simple the one with most votes; fractions of the complexity only part equal votes
    order = [(int(c.complexity), -round(score, 9), c.complexity) for c, score in zip(candidates, scores, strict=True)]
    for i in sorted(range(len(candidates)), key=order.__getitem__):
        beaten = (resampled[:, best] > resampled[:, i]).mean() >= SURE
        differ = int((np.abs(total[best] - total[i]) > 0.01).sum())
        if not (beaten and scores[best] - scores[i] >= LEAST_GAIN and differ >= LEAST_BOXES):
            chosen = i
            break
    won = (resampled[:, chosen] >= resampled.max(axis=1) - 1e-12).mean()
    same = np.flatnonzero(np.abs(total - total[chosen]).max(axis=1) < 1e-9)
    alike = tuple(
        candidates[i]
        for i in same
        if candidates[i].defects != candidates[chosen].defects
        and candidates[i].complexity - candidates[chosen].complexity < 0.5
    )
    boxes = int((np.abs(total[chosen] - total[given]) > 0.01).sum())
    rival = best if scores[best] > scores[chosen] + 1e-12 else -1
    return Choice(candidates[chosen], chosen, float(won), scores, given, boxes, alike, rival)


def _resample(total: NDArray[np.float64], voters: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """(RESAMPLES, C) mean votes with the boxes drawn anew, with replacement."""
    generator = np.random.default_rng(seed)
    count = len(voters)
    weights = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
    return (weights @ total.T) / np.maximum(weights @ voters, 1)[:, None]
