"""Matching of predictions with ground truth, and the errors of the matches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation.nuscenes._blas import angle_errors, lengths, yaws
from bev3d.evaluation.nuscenes._columns import NO_ATTRIBUTE, BoxColumns
from bev3d.evaluation.nuscenes._curves import Curves, accumulate
from bev3d.evaluation.nuscenes._protocol import DISTANCES_M, HALF_TURN_CLASSES
from bev3d_ops.cpu._nuscenes_match import count_near, list_near, match_near

__all__ = ["score_boxes"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_PAIRS = 4_000_000
"""Pairs measured at once, which bounds the memory that a crowd of detections around one object can take."""


def score_boxes(truth: BoxColumns, found: BoxColumns, num_samples: int) -> dict[tuple[str, float], Curves]:
    """Curves by class and matching distance.

    Args:
        truth: ground truth that counts, in the order in which the first of equally near boxes wins.
        found: predictions that count; of equal scores the later one ranks first.
        num_samples: greatest sample index + 1.
    """
    group = truth.sample * len(DETECTION_CLASSES) + truth.label
    truth = truth.take(np.argsort(group, kind="stable"))
    starts = np.searchsorted(np.sort(group), np.arange(num_samples * len(DETECTION_CLASSES) + 1))
    truth_yaw = yaws(truth.rotation)
    curves = {}
    for label, name in enumerate(DETECTION_CLASSES):
        rows = np.flatnonzero(found.label == label)
        ranked = rows[np.argsort(found.score[rows], kind="stable")[::-1]]
        num_truth = int(np.count_nonzero(truth.label == label))
        matches = _match(truth, found, ranked, starts)
        score = found.score[ranked]
        matched = (matches >= 0).any(axis=0)
        yaw = np.full(len(ranked), np.nan)
        yaw[matched] = yaws(found.rotation[ranked[matched]])
        period = np.pi if name in HALF_TURN_CLASSES else 2 * np.pi
        for distance, match in zip(DISTANCES_M, matches, strict=True):
            hit = match >= 0
            errors = _errors(truth, match[hit], found, ranked[hit])
            errors["orient_err"] = angle_errors(truth_yaw[match[hit]], yaw[hit], period)
            curves[name, distance] = accumulate(hit, score, errors, num_truth)
    return curves


def _match(truth: BoxColumns, found: BoxColumns, ranked: Ints, group_start: Ints) -> Ints:
    """(4, D) ground truth of each of the ``ranked`` rows of one class at each distance, -1 for none."""
    truth_xy = np.ascontiguousarray(truth.translation[:, :2])
    found_xy = found.translation[ranked, :2]
    group = found.sample[ranked] * len(DETECTION_CLASSES) + found.label[ranked]
    reach = max(DISTANCES_M)
    pairs = np.concatenate([[0], np.cumsum(count_near(found_xy, group, truth_xy, group_start, reach))])
    taken = np.zeros((len(DISTANCES_M), len(truth)), dtype=bool)
    matches = np.empty((len(DISTANCES_M), len(ranked)), dtype=np.int64)
    first = 0
    while first < len(ranked):
        last = max(int(np.searchsorted(pairs, pairs[first] + MOST_PAIRS, side="right")) - 1, first + 1)
        rows = slice(first, last)
        total = int(pairs[last] - pairs[first])
        partner, offset = list_near(found_xy[rows], group[rows], truth_xy, group_start, reach, total)
        start, distance = pairs[first : last + 1] - pairs[first], lengths(offset)
        for k, threshold in enumerate(DISTANCES_M):
            match_near(start, partner, distance, threshold, taken[k], matches[k, rows])
        first = last
    return matches


def _errors(truth: BoxColumns, i: Ints, found: BoxColumns, k: Ints) -> dict[str, Floats]:
    """Errors of matched rows ``i`` and ``k``: position in m, 1 - IoU of the sizes, velocity in m/s, other attribute."""
    sizes, found_sizes = truth.size[i], found.size[k]
    attributes = truth.attribute[i]
    with np.errstate(over="ignore", invalid="ignore"):
        shared = _volumes(np.minimum(sizes, found_sizes))
        scale = 1 - shared / (_volumes(sizes) + _volumes(found_sizes) - shared)
        speed = lengths(found.velocity[k] - truth.velocity[i])
        shift = lengths(found.translation[k, :2] - truth.translation[i, :2])
    wrong = np.where(attributes == NO_ATTRIBUTE, np.nan, attributes != found.attribute[k])
    return {"trans_err": shift, "scale_err": scale, "vel_err": speed, "attr_err": wrong}


def _volumes(sizes: Floats) -> Floats:
    return sizes[:, 0] * sizes[:, 1] * sizes[:, 2]
