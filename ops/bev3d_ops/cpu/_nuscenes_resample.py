"""The nuScenes metric of one class when samples count several times or not at all.

Detections stand in the order of their rank. Copies of a detection stand together, so that curves follow from one walk
over the detections: no list is written out, and nothing is matched again. The interpolation is that of ``np.interp``,
operation by operation.
"""

import numpy as np
from numba import njit

__all__ = ["resample_class"]

RECALLS = 101
FIRST_BIN = 11
MIN_PRECISION = 0.1
# not k / 100: recalls that meet a place of the metric's grid have to meet it to the last bit
GRID = np.linspace(0, 1, RECALLS)


@njit(cache=True, nogil=True, error_model="numpy")
def resample_class(hit, score, errors, error_row, group, truth_of_group, weights, result, start, stop):
    """Average precision at each distance and mean errors, for each row of weights.

    Args:
        hit: (K, D) bool, by matching distance.
        score: (D,) float64, descending.
        errors: (E, D) float64 errors of the hits of row ``error_row``; NaN where unknown.
        error_row: the distance of which errors are taken.
        group: (D,) int64, what each detection belongs to.
        truth_of_group: (G,) int64, boxes to be found.
        weights: (R, G) int64, how often each group counts.
        result: (R, K + E) float64, written to between ``start`` and ``stop``.
    """
    distances, kinds = len(hit), len(errors)
    precision, confidence = np.empty(RECALLS), np.empty(RECALLS)
    for r in range(start, stop):
        total = 0
        for g in range(len(truth_of_group)):
            total += weights[r, g] * truth_of_group[g]
        for k in range(distances):
            hits = _curves(hit[k], score, group, weights[r], total, precision, confidence)
            result[r, k] = _average_precision(precision)
            if k == error_row:
                for e in range(kinds):
                    result[r, distances + e] = 1.0
                    if hits > 0:
                        means = _mean_errors(hit[k], score, errors[e], group, weights[r], hits)
                        result[r, distances + e] = _average_error(confidence, means)


@njit(cache=True, nogil=True, error_model="numpy")
def _curves(hit, score, group, weight, total, precision, confidence):
    """Fill precision and confidence over recall; returns how many detections with a weight are hits."""
    precision[:], confidence[:] = 0.0, 0.0
    at, hits = 0, 0
    true, answers = 0, 0
    last_recall, last_precision, last_score = 0.0, 0.0, 0.0
    for d in range(len(hit)):
        copies = weight[group[d]]
        if copies == 0 or total == 0:
            continue
        if not hit[d]:
            answers += copies
            last_precision, last_score = true / answers, score[d]
            continue
        hits += 1
        for _ in range(copies):
            true, answers = true + 1, answers + 1
            recall, value = true / total, true / answers
            while at < RECALLS and GRID[at] < recall:
                if answers == 1:
                    precision[at], confidence[at] = value, score[d]
                else:
                    share = GRID[at] - last_recall
                    step = recall - last_recall
                    precision[at] = (value - last_precision) / step * share + last_precision
                    confidence[at] = (score[d] - last_score) / step * share + last_score
                at += 1
            last_recall, last_precision, last_score = recall, value, score[d]
    if hits == 0:
        precision[:], confidence[:] = 0.0, 0.0
        return 0
    while at < RECALLS and GRID[at] <= last_recall:
        precision[at], confidence[at] = last_precision, last_score
        at += 1
    return hits


@njit(cache=True, nogil=True, error_model="numpy")
def _average_precision(precision):
    total = 0.0
    for i in range(FIRST_BIN, RECALLS):
        total += max(precision[i] - MIN_PRECISION, 0.0)
    return total / (RECALLS - FIRST_BIN) / (1.0 - MIN_PRECISION)


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_errors(hit, score, errors, group, weight, hits):
    """(hits, 3): score of each hit, and the mean of the known errors down to its first and to its last copy."""
    result = np.empty((hits, 3))
    h, known, total = 0, 0, 0.0
    for d in range(len(hit)):
        copies = weight[group[d]]
        if copies == 0 or not hit[d]:
            continue
        first = last = total / known if known else 0.0
        if not np.isnan(errors[d]):
            first = (total + errors[d]) / (known + 1)
            known += copies
            total += copies * errors[d]
            last = total / known
        result[h, 0], result[h, 1], result[h, 2] = score[d], first, last
        h += 1
    if known == 0:
        result[:, 1:] = 1.0
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _average_error(confidence, means):
    """Mean over the recalls that count of the errors interpolated at the confidence there."""
    last = 0
    for i in range(RECALLS):
        if confidence[i] != 0:
            last = i
    if last < FIRST_BIN:
        return 1.0
    total, h = 0.0, 0
    for i in range(FIRST_BIN, last + 1):
        x = confidence[i]
        while h < len(means) and means[h, 0] > x:
            h += 1
        if h == len(means):
            total += means[h - 1, 2]
        elif h == 0 or means[h, 0] == x:
            total += means[h, 1]
        else:
            slope = (means[h - 1, 2] - means[h, 1]) / (means[h - 1, 0] - means[h, 0])
            total += slope * (x - means[h, 0]) + means[h, 1]
    return total / (last + 1 - FIRST_BIN)
