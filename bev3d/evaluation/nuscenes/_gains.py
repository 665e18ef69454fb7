"""What the nuScenes metric would say if one kind of error were mended."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation._analysis import ErrorAnalysis, Gain
from bev3d.evaluation._error_kinds import ERROR_KINDS, Blame, Promoted, blame, promote
from bev3d.evaluation._judged import Judged
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._curves import Curves, accumulate
from bev3d.evaluation.nuscenes._protocol import DISTANCES_M, ERROR_DISTANCE_M, TP_ERRORS
from bev3d.evaluation.nuscenes._result import NuScenesResult
from bev3d.evaluation.nuscenes._score import match_errors
from bev3d.evaluation.nuscenes._summary import summarise

__all__ = ["ALL_KINDS", "analyse_errors", "mended_result"]

Floats = NDArray[np.float64]

ALL_KINDS = (*ERROR_KINDS, "false positives", "false negatives")


def analyse_errors(
    truth: BoxColumns, found: BoxColumns, judged: Mapping[float, Judged], turn_rad: float, rule: str
) -> ErrorAnalysis:
    """Counts at 2 m, and gains over all four distances.

    Args:
        truth, found: boxes that count.
        judged: by matching distance.
        turn_rad: a hit's heading is wrong beyond this.
        rule: the bounds, in words.
    """
    blamed = {distance: blame(one, turn_rad=turn_rad) for distance, one in judged.items()}
    base = mended_result("nothing", truth, found, judged, blamed)
    gains = {kind: _gain(base, mended_result(kind, truth, found, judged, blamed)) for kind in ALL_KINDS}
    shown = judged[ERROR_DISTANCE_M]
    hits = np.bincount(shown.found_label[shown.found_truth >= 0], minlength=len(DETECTION_CLASSES)).tolist()
    counts = blamed[ERROR_DISTANCE_M].counts(shown)
    return ErrorAnalysis(counts, dict(zip(DETECTION_CLASSES, hits, strict=True)), gains, rule)


def mended_result(
    kind: str, truth: BoxColumns, found: BoxColumns, judged: Mapping[float, Judged], blamed: Mapping[float, Blame]
) -> NuScenesResult:
    """The official metric after one kind of error is mended at every distance; ``"nothing"`` mends none."""
    curves: dict[tuple[str, float], Curves] = {}
    for distance in DISTANCES_M:
        one, wrong = judged[distance], blamed[distance]
        after = _after(one, wrong, kind)
        errors = _errors(truth, found, one, wrong, after, kind) if distance == ERROR_DISTANCE_M else None
        hit = after.truth >= 0
        order = one.rank
        order = order[after.kept[order]]
        for label, name in enumerate(DETECTION_CLASSES):
            rows = order[after.label[order] == label]
            hits = rows[hit[rows]]
            known = {} if errors is None else {error: errors[e, hits] for e, error in enumerate(TP_ERRORS)}
            total = _num_truth(one, wrong, label, kind)
            curves[name, distance] = accumulate(hit[rows], one.found_score[rows], known, total)
    counts = [
        tuple(int(np.count_nonzero(boxes.label == label)) for boxes in (truth, found))
        for label in range(len(DETECTION_CLASSES))
    ]
    return summarise(kind, curves, counts, len(judged[ERROR_DISTANCE_M].tokens))


def _after(judged: Judged, wrong: Blame, kind: str) -> Promoted:
    if kind == "false positives":
        return Promoted(judged.found_label, judged.found_truth, judged.found_truth >= 0)
    return promote(judged, wrong, kind)


def _num_truth(judged: Judged, wrong: Blame, label: int, kind: str) -> int:
    mine = judged.truth_label == label
    if kind == "missed":
        mine &= ~wrong.missed
    elif kind == "false negatives":
        mine &= wrong.truth_found
    return int(mine.sum())


def _errors(truth: BoxColumns, found: BoxColumns, judged: Judged, wrong: Blame, after: Promoted, kind: str) -> Floats:
    """(5, D) errors of the hits, NaN elsewhere."""
    result = np.full((len(TP_ERRORS), len(found)), np.nan)
    for label, name in enumerate(DETECTION_CLASSES):
        rows = np.flatnonzero((after.truth >= 0) & (after.label == label))
        errors = match_errors(name, truth, after.truth[rows], found, rows)
        for e, error in enumerate(TP_ERRORS):
            result[e, rows] = errors[error]
    if kind == "localisation":  # put onto its object
        result[TP_ERRORS.index("trans_err"), (after.truth >= 0) & (judged.found_truth < 0)] = 0.0
    elif kind == "orientation":
        result[TP_ERRORS.index("orient_err"), wrong.turned] = 0.0
    return result


def _gain(base: NuScenesResult, mended: NuScenesResult) -> Gain:
    means = {
        "mAP": mended.mean_ap - base.mean_ap,
        "NDS": mended.nds - base.nds,
        "mAP present": mended.present_class_mean_ap - base.present_class_mean_ap,
        "NDS present": mended.present_class_nds - base.present_class_nds,
    }
    return Gain(means, {name: mended.per_class[name].ap - base.per_class[name].ap for name in DETECTION_CLASSES})
