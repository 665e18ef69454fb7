"""Matching of detections with ground truth as the KITTI object benchmark defines it, over all frames at once.

States of ground truth and of detections: 0 counts, 1 may be matched but counts neither way, -1 is not looked at.
Frame f owns the ground truth ``truth_start[f]`` to ``truth_start[f + 1]``, its detections alike, and the matrix of
overlaps (ground truth by detections, row by row) from ``overlap_start[f]``.
"""

import numpy as np
from numba import njit

__all__ = ["count_at_thresholds", "matched_scores"]

COUNTS, IGNORED, SKIPPED = 0, 1, -1


@njit(cache=True, nogil=True)
def matched_scores(overlaps, overlap_start, truth_start, found_start, truth_state, found_state, scores, least_overlap):
    """Scores of true positives when each ground truth takes the detection of highest score that overlaps enough.

    Returns (K,) float64 scores in the order of the ground truth, from which recall thresholds are chosen, and (K,)
    int64 frames that they are of.
    """
    result = np.empty(len(truth_state), dtype=np.float64)
    frames = np.empty(len(truth_state), dtype=np.int64)
    count = 0
    taken = np.zeros(len(found_state), dtype=np.bool_)
    for frame in range(len(truth_start) - 1):
        first, last = found_start[frame], found_start[frame + 1]
        for i in range(truth_start[frame], truth_start[frame + 1]):
            if truth_state[i] == SKIPPED:
                continue
            row = overlap_start[frame] + (i - truth_start[frame]) * (last - first) - first
            best = -1
            for j in range(first, last):
                if found_state[j] == SKIPPED or taken[j] or not overlaps[row + j] > least_overlap:
                    continue
                if best < 0 or scores[j] > scores[best]:
                    best = j
            if best < 0:
                continue
            taken[best] = True
            if truth_state[i] == COUNTS and found_state[best] == COUNTS:
                result[count], frames[count] = scores[best], frame
                count += 1
    return result[:count].copy(), frames[:count].copy()


@njit(cache=True, nogil=True)
def _pick(row, first, last, overlaps, found_state, scores, taken, threshold, least_overlap):
    """The free detection of greatest overlap; an ignored one only where no other overlaps enough."""
    best, best_overlap, ignored = -1, 0.0, -1
    for j in range(first, last):
        if found_state[j] == SKIPPED or taken[j] or scores[j] < threshold:
            continue
        overlap = overlaps[row + j]
        if not overlap > least_overlap:
            continue
        if found_state[j] == COUNTS:
            if best < 0 or overlap > best_overlap:
                best, best_overlap = j, overlap
        elif ignored < 0:
            ignored = j
    return best if best >= 0 else ignored


@njit(cache=True, nogil=True)
def count_at_thresholds(
    overlaps, overlap_start, truth_start, found_start, truth_state, found_state, scores, absorbed,
    truth_alpha, found_alpha, thresholds, least_overlap,
):  # fmt: skip
    """True positives, false positives and summed orientation similarity at each score threshold.

    Args:
        absorbed: (D,) whether a detection lies in a region that nobody labelled, so that it is no false positive.
        truth_alpha: (N,) observation angles; similarity of a match is (1 + cos(difference)) / 2.
        found_alpha: (D,)
        thresholds: (T,)

    Returns (T, 3) float64.
    """
    result = np.zeros((len(thresholds), 3), dtype=np.float64)
    taken = np.zeros(len(found_state), dtype=np.bool_)
    for t in range(len(thresholds)):
        threshold = thresholds[t]
        taken[:] = False
        for frame in range(len(truth_start) - 1):
            first, last = found_start[frame], found_start[frame + 1]
            for i in range(truth_start[frame], truth_start[frame + 1]):
                if truth_state[i] == SKIPPED:
                    continue
                row = overlap_start[frame] + (i - truth_start[frame]) * (last - first) - first
                best = _pick(row, first, last, overlaps, found_state, scores, taken, threshold, least_overlap)
                if best < 0:
                    continue
                taken[best] = True
                if truth_state[i] == COUNTS and found_state[best] == COUNTS:
                    result[t, 0] += 1
                    result[t, 2] += (1 + np.cos(truth_alpha[i] - found_alpha[best])) / 2
            for j in range(first, last):
                if found_state[j] == COUNTS and not taken[j] and scores[j] >= threshold and not absorbed[j]:
                    result[t, 1] += 1
    return result
