"""Predictions and ground truth of nuScenes with what became of them at one matching distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bev3d.data import DETECTION_CLASSES
from bev3d.evaluation._judged import Judged, Pairs
from bev3d.evaluation.nuscenes._blas import lengths
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._protocol import DISTANCES_M, NO_ERRORS
from bev3d.evaluation.nuscenes._score import ClassMatches
from bev3d_ops.cpu._nuscenes_match import count_near, list_near

__all__ = ["judge", "near_pairs"]


def near_pairs(truth: BoxColumns, found: BoxColumns, num_samples: int, reach_m: float) -> Pairs:
    """Centres nearer than ``reach_m`` seen from above, whatever the classes."""
    order = np.argsort(truth.sample, kind="stable")
    starts = np.searchsorted(truth.sample[order], np.arange(num_samples + 1))
    truth_xy = np.ascontiguousarray(truth.translation[order, :2])
    found_xy = np.ascontiguousarray(found.translation[:, :2])
    count = count_near(found_xy, found.sample, truth_xy, starts, reach_m)
    partner, offset = list_near(found_xy, found.sample, truth_xy, starts, reach_m, int(count.sum()))
    distance = lengths(offset)
    near = distance < reach_m
    owner = np.repeat(np.arange(len(found)), count)[near]
    start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(found)))]).astype(np.int64)
    partner = order[partner[near]] if len(order) else partner
    return Pairs(start, partner, -distance[near])


def judge(
    truth: BoxColumns,
    found: BoxColumns,
    tokens: Sequence[str],
    matches: Mapping[str, ClassMatches],
    pairs: Pairs,
    distance_m: float,
    reach_m: float,
) -> Judged:
    """What became of the predictions at one of the four matching distances."""
    k = DISTANCES_M.index(distance_m)
    partner = np.full(len(found), -1, dtype=np.int64)
    turn = np.full(len(found), np.nan)
    for name, one in matches.items():
        partner[one.rows] = one.truth[k]
        if "orient_err" not in NO_ERRORS.get(name, ()):
            turn[one.rows[one.truth[k] >= 0]] = one.errors[k]["orient_err"]
    return Judged(
        class_names=DETECTION_CLASSES,
        tokens=tuple(tokens),
        found_sample=found.sample,
        found_label=found.label,
        found_score=found.score,
        found_truth=partner,
        found_turn=turn,
        truth_sample=truth.sample,
        truth_label=truth.label,
        pairs=pairs,
        foreground=np.full(len(DETECTION_CLASSES), -distance_m),
        background=-reach_m,
    )
