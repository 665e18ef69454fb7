"""What is wrong with each false detection, and matching without regard to classes.

The pairs of detection k are ``pair_start[k]`` to ``pair_start[k + 1]``: ground truth near it, and how close (greater is
closer).
"""

import numpy as np
from numba import njit

__all__ = ["BACKGROUND", "BOTH", "CLASSIFICATION", "DUPLICATE", "HIT", "LOCALISATION", "kind_of_errors", "match_any"]

HIT, CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = -1, 0, 1, 2, 3, 4


@njit(cache=True, nogil=True)
def kind_of_errors(found_label, found_truth, truth_label, truth_found, pair_start, pair_truth, pair_closeness, least):
    """Kind of error of each detection and the ground truth that it is about.

    Args:
        found_label: (D,) int64.
        found_truth: (D,) int64, ground truth of each hit, else -1.
        truth_label: (N,) int64.
        truth_found: (N,) bool, whether a detection hit it.
        pair_start, pair_truth, pair_closeness: pairs closer than the bound to the background.
        least: (C,) float64, closeness that a match with ground truth of that class exceeds.

    Returns (D,) int64 kinds and (D,) int64 ground truth, -1 for none.
    """
    kinds = np.full(len(found_label), HIT, dtype=np.int64)
    targets = np.full(len(found_label), -1, dtype=np.int64)
    for k in range(len(found_label)):
        if found_truth[k] >= 0:
            targets[k] = found_truth[k]
            continue
        # the closest of each sort: ground truth of its class or of another, within the bound of a match or beyond,
        # and free ones before those that were found
        best = np.full((2, 2, 2), -1, dtype=np.int64)
        closest = np.full((2, 2, 2), -np.inf)
        for p in range(pair_start[k], pair_start[k + 1]):
            i = pair_truth[p]
            other = int(truth_label[i] != found_label[k])
            far = int(not pair_closeness[p] > least[truth_label[i]])
            found = int(truth_found[i])
            if pair_closeness[p] > closest[other, far, found]:
                best[other, far, found], closest[other, far, found] = i, pair_closeness[p]
        own = closest[0, 0].max()
        another = closest[1, 0].max()
        if own > -np.inf or another > -np.inf:
            if own >= another:
                kinds[k] = DUPLICATE
                targets[k] = best[0, 0, 1] if best[0, 0, 1] >= 0 else best[0, 0, 0]
            else:
                kinds[k] = CLASSIFICATION
                targets[k] = best[1, 0, 0] if best[1, 0, 0] >= 0 else best[1, 0, 1]
        elif closest[0, 1].max() > -np.inf:
            kinds[k] = LOCALISATION
            targets[k] = best[0, 1, 0] if best[0, 1, 0] >= 0 else best[0, 1, 1]
        elif closest[1, 1].max() > -np.inf:
            kinds[k] = BOTH
            targets[k] = best[1, 1, 0] if best[1, 1, 0] >= 0 else best[1, 1, 1]
        else:
            kinds[k] = BACKGROUND
    return kinds, targets


@njit(cache=True, nogil=True)
def match_any(order, truth_label, pair_start, pair_truth, pair_closeness, least):
    """Each detection in this order takes the closest ground truth of any class that is free and close enough.

    Args:
        order: (K,) detections that take part.
        truth_label, pair_start, pair_truth, pair_closeness, least: see :func:`kind_of_errors`.

    Returns (D,) int64, -1 without one.
    """
    result = np.full(len(pair_start) - 1, -1, dtype=np.int64)
    taken = np.zeros(len(truth_label), dtype=np.bool_)
    for k in order:
        best, closest = -1, -np.inf
        for p in range(pair_start[k], pair_start[k + 1]):
            i = pair_truth[p]
            if not taken[i] and pair_closeness[p] > least[truth_label[i]] and pair_closeness[p] > closest:
                best, closest = i, pair_closeness[p]
        if best >= 0:
            taken[best] = True
            result[k] = best
    return result
