"""Matching of predictions with ground truth, and the errors of the matches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation.nuscenes._blas import angle_errors, lengths, yaws
from bev3d.evaluation.nuscenes._columns import NO_ATTRIBUTE, BoxColumns
from bev3d.evaluation.nuscenes._curves import Curves, accumulate
from bev3d.evaluation.nuscenes._protocol import DISTANCES_M, HALF_TURN_CLASSES
from bev3d_ops.cpu._nuscenes_match import count_near, list_near, match_near

__all__ = ["ClassMatches", "curves_of_matches", "match_boxes", "match_errors", "score_boxes"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_PAIRS = 4_000_000
"""Pairs measured at once, which bounds the memory that a crowd of detections around one object can take."""


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """Predictions of one class in the order of their rank, and the ground truth that they are matched with.

    Attributes:
        rows: (D,) rows of the predictions.
        score: (D,) descending.
        truth: (4, D) row of the ground truth at each matching distance, -1 for none.
        errors: at each matching distance by name, (H,) of the H hits in the same order, NaN where one cannot be told.
        num_truth: boxes to be found.
    """

    rows: Ints
    score: Floats
    truth: Ints
    errors: tuple[Mapping[str, Floats], ...]
    num_truth: int


def score_boxes(truth: BoxColumns, found: BoxColumns, num_samples: int) -> dict[tuple[str, float], Curves]:
    """Curves by class and matching distance; see :func:`match_boxes`."""
    return curves_of_matches(match_boxes(truth, found, num_samples))


def curves_of_matches(matches: Mapping[str, ClassMatches]) -> dict[tuple[str, float], Curves]:
    """Curves by class and matching distance."""
    return {
        (name, distance): accumulate(one.truth[k] >= 0, one.score, one.errors[k], one.num_truth)
        for name, one in matches.items()
        for k, distance in enumerate(DISTANCES_M)
    }


def match_boxes(truth: BoxColumns, found: BoxColumns, num_samples: int) -> dict[str, ClassMatches]:
    """Match predictions with ground truth, class by class and distance by distance.

    Args:
        truth: ground truth that counts, in the order in which the first of equally near boxes wins.
        found: predictions that count; of equal scores the later one ranks first.
        num_samples: greatest sample index + 1.
    """
    group = truth.sample * len(DETECTION_CLASSES) + truth.label
    order = np.argsort(group, kind="stable")
    truth = truth.take(order)
    starts = np.searchsorted(np.sort(group), np.arange(num_samples * len(DETECTION_CLASSES) + 1))
    truth_yaw = yaws(truth.rotation)
    matches = {}
    for label, name in enumerate(DETECTION_CLASSES):
        rows = np.flatnonzero(found.label == label)
        ranked = rows[np.argsort(found.score[rows], kind="stable")[::-1]]
        partners = _match(truth, found, ranked, starts)
        errors = tuple(_class_errors(name, truth, truth_yaw, found, ranked, partners))
        partners = np.where(partners >= 0, order[partners], -1) if len(order) else partners
        num_truth = int(np.count_nonzero(truth.label == label))
        matches[name] = ClassMatches(ranked, found.score[ranked], partners, errors, num_truth)
    return matches


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


def _class_errors(
    name: str, truth: BoxColumns, truth_yaw: Floats, found: BoxColumns, ranked: Ints, partners: Ints
) -> Iterator[dict[str, Floats]]:
    """Errors of the hits at each distance; headings are taken once for all of them."""
    matched = (partners >= 0).any(axis=0)
    yaw = np.full(len(ranked), np.nan)
    yaw[matched] = yaws(found.rotation[ranked[matched]])
    for match in partners:
        hit = match >= 0
        errors = _errors(truth, match[hit], found, ranked[hit])
        yield errors | {"orient_err": angle_errors(truth_yaw[match[hit]], yaw[hit], _period(name))}


def match_errors(name: str, truth: BoxColumns, i: Ints, found: BoxColumns, k: Ints) -> dict[str, Floats]:
    """Errors of matched rows ``i`` and ``k`` of a class.

    Position in m, 1 - IoU of the sizes, heading in rad, velocity in m/s, 1 for another attribute.
    """
    turn = angle_errors(yaws(truth.rotation[i]), yaws(found.rotation[k]), _period(name))
    return _errors(truth, i, found, k) | {"orient_err": turn}


def _period(name: str) -> float:
    return np.pi if name in HALF_TURN_CLASSES else 2 * np.pi


def _errors(truth: BoxColumns, i: Ints, found: BoxColumns, k: Ints) -> dict[str, Floats]:
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
