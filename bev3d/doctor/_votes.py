"""What boxes and points say about each reading of the boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box, wrap_angle
from bev3d.doctor._candidates import Candidate, read_boxes
from bev3d.doctor._ground import Ground
from bev3d.points import count_points_in_boxes

__all__ = ["KINDS", "OBJECT_LEAST_M", "UNDECIDED", "Frame", "Votes", "collect_votes"]

Boxes = NDArray[np.float64]

OBJECT_LEAST_M = 0.25  # over the ground: lower points are the road, of which a box that sinks into it holds many
LEAST_POINTS = 5
MOVING_MPS = 1.0
LONG_M, LONG_RATIO = 1.2, 1.3
THIN_M, LOW_M = 0.8, 1.3  # barriers: wider than long in nuScenes
UNDECIDED = 0.5
FARTHEST_BOTTOM_M = 0.75
LEAST_SIZE_M, LARGEST_SIZE_M = 0.05, 60.0
KINDS = ("points", "ground", "motion", "shape", "unit", "pairs")


@dataclass(frozen=True, eq=False)
class Frame:
    """Points and boxes of one moment.

    Attributes:
        boxes: (N, 7 or 9), in the convention that is to be found.
        points: (P, >= 3) x, y, z in metres, z up; None where there are none.
        name: for messages.
        classes: name of the class of each box, or empty.
    """

    boxes: Boxes
    points: NDArray[np.floating] | None = None
    name: str = ""
    classes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Votes:
    """Votes of N boxes on C readings, in [0, 1].

    Attributes:
        votes: by kind, (C, N); NaN where a box has no vote of that kind. ``points``: points over the ground inside
            the box, over the most that any reading holds. ``ground``: 1 where the box stands on the ground, falling to
            0 where its bottom is half its height away, or 0.75 m. ``motion``: 1 where a moving box heads where it
            goes. ``shape``: 1 where a long box is longer than wide. ``unit``: 1 where the angle has the size of its
            unit. ``pairs``: of boxes with two neighbouring 0 or NaN, 1 where these are the velocity.
        inside: (C, N) points over the ground inside.
        bottom_m: (C, N) height of the bottom over the ground; NaN where none was found.
    """

    candidates: Sequence[Candidate]
    votes: dict[str, NDArray[np.float64]]
    inside: NDArray[np.int64]
    bottom_m: NDArray[np.float64]

    @property
    def total(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(C, N) sum of the votes of each box, and (N,) how many it has."""
        stacked = np.stack([self.votes[kind] for kind in KINDS])
        return np.nansum(stacked, axis=0), np.isfinite(stacked[:, 0]).sum(axis=0).astype(np.float64)


def collect_votes(frames: Sequence[Frame], candidates: Sequence[Candidate]) -> Votes:
    """Votes of all boxes with finite numbers."""
    parts = [_frame_votes(frame, candidates) for frame in frames]
    votes = {kind: np.concatenate([part.votes[kind] for part in parts], axis=1) for kind in KINDS}
    inside = np.concatenate([part.inside for part in parts], axis=1)
    return Votes(candidates, votes, inside, np.concatenate([part.bottom_m for part in parts], axis=1))


def _frame_votes(frame: Frame, candidates: Sequence[Candidate]) -> Votes:
    # a NaN among the last columns may be an unknown velocity
    raw = frame.boxes[np.isfinite(frame.boxes[:, :6]).all(1) & np.isfinite(frame.boxes[:, 6:]).any(1)]
    thin = np.array(["barrier" in name.lower() for name in frame.classes], bool) if frame.classes else None
    if thin is not None:
        thin = thin[np.isfinite(frame.boxes[:, :6]).all(1) & np.isfinite(frame.boxes[:, 6:]).any(1)]
    readings = [read_boxes(raw, candidate) for candidate in candidates]
    inside, bottom = _meet_points(frame.points, readings, candidates)
    votes = {
        "points": _points_votes(inside),
        "ground": _ground_votes(bottom, readings),
        "motion": _same_voters(np.stack([_motion_votes(boxes) for boxes in readings])),
        "shape": _same_voters(np.stack([_shape_votes(boxes, thin) for boxes in readings])),
        "unit": np.stack([_unit_votes(raw, candidate) for candidate in candidates]),
        "pairs": np.stack([_pair_votes(raw, candidate) for candidate in candidates]),
    }
    return Votes(candidates, votes, inside, bottom)


