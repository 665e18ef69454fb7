"""Precision over recall as KITTI samples it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.data.kitti import KITTI_CLASSES, MIN_HEIGHT_PX, KittiLabels, too_hard
from bev3d.evaluation.kitti._frames import Frames
from bev3d_ops.cpu._kitti_match import count_at_thresholds, matched_scores

__all__ = ["COUNTS", "RECALLS", "SKIPPED", "Curves", "curves_of_states", "match_states", "precision_curves"]

RECALLS = 41
NEIGHBOUR = {"Car": "Van", "Pedestrian": "Person_sitting"}
"""Classes so alike that finding one for the other is neither right nor wrong."""

COUNTS, IGNORED, SKIPPED = 0, 1, -1


@dataclass(frozen=True, eq=False)
class Curves:
    """One class at one difficulty by one metric.

    Attributes:
        precision: (41,) at recall k / 40, after the running maximum from the right.
        similarity: (41,) the same for precision times orientation similarity.
        num_ground_truth: objects that count.
    """

    precision: NDArray[np.float64]
    similarity: NDArray[np.float64]
    num_ground_truth: int


def precision_curves(
    frames: Frames,
    overlaps: tuple[NDArray[np.float64], NDArray[np.int64]],
    absorbed: NDArray[np.bool_],
    class_name: str,
    difficulty: int,
    least_overlap: float,
    exact_height_counts: bool,
) -> Curves:
    """Match all frames twice: for the scores at which recall grows by 1/40, then for the counts at those scores.

    Args:
        frames: labels and detections.
        overlaps: see :func:`bev3d.evaluation.kitti._overlaps.frame_overlaps`.
        absorbed: (D,) detections that are never false positives.
        class_name: the class.
        difficulty: 0, 1 or 2.
        least_overlap: a match overlaps by more than this.
        exact_height_counts: see :func:`bev3d.data.kitti.too_hard`.
    """
    states = match_states(frames, class_name, difficulty, exact_height_counts)
    return curves_of_states(frames, overlaps, absorbed, states, frames.found.alpha, least_overlap)


def match_states(
    frames: Frames, class_name: str, difficulty: int, exact_height_counts: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) and (D,) states of ground truth and detections: counts, ignored, or skipped."""
    truth_state = _truth_state(frames.truth, class_name, difficulty, exact_height_counts)
    return truth_state, _found_state(frames.found, class_name, difficulty)


def curves_of_states(
    frames: Frames,
    overlaps: tuple[NDArray[np.float64], NDArray[np.int64]],
    absorbed: NDArray[np.bool_],
    states: tuple[NDArray[np.int64], NDArray[np.int64]],
    found_alpha: NDArray[np.float64],
    least_overlap: float,
) -> Curves:
    """The curves for given states and (D,) observation angles of the detections."""
    matrix, start = overlaps
    truth_state, found_state = states
    layout = (matrix, start, frames.truth_start, frames.found_start, truth_state, found_state, frames.found.scores)
    scores, _ = matched_scores(*layout, least_overlap)
    total = int((truth_state == COUNTS).sum())
    thresholds = recall_thresholds(scores, total)
    angles = (frames.truth.alpha, found_alpha)
    counts = count_at_thresholds(*layout, absorbed, *angles, thresholds, least_overlap)
    precision, similarity = np.zeros(RECALLS), np.zeros(RECALLS)
    answers = counts[:, 0] + counts[:, 1]
    for curve, values in ((precision, counts[:, 0]), (similarity, counts[:, 2])):
        curve[: len(thresholds)] = np.divide(values, answers, out=np.zeros(len(values)), where=answers > 0)
        curve[:] = np.maximum.accumulate(curve[::-1])[::-1]
    return Curves(precision, similarity, total)


def recall_thresholds(scores: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    """Scores at which recall passes 0, 1/40, ..., 1: for each step the score whose recall is nearest to it.

    Args:
        scores: (K,) scores of the true positives, in any order.
        total: objects that count.
    """
    descending = np.sort(scores)[::-1]
    thresholds = []
    wanted = 0.0
    for i, score in enumerate(descending, 1):
        if i < len(descending) and (i + 1) / total - wanted < wanted - i / total:  # the next one is nearer
            continue
        thresholds.append(score)
        wanted += 1 / (RECALLS - 1)
    return np.array(thresholds, dtype=np.float64)  # RECALLS at most: recall 1 is met by the last score alone


def _truth_state(truth: KittiLabels, class_name: str, difficulty: int, exact_height_counts: bool) -> NDArray[np.int64]:
    names = _codes(truth.names)
    same = names == KITTI_CLASSES.index(class_name)
    hard = too_hard(truth, difficulty, exact_height_counts=exact_height_counts)
    state = np.full(len(truth), SKIPPED, dtype=np.int64)
    state[same] = np.where(hard[same], IGNORED, COUNTS)
    if class_name in NEIGHBOUR:
        state[names == KITTI_CLASSES.index(NEIGHBOUR[class_name])] = IGNORED
    return state


def _found_state(found: KittiLabels, class_name: str, difficulty: int) -> NDArray[np.int64]:
    # The height is looked at before the class: a small detection of any class may take a ground truth.
    height = np.abs(found.bbox[:, 3] - found.bbox[:, 1])
    same = _codes(found.names) == KITTI_CLASSES.index(class_name)
    return np.where(height < MIN_HEIGHT_PX[difficulty], IGNORED, np.where(same, COUNTS, SKIPPED)).astype(np.int64)


def _codes(names: tuple[str, ...]) -> NDArray[np.int64]:
    index = {name: i for i, name in enumerate(KITTI_CLASSES)}
    return np.array([index.get(name, -1) for name in names], dtype=np.int64)
