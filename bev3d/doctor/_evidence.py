"""Numbers about one reading of the boxes, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box
from bev3d.doctor._candidates import Candidate, read_boxes
from bev3d.doctor._ground import Ground
from bev3d.doctor._votes import KINDS, OBJECT_LEAST_M, UNDECIDED, Frame, Votes
from bev3d.points import count_points_in_boxes

__all__ = ["Reading", "compare", "describe_reading"]

MARGIN_M = 0.3


@dataclass(frozen=True)
class Reading:
    """What boxes and points say about one reading.

    Attributes:
        text: the reading in words.
        score: mean of all votes, in [0, 1].
        points_inside: points over the ground in the boxes; None without points.
        boxes_with_points: boxes that hold at least one.
        tightness: share of the points within 0.3 m of the boxes (not below them) that lie inside; None where none do.
        density_ratio: points per cubic metre inside over those in the 0.3 m around.
        bottom_m: median height of the bottom faces over the ground.
        votes: mean vote of each kind that has any: motion, the moving boxes that head where they go; shape, the long
            boxes that are longer than wide; unit, the angles that have the size of their unit.
    """

    text: str
    score: float
    points_inside: int | None
    boxes_with_points: int | None
    tightness: float | None
    density_ratio: float | None
    bottom_m: float | None
    votes: dict[str, float]


def describe_reading(frames: Sequence[Frame], votes: Votes, index: int, score: float) -> Reading:
    """Measure one of the readings that were voted on."""
    candidate = votes.candidates[index]
    has_points = any(frame.points is not None and len(frame.points) for frame in frames)
    bottom = votes.bottom_m[index]
    means = {}
    for kind in KINDS:
        mine = votes.votes[kind][index]
        if kind in ("motion", "shape"):
            mine = mine[mine != UNDECIDED]
        if np.isfinite(mine).any():
            means[kind] = round(float(np.nanmean(mine)), 4)
    inside, around, volume, shell = _density(frames, candidate) if has_points else (0, 0, 0.0, 0.0)
    dense = inside / volume / (around / shell) if volume > 0 and shell > 0 and around else None
    return Reading(
        text=candidate.describe(),
        score=round(score, 4),
        points_inside=int(votes.inside[index].sum()) if has_points else None,
        boxes_with_points=int((votes.inside[index] > 0).sum()) if has_points else None,
        tightness=round(inside / (inside + around), 4) if inside + around else None,
        density_ratio=None if dense is None else round(dense, 2),
        bottom_m=round(float(np.nanmedian(bottom)), 3) if np.isfinite(bottom).any() else None,
        votes=means,
    )


def compare(chosen: Reading, given: Reading) -> tuple[str, ...]:
    """The measures in which two readings differ, as sentences."""
    said = []
    if chosen.points_inside is not None and chosen.points_inside != given.points_inside:
        boxes = f"in {chosen.boxes_with_points} boxes, against {given.points_inside:,} in {given.boxes_with_points}"
        said.append(f"points over the ground inside the boxes: {chosen.points_inside:,} {boxes} as given")
        if chosen.tightness is not None:
            other = "none" if given.tightness is None else f"{given.tightness:.0%}"
            near = f"of the points within {MARGIN_M} m of the boxes"
            said.append(f"{near} {chosen.tightness:.0%} lie inside, as given {other}")
        if chosen.density_ratio is not None:
            other = "no points" if given.density_ratio is None else f"{given.density_ratio:.1f}"
            ratio = f"density inside over that in the {MARGIN_M} m around"
            said.append(f"{ratio}: {chosen.density_ratio:.1f}, as given {other}")
    if chosen.bottom_m is not None and chosen.bottom_m != given.bottom_m:
        other = "nowhere near it" if given.bottom_m is None else f"{given.bottom_m:+.2f} m"
        said.append(f"bottom of the boxes over the ground, median: {chosen.bottom_m:+.2f} m, as given {other}")
    words = {
        "motion": "moving boxes that head where they go",
        "shape": "long boxes that are longer than wide",
        "unit": "angles of the size of their unit",
    }
    for kind, text in words.items():
        mine, other_vote = chosen.votes.get(kind), given.votes.get(kind)
        if mine is not None and other_vote is not None and abs(mine - other_vote) > 0.005:
            said.append(f"{text}: {mine:.0%}, as given {other_vote:.0%}")
    return tuple(said)


def _density(frames: Sequence[Frame], candidate: Candidate) -> tuple[int, int, float, float]:
    """Points over the ground inside and in the shell around, and the volumes, of the boxes with points near."""
    inside = around = 0
    volume = shell = 0.0
    for frame in frames:
        if frame.points is None or not len(frame.points):
            continue
        boxes = read_boxes(frame.boxes, candidate)[:, :7]
        boxes = boxes[np.isfinite(boxes).all(1) & (boxes[:, Box.SIZE] > 0).all(1)]
        objects = Ground(frame.points).above(frame.points[:, :3].astype(np.float64), OBJECT_LEAST_M)
        mine, larger = _count(objects, boxes), _count(objects, _enlarge(boxes))
        seen = larger > 0
        inside += int(mine.sum())
        around += int((larger - mine).sum())
        own = boxes[seen][:, Box.SIZE].prod(axis=1)
        volume += float(own.sum())
        shell += float((_enlarge(boxes[seen])[:, Box.SIZE].prod(axis=1) - own).sum())
    return inside, around, volume, shell


def _enlarge(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """By the margin to all sides but below, where the ground is."""
    larger = boxes.copy()
    larger[:, Box.SIZE] += np.array([2, 2, 1]) * MARGIN_M
    larger[:, Box.Z] += MARGIN_M / 2
    return larger


def _count(points: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    return count_points_in_boxes(np.ascontiguousarray(points), np.ascontiguousarray(boxes))
