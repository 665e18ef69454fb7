"""KITTI detections and objects with what became of them, at one difficulty and by one overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import wrap_angle
from bev3d.data.kitti import DIFFICULTIES
from bev3d.evaluation._judged import Judged, Pairs
from bev3d.evaluation.kitti._curves import COUNTS, match_states
from bev3d.evaluation.kitti._frames import Frames
from bev3d.evaluation.kitti._overlaps import frame_overlaps
from bev3d_ops.cpu._kitti_resample import final_matches

__all__ = ["KittiCase", "judge_frames"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NO_ALPHA = -10.0


@dataclass(frozen=True, eq=False)
class KittiCase:
    """What an analysis of KITTI detections is about.

    Attributes:
        frames: labels and detections.
        min_overlap: overlap that a match exceeds, by class.
        difficulty: index of the difficulty.
        overlaps: see :func:`bev3d.evaluation.kitti._overlaps.frame_overlaps`, from above or in space.
        states: by class, what counts; see :func:`bev3d.evaluation.kitti._curves.match_states`.
        judged: of the detections and objects that count.
        found_rows, truth_rows: lines of ``frames`` that they are.
    """

    frames: Frames
    min_overlap: Mapping[str, float]
    difficulty: int
    overlaps: tuple[Floats, Ints]
    states: Mapping[str, tuple[Ints, Ints]]
    judged: Judged
    found_rows: Ints
    truth_rows: Ints


def judge_frames(
    frames: Frames,
    min_overlap: Mapping[str, float],
    *,
    difficulty: str,
    metric: str,
    background: float,
    exact_height_counts: bool,
) -> KittiCase:
    """Match as the benchmark's second pass does with every detection, whatever its score.

    Detections that the benchmark leaves out of account do so here: too small ones, and those of which the object is
    ignored at this difficulty. Objects and detections of classes that are not evaluated have no part.
    """
    level = DIFFICULTIES.index(difficulty)
    overlaps = frame_overlaps(frames, metric)
    states = {name: match_states(frames, name, level, exact_height_counts) for name in min_overlap}
    label, truth_label = np.full(len(frames.found), -1), np.full(len(frames.truth), -1)
    match = np.full(len(frames.found), -1, dtype=np.int64)
    for c, (name, least) in enumerate(min_overlap.items()):
        truth_state, found_state = states[name]
        layout = (*overlaps, frames.truth_start, frames.found_start, truth_state, found_state, frames.found.scores)
        partner = final_matches(*layout, least, -np.inf)
        excused = (partner >= 0) & (np.append(truth_state, COUNTS)[partner] != COUNTS)
        mine = (found_state == COUNTS) & ~excused
        label[mine], match[mine] = c, partner[mine]
        truth_label[truth_state == COUNTS] = c
    found_rows, truth_rows = np.flatnonzero(label >= 0), np.flatnonzero(truth_label >= 0)
    judged = Judged(
        class_names=tuple(min_overlap),
        tokens=frames.ids,
        found_sample=_frame_of(frames.found_start, found_rows),
        found_label=label[found_rows].astype(np.int64),
        found_score=frames.found.scores[found_rows],
        found_truth=_renumbered(match[found_rows], truth_rows),
        found_turn=_turns(frames, found_rows, match[found_rows]),
        truth_sample=_frame_of(frames.truth_start, truth_rows),
        truth_label=truth_label[truth_rows].astype(np.int64),
        pairs=_pairs(frames, overlaps, found_rows, truth_rows, background),
        foreground=np.array(list(min_overlap.values()), dtype=np.float64),
        background=background,
    )
    return KittiCase(frames, min_overlap, level, overlaps, states, judged, found_rows, truth_rows)


def _frame_of(start: Ints, rows: Ints) -> Ints:
    return np.searchsorted(start, rows, side="right").astype(np.int64) - 1


def _renumbered(match: Ints, truth_rows: Ints) -> Ints:
    place = np.searchsorted(truth_rows, match)
    return np.where(match >= 0, place, -1).astype(np.int64)


def _turns(frames: Frames, rows: Ints, match: Ints) -> Floats:
    """Radians between the observation angles of hits, or between their headings where no angle is known."""
    hit = match >= 0
    turn = np.full(len(rows), np.nan)
    known = bool((frames.found.alpha != NO_ALPHA).all())
    name = "alpha" if known else "rotation_y"
    found, truth = getattr(frames.found, name)[rows[hit]], getattr(frames.truth, name)[match[hit]]
    turn[hit] = np.abs(wrap_angle(found - truth))
    return turn


def _pairs(frames: Frames, overlaps: tuple[Floats, Ints], found_rows: Ints, truth_rows: Ints, least: float) -> Pairs:
    """Pairs of what counts that overlap by more than ``least``."""
    matrix, start = overlaps
    at = np.flatnonzero(matrix > least)
    frame = np.searchsorted(start, at, side="right") - 1
    columns = np.diff(frames.found_start)[frame]
    local = at - start[frame]
    truth = frames.truth_start[frame] + local // np.maximum(columns, 1)
    found = frames.found_start[frame] + local % np.maximum(columns, 1)
    new_found, new_truth = _numbers(len(frames.found), found_rows), _numbers(len(frames.truth), truth_rows)
    keep = (new_found[found] >= 0) & (new_truth[truth] >= 0)
    owner, partner, closeness = new_found[found[keep]], new_truth[truth[keep]], matrix[at[keep]]
    order = np.lexsort((partner, owner))
    counts = np.bincount(owner, minlength=len(found_rows))
    return Pairs(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), partner[order], closeness[order])


def _numbers(size: int, rows: Ints) -> Ints:
    result = np.full(size, -1, dtype=np.int64)
    result[rows] = np.arange(len(rows))
    return result