def _meet_points(
    points: NDArray[np.floating] | None, readings: Sequence[Boxes], candidates: Sequence[Candidate]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    shape = (len(readings), len(readings[0]))
    inside, bottom = np.zeros(shape, np.int64), np.full(shape, np.nan)
    if points is None or not len(points) or not shape[1]:
        return inside, bottom
    ground = Ground(points)
    objects = np.ascontiguousarray(ground.above(points[:, :3].astype(np.float64), OBJECT_LEAST_M))
    known: dict[tuple[object, ...], int] = {}
    for i, (boxes, candidate) in enumerate(zip(readings, candidates, strict=True)):
        sizes = boxes[:, Box.SIZE]
        possible = ((sizes > LEAST_SIZE_M) & (sizes < LARGEST_SIZE_M)).all(1)  # places read as sizes hold everything
        floor = boxes[:, Box.Z] - boxes[:, Box.HEIGHT] / 2 - ground.height(boxes[:, Box.X], boxes[:, Box.Y])
        bottom[i] = np.where(possible, floor, np.nan)
        same = known.setdefault(candidate.geometry, i)
        if same != i:
            inside[i] = inside[same]
            continue
        inside[i] = np.where(possible, count_points_in_boxes(objects, np.ascontiguousarray(boxes[:, :7])), 0)
    return inside, bottom


def _points_votes(inside: NDArray[np.int64]) -> NDArray[np.float64]:
    most = inside.max(axis=0)
    return np.where(most >= LEAST_POINTS, inside / np.maximum(most, 1), np.nan)


def _ground_votes(bottom: NDArray[np.float64], readings: Sequence[Boxes]) -> NDArray[np.float64]:
    # bounded, or readings in which boxes are tall would stand on any ground
    half = np.minimum(np.stack([boxes[:, Box.HEIGHT] / 2 for boxes in readings]), FARTHEST_BOTTOM_M)
    with np.errstate(invalid="ignore", divide="ignore"):
        votes = np.clip(1 - np.abs(bottom) / half, 0, 1)
    votes = np.where((half > 0) & np.isfinite(bottom), votes, 0.0)
    return np.where(np.isfinite(bottom).any(axis=0), votes, np.nan)


def _motion_votes(boxes: Boxes) -> NDArray[np.float64]:
    vx, vy = boxes[:, Box.VX], boxes[:, Box.VY]
    with np.errstate(invalid="ignore"):
        moving = np.hypot(vx, vy) >= MOVING_MPS
        ahead = np.abs(wrap_angle(boxes[:, Box.YAW] - np.arctan2(vy, vx))) < math.pi / 4
    return np.where(moving, ahead, np.nan)


def _shape_votes(boxes: Boxes, thin: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    length, width, height = boxes[:, Box.SIZE].T
    longer, shorter = np.maximum(length, width), np.minimum(length, width)
    with np.errstate(invalid="ignore"):
        long = (longer > LONG_M) & (longer > LONG_RATIO * shorter) & (shorter > 0)
        barrier = (shorter < THIN_M) & (height < LOW_M) if thin is None else thin
    return np.where(long & ~barrier, length > width, np.nan)


def _unit_votes(raw: Boxes, candidate: Candidate) -> NDArray[np.float64]:
    angle = raw[:, 8] if candidate.layout == "yaw_last" else raw[:, 6]
    with np.errstate(invalid="ignore"):
        turns = np.abs(angle) > 2 * math.pi + 0.1
    return (turns == candidate.degrees).astype(np.float64)


def _pair_votes(raw: Boxes, candidate: Candidate) -> NDArray[np.float64]:
    """A velocity is absent, or exactly 0 for what is parked, in both of its columns."""
    if raw.shape[1] == 7:
        return np.full(len(raw), np.nan)
    absent = np.isnan(raw[:, 6:]) | (raw[:, 6:] == 0)
    first, last = absent[:, :2].all(1), absent[:, 1:].all(1)
    return np.where(first != last, first if candidate.layout == "yaw_last" else last, np.nan)


def _same_voters(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """A box that only some readings let vote is undecided under the others."""
    return np.where(np.isfinite(votes).any(axis=0), np.nan_to_num(votes, nan=UNDECIDED), np.nan)
