"""What the KITTI metric would say if one kind of error were mended."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bev3d.evaluation._analysis import ErrorAnalysis, Gain
from bev3d.evaluation._error_kinds import ERROR_KINDS, Blame, Promoted, blame, promote
from bev3d.evaluation.kitti._curves import COUNTS, SKIPPED, curves_of_states
from bev3d.evaluation.kitti._judge import KittiCase
from bev3d.evaluation.kitti._result import KittiCurve

__all__ = ["analyse_errors", "mended_scores"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ALL_KINDS = (*ERROR_KINDS, "false positives", "false negatives")


def analyse_errors(case: KittiCase, turn_rad: float, rule: str) -> ErrorAnalysis:
    """Counts, and what R40 and its orientation similarity would gain.

    Args:
        case: what it is about.
        turn_rad: a hit's heading is wrong beyond this.
        rule: the bounds, in words.
    """
    judged = case.judged
    wrong = blame(judged, turn_rad=turn_rad)
    base = mended_scores("nothing", case, wrong)
    gains = {}
    for kind in ALL_KINDS:
        mended = mended_scores(kind, case, wrong)
        difference = {name: tuple(a - b for a, b in zip(mended[name], base[name], strict=True)) for name in base}
        means = {"AP": _mean([one[0] for one in difference.values()])}
        means["orientation"] = _mean([one[1] for one in difference.values()])
        gains[kind] = Gain(means, {name: one[0] for name, one in difference.items()})
    hits = np.bincount(judged.found_label[judged.found_truth >= 0], minlength=len(judged.class_names)).tolist()
    return ErrorAnalysis(wrong.counts(judged), dict(zip(judged.class_names, hits, strict=True)), gains, rule)


def mended_scores(kind: str, case: KittiCase, wrong: Blame) -> dict[str, tuple[float, float]]:
    """R40 and R40 times orientation similarity by class, as shares of 1, after one kind of error is mended.

    The benchmark's own matching runs again on the mended detections. NaN where a class has no object.
    """
    judged, frames = case.judged, case.frames
    after = _after(case, wrong, kind)
    matrix = _mended_overlaps(case, after)
    alpha = frames.found.alpha.copy()
    if kind == "orientation":
        rows = np.flatnonzero(wrong.turned)
        alpha[case.found_rows[rows]] = frames.truth.alpha[case.truth_rows[judged.found_truth[rows]]]
    absorbed = np.zeros(len(frames.found), dtype=bool)
    result = {}
    for label, (name, least) in enumerate(case.min_overlap.items()):
        states = _mended_states(case, wrong, after, label, kind)
        curves = curves_of_states(frames, (matrix, case.overlaps[1]), absorbed, states, alpha, least)
        total = int((case.states[name][0] == COUNTS).sum())
        pair = (KittiCurve(tuple(one.tolist()), total).r40 / 100 for one in (curves.precision, curves.similarity))
        precision, similarity = pair
        result[name] = (precision, similarity)
    return result


def _after(case: KittiCase, wrong: Blame, kind: str) -> Promoted:
    judged = case.judged
    if kind == "false positives":
        return Promoted(judged.found_label, judged.found_truth, judged.found_truth >= 0)
    return promote(judged, wrong, kind)


def _mended_overlaps(case: KittiCase, after: Promoted) -> Floats:
    """Overlaps in which each detection that became a hit lies exactly on its object, and on no other."""
    judged, frames = case.judged, case.frames
    matrix = case.overlaps[0].copy()
    for k in np.flatnonzero((after.truth >= 0) & (judged.found_truth < 0)):
        frame = int(judged.found_sample[k])
        first, last = frames.found_start[frame], frames.found_start[frame + 1]
        part = matrix[case.overlaps[1][frame] : case.overlaps[1][frame + 1]].reshape(-1, last - first)
        column = case.found_rows[k] - first
        part[:, column] = 0.0
        part[case.truth_rows[after.truth[k]] - frames.truth_start[frame], column] = 1.0
    return matrix


def _mended_states(case: KittiCase, wrong: Blame, after: Promoted, label: int, kind: str) -> tuple[Ints, Ints]:
    judged = case.judged
    truth_state, found_state = (states.copy() for states in case.states[judged.class_names[label]])
    # what the benchmark leaves out of account stays as it is
    found_state[case.found_rows[(judged.found_label == label) & (after.label != label)]] = SKIPPED
    found_state[case.found_rows[after.label == label]] = COUNTS
    found_state[case.found_rows[~after.kept]] = SKIPPED
    mine = judged.truth_label == label
    if kind == "missed":
        truth_state[case.truth_rows[mine & wrong.missed]] = SKIPPED
    elif kind == "false negatives":
        truth_state[case.truth_rows[mine & ~wrong.truth_found]] = SKIPPED
    return truth_state, found_state


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
