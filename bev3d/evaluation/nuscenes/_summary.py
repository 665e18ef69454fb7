"""The numbers of the benchmark out of its curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._curves import Curves, average_error, average_precision
from bev3d.evaluation.nuscenes._filter import keep_what_counts
from bev3d.evaluation.nuscenes._protocol import DISTANCES_M, ERROR_DISTANCE_M, MEAN_AP_WEIGHT, NO_ERRORS, TP_ERRORS
from bev3d.evaluation.nuscenes._result import ClassResult, NuScenesResult
from bev3d.evaluation.nuscenes._score import score_boxes
from bev3d.evaluation.nuscenes._truth import GroundTruth

__all__ = ["evaluate_boxes", "score_predictions", "summarise"]


def score_predictions(
    name: str, truth: GroundTruth, found: BoxColumns, range_bands_m: Sequence[tuple[float, float]] = ()
) -> NuScenesResult:
    """The metric of predictions in columns, which may be scored against the same ground truth again and again.

    Args:
        name: of the split in the result.
        truth: of the samples.
        found: predictions; ``sample`` indexes those of ``truth``.
        range_bands_m: see :func:`bev3d.evaluation.evaluate_nuscenes`.
    """

    def score(band_m: tuple[float, float] | None) -> NuScenesResult:
        there, seen = (keep_what_counts(b, truth.racks, truth.ego_xy, band_m) for b in (truth.boxes, found))
        return evaluate_boxes(name, there, seen, len(truth.tokens))

    return replace(score(None), by_range={(float(band[0]), float(band[1])): score(band) for band in range_bands_m})


def evaluate_boxes(split: str, truth: BoxColumns, found: BoxColumns, num_samples: int) -> NuScenesResult:
    """The metric of boxes that count.

    Args:
        split: its name in the result.
        truth: see :func:`bev3d.evaluation.nuscenes._score.score_boxes`.
        found: predictions.
        num_samples: greatest sample index + 1.
    """
    counts = [
        tuple(int(np.count_nonzero(boxes.label == label)) for boxes in (truth, found))
        for label in range(len(DETECTION_CLASSES))
    ]
    return summarise(split, score_boxes(truth, found, num_samples), counts, num_samples)


def summarise(
    split: str, curves: Mapping[tuple[str, float], Curves], counts: Sequence[tuple[int, ...]], num_samples: int
) -> NuScenesResult:
    """The metric of curves by class and distance; ``counts`` are ground truth and predictions of each class."""
    per_class = {name: _class_result(name, curves, *counts[label][:2]) for label, name in enumerate(DETECTION_CLASSES)}
    # Means by NumPy over the same lists in the same order as in the devkit, for the sake of the last bit.
    mean_ap = float(np.mean([one.ap for one in per_class.values()]))
    tp_errors = {e: float(np.nanmean([one.tp_errors[e] for one in per_class.values()])) for e in TP_ERRORS}
    scores = [max(0.0, 1.0 - error) for error in tp_errors.values()]
    return NuScenesResult(
        split=split,
        mean_ap=mean_ap,
        nds=float(MEAN_AP_WEIGHT * mean_ap + np.sum(scores)) / float(MEAN_AP_WEIGHT + len(scores)),
        tp_errors=tp_errors,
        per_class=per_class,
        num_samples=num_samples,
        curves=curves,
    )


def _class_result(name: str, curves: Mapping[tuple[str, float], Curves], num_truth: int, num_found: int) -> ClassResult:
    aps = {distance: average_precision(curves[name, distance]) for distance in DISTANCES_M}
    errors = {}
    for error in TP_ERRORS:
        meaningless = error in NO_ERRORS.get(name, ())
        errors[error] = math.nan if meaningless else average_error(curves[name, ERROR_DISTANCE_M], error)
    return ClassResult(
        ap=float(np.mean(list(aps.values()))),
        ap_by_distance=aps,
        tp_errors=errors,
        num_ground_truth=num_truth,
        num_predictions=num_found,
    )
