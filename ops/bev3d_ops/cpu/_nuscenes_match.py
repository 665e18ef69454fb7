"""Matching of detections with ground truth as the nuScenes detection benchmark defines it, over all samples at once.

Distances are not computed here: the benchmark takes them by a BLAS routine whose last bit depends on the machine, so
that pairs are listed first, measured outside in one go, and matched after.

Ground truth is sorted by group, a group being one class in one sample; ``group_start`` (G + 1,) says where each begins.
"""

import numpy as np
from numba import njit

__all__ = ["count_near", "list_near", "match_near"]

# Pairs just beyond the greatest distance are listed too, whatever the rounding of the distance taken outside.
SLACK = 1 + 1e-6


@njit(cache=True, nogil=True, error_model="numpy")
def count_near(found_xy, found_group, truth_xy, group_start, reach_m):
    """How many boxes of its own group each detection has within reach: (D,) int64.

    Args:
        found_xy: (D, 2) float64, metres.
        found_group: (D,) int64.
        truth_xy: (N, 2) float64, sorted by group.
        group_start: (G + 1,) int64.
        reach_m: greatest matching distance.
    """
    limit = reach_m * reach_m * SLACK
    result = np.zeros(len(found_xy), dtype=np.int64)
    for k in range(len(found_xy)):
        group = found_group[k]
        for i in range(group_start[group], group_start[group + 1]):
            dx, dy = found_xy[k, 0] - truth_xy[i, 0], found_xy[k, 1] - truth_xy[i, 1]
            result[k] += dx * dx + dy * dy <= limit
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def list_near(found_xy, found_group, truth_xy, group_start, reach_m, total):
    """The pairs that :func:`count_near` counts, detection by detection, ground truth ascending.

    Returns (total,) int64, the ground truth of every pair, and (total, 2) float64, detection less ground truth.
    """
    limit = reach_m * reach_m * SLACK
    truth = np.empty(total, dtype=np.int64)
    offset = np.empty((total, 2), dtype=np.float64)
    at = 0
    for k in range(len(found_xy)):
        group = found_group[k]
        for i in range(group_start[group], group_start[group + 1]):
            dx, dy = found_xy[k, 0] - truth_xy[i, 0], found_xy[k, 1] - truth_xy[i, 1]
            if dx * dx + dy * dy <= limit:
                truth[at] = i
                offset[at, 0], offset[at, 1] = dx, dy
                at += 1
    return truth, offset


@njit(cache=True, nogil=True, error_model="numpy")
def match_near(pair_start, pair_truth, pair_distance, threshold_m, taken, match):
    """Give each detection, in the order given, the nearest ground truth that is free; the first of equals wins.

    A detection whose nearest free box is not nearer than the threshold stays without one, even where another threshold
    gives it one: every threshold is a matching of its own.

    Args:
        pair_start: (D + 1,) int64, where the pairs of each detection begin.
        pair_truth: (P,) int64.
        pair_distance: (P,) float64, metres.
        threshold_m: hits are strictly nearer.
        taken: (N,) bool, written to.
        match: (D,) int64, written to: the ground truth, or -1.
    """
    for k in range(len(match)):
        best, least = -1, np.inf
        for p in range(pair_start[k], pair_start[k + 1]):
            if not taken[pair_truth[p]] and pair_distance[p] < least:
                best, least = pair_truth[p], pair_distance[p]
        if least < threshold_m:
            taken[best] = True
            match[k] = best
        else:
            match[k] = -1
