"""The nuScenes metric of resampled samples, without matching again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation._bootstrap import Comparison, Resampling, compared, remark
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._protocol import DISTANCES_M, ERROR_DISTANCE_M, MEAN_AP_WEIGHT, NO_ERRORS, TP_ERRORS
from bev3d.evaluation.nuscenes._score import ClassMatches, match_boxes
from bev3d_ops.cpu._nuscenes_resample import resample_class
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["compare_boxes", "resampled_numbers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_DRAWS = 50  # worth a thread
ERROR_ROW = DISTANCES_M.index(ERROR_DISTANCE_M)


def compare_boxes(
    truth: BoxColumns, founds: Sequence[BoxColumns], scenes: Sequence[str], resampling: Resampling
) -> Comparison:
    """Compare two sets of predictions that count.

    Args:
        truth: ground truth that counts.
        founds: the two sets.
        scenes: scene of each sample.
        resampling: see :func:`bev3d.evaluation._bootstrap.draw_weights`.
    """
    once = np.ones((1, resampling.weights.shape[1]), dtype=np.int64)
    numbers, draws = [], []
    for found in founds:
        matches = match_boxes(truth, found, len(scenes))
        everything = resampled_numbers(matches, truth, found, resampling.group, once)
        numbers.append({name: float(values[0]) for name, values in everything.items()})
        draws.append(resampled_numbers(matches, truth, found, resampling.group, resampling.weights))
    intervals = compared(numbers, draws, resampling.level)
    ap = {name: one for name, one in intervals.items() if name in DETECTION_CLASSES}
    return Comparison(
        means={name: one for name, one in intervals.items() if name not in ap},
        ap=ap,
        unit=resampling.unit,
        num_units=resampling.weights.shape[1],
        resamples=len(resampling.weights),
        level=resampling.level,
        seed=resampling.seed,
        note=remark(resampling, scenes),
    )


def resampled_numbers(
    matches: Mapping[str, ClassMatches], truth: BoxColumns, found: BoxColumns, group: Ints, weights: Ints
) -> dict[str, Floats]:
    """(R,) mAP, NDS, the same over the classes present, and AP by class, NaN where a draw lacks the class.

    Where scores are distinct, each is what the metric gives on a set in which samples stand as often as they are
    drawn. Of equal scores copies of one detection rank together here, and as the file has them there.

    Args:
        matches: of the predictions with ground truth.
        truth, found: what was matched.
        group: (S,) which group a sample belongs to.
        weights: (R, G) how often each group counts.
    """
    draws = len(weights)
    ap, present = np.zeros((draws, len(DETECTION_CLASSES))), np.zeros((draws, len(DETECTION_CLASSES)), dtype=bool)
    errors = np.full((draws, len(DETECTION_CLASSES), len(TP_ERRORS)), np.nan)
    for label, (name, one) in enumerate(matches.items()):
        mine = group[truth.sample[truth.label == label]]
        of_group = np.bincount(mine, minlength=weights.shape[1]).astype(np.int64)
        present[:, label] = weights @ of_group > 0
        result = np.empty((draws, len(DISTANCES_M) + len(TP_ERRORS)))
        layout = (one.truth >= 0, one.score, _errors_by_row(one), ERROR_ROW, group[found.sample[one.rows]], of_group)
        run_in_ranges(partial(resample_class, *layout, weights, result), draws, LEAST_DRAWS)
        ap[:, label] = result[:, : len(DISTANCES_M)].mean(axis=1)
        meaningful = [error not in NO_ERRORS.get(name, ()) for error in TP_ERRORS]
        errors[:, label, meaningful] = result[:, len(DISTANCES_M) :][:, meaningful]
    numbers = {
        "mAP": ap.mean(axis=1),
        "NDS": _nds(ap.mean(axis=1), errors),
        "mAP present": _mean_where(ap, present),
        "NDS present": _nds(_mean_where(ap, present), np.where(present[..., None], errors, np.nan)),
    }
    by_class = np.where(present, ap, np.nan)
    return numbers | {name: by_class[:, label] for label, name in enumerate(DETECTION_CLASSES)}


def _errors_by_row(one: ClassMatches) -> Floats:
    """(5, D) errors of the hits at the distance at which errors are taken, NaN elsewhere."""
    result = np.full((len(TP_ERRORS), len(one.rows)), np.nan)
    hit = one.truth[ERROR_ROW] >= 0
    for e, error in enumerate(TP_ERRORS):
        result[e, hit] = one.errors[ERROR_ROW][error]
    return result


def _mean_where(values: Floats, mask: NDArray[np.bool_]) -> Floats:
    count = mask.sum(axis=1)
    total = np.where(mask, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _nds(mean_ap: Floats, errors: Floats) -> Floats:
    """(5 mAP + sum of max(0, 1 - mean error)) / 10; an error that no class has adds nothing."""
    known = ~np.isnan(errors)
    count = known.sum(axis=1)
    total = np.where(known, errors, 0.0).sum(axis=1)
    means = np.divide(total, count, out=np.ones(count.shape), where=count > 0)
    result: Floats = (MEAN_AP_WEIGHT * mean_ap + np.maximum(1 - means, 0).sum(axis=1)) / (
        MEAN_AP_WEIGHT + len(TP_ERRORS)
    )
    return result
