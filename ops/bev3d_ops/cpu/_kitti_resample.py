"""The KITTI metric when frames count several times or not at all; states as in ``_kitti_match``.

Matching is within a frame, and what it gives changes with the score threshold only at the scores of the frame's own
detections. Those changes are listed once; a draw adds them up with its weights. Counts are integers, so that the result
is that of a set in which frames stand as often as they are drawn.
"""

import numpy as np
from numba import njit

from bev3d_ops.cpu._kitti_match import COUNTS, SKIPPED, _pick

__all__ = ["count_changes", "final_matches", "resample_curve"]

RECALLS = 41


@njit(cache=True, nogil=True)
def _match_frame(
    frame, overlaps, overlap_start, truth_start, found_start, truth_state, found_state, scores, least_overlap,
    threshold, taken, match,
):  # fmt: skip
    """Second pass of one frame at one threshold: ``match`` of its detections, -1 for none."""
    first, last = found_start[frame], found_start[frame + 1]
    for j in range(first, last):
        taken[j] = False
        match[j] = -1
    for i in range(truth_start[frame], truth_start[frame + 1]):
        if truth_state[i] == SKIPPED:
            continue
        row = overlap_start[frame] + (i - truth_start[frame]) * (last - first) - first
        best = _pick(row, first, last, overlaps, found_state, scores, taken, threshold, least_overlap)
        if best >= 0:
            taken[best] = True
            match[best] = i


@njit(cache=True, nogil=True)
def final_matches(
    overlaps, overlap_start, truth_start, found_start, truth_state, found_state, scores, least_overlap, threshold
):  # fmt: skip
    """(D,) ground truth of each detection in the second pass at one threshold, -1 for none."""
    match = np.full(len(found_state), -1, dtype=np.int64)
    taken = np.zeros(len(found_state), dtype=np.bool_)
    for frame in range(len(truth_start) - 1):
        _match_frame(
            frame, overlaps, overlap_start, truth_start, found_start, truth_state, found_state, scores, least_overlap,
            threshold, taken, match,
        )  # fmt: skip
    return match


@njit(cache=True, nogil=True)
def count_changes(
    overlaps, overlap_start, truth_start, found_start, truth_state, found_state, scores, absorbed,
    truth_alpha, found_alpha, least_overlap,
):  # fmt: skip
    """How the counts of ``count_at_thresholds`` change as the threshold falls, frame by frame.

    Returns (E,) scores at which something changes, (E,) frames, and (E, 3) the change of true positives, false
    positives and summed similarity from that score on.
    """
    size = len(found_state)
    at, frames, changes = np.empty(size), np.empty(size, dtype=np.int64), np.empty((size, 3))
    taken, match = np.zeros(size, dtype=np.bool_), np.full(size, -1, dtype=np.int64)
    count = 0
    for frame in range(len(truth_start) - 1):
        first, last = found_start[frame], found_start[frame + 1]
        own = scores[first:last][found_state[first:last] != SKIPPED]
        before = np.zeros(3)
        for threshold in np.unique(own)[::-1]:
            _match_frame(
                frame, overlaps, overlap_start, truth_start, found_start, truth_state, found_state, scores,
                least_overlap, threshold, taken, match,
            )  # fmt: skip
            now = np.zeros(3)
            for j in range(first, last):
                if found_state[j] != COUNTS or scores[j] < threshold:
                    continue
                i = match[j]
                if i >= 0 and truth_state[i] == COUNTS:
                    now[0] += 1
                    now[2] += (1 + np.cos(truth_alpha[i] - found_alpha[j])) / 2
                elif i < 0 and not absorbed[j]:
                    now[1] += 1
            at[count], frames[count], changes[count] = threshold, frame, now - before
            before = now
            count += 1
    return at[:count].copy(), frames[:count].copy(), changes[:count].copy()


@njit(cache=True, nogil=True)
def resample_curve(
    hit_score, hit_frame, change_score, change_frame, changes, truth_of_frame, weights, result, start, stop
):  # fmt: skip
    """R40 of precision and of similarity, in percent, for each row of weights; NaN where no object counts.

    Args:
        hit_score, hit_frame: see :func:`matched_scores`, by descending score.
        change_score, change_frame, changes: see :func:`count_changes`, by descending score.
        truth_of_frame: (F,) int64, objects that count.
        weights: (R, F) int64, how often each frame counts.
        result: (R, 2) float64, written to between ``start`` and ``stop``.
    """
    curves = np.zeros((2, RECALLS))
    for r in range(start, stop):
        weight = weights[r]
        total, hits = 0, 0
        for f in range(len(truth_of_frame)):
            total += weight[f] * truth_of_frame[f]
        for h in range(len(hit_score)):
            hits += weight[hit_frame[h]]
        if total == 0:
            result[r] = np.nan
            continue
        curves[:] = 0.0
        true, false, similarity = 0.0, 0.0, 0.0
        change, step, i, wanted = 0, 0, 0, 0.0
        for h in range(len(hit_score)):
            for _ in range(weight[hit_frame[h]]):
                i += 1
                # The next hit is nearer. At most RECALLS get past here: recall 1 is met by the last hit alone.
                if i < hits and (i + 1) / total - wanted < wanted - i / total:
                    continue
                while change < len(change_score) and change_score[change] >= hit_score[h]:
                    copies = weight[change_frame[change]]
                    true += copies * changes[change, 0]
                    false += copies * changes[change, 1]
                    similarity += copies * changes[change, 2]
                    change += 1
                if true + false > 0:
                    curves[0, step], curves[1, step] = true / (true + false), similarity / (true + false)
                step += 1
                wanted += 1 / (RECALLS - 1)
        for c in range(2):
            total_precision, greatest = 0.0, 0.0
            for k in range(RECALLS - 1, 0, -1):
                greatest = max(greatest, curves[c, k])
                total_precision += greatest
            result[r, c] = 100 * total_precision / (RECALLS - 1)
