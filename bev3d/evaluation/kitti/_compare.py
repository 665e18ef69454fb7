"""The KITTI metric of resampled frames, without matching again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d.data.kitti import DIFFICULTIES
from bev3d.evaluation._bootstrap import Comparison, Resampling, compared
from bev3d.evaluation.kitti._curves import COUNTS, match_states
from bev3d.evaluation.kitti._frames import Frames
from bev3d.evaluation.kitti._overlaps import frame_overlaps
from bev3d.evaluation.kitti._result import remark_on_absent
from bev3d_ops.cpu._kitti_match import matched_scores
from bev3d_ops.cpu._kitti_resample import count_changes, resample_curve
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["COMPARED_METRICS", "compare_frames", "resampled_r40"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COMPARED_METRICS = ("bev", "3d")
LEAST_DRAWS = 50  # worth a thread
NOTE = "Frames were drawn one by one; some are of one drive, which no label file tells."


def compare_frames(
    contents: Sequence[Frames], min_overlap: Mapping[str, float], resampling: Resampling, *, exact_height_counts: bool
) -> Comparison:
    """Compare two sets of detections of the same frames.

    Args:
        contents: labels with the first and with the second detections.
        min_overlap: overlap that a match exceeds, by class.
        resampling: see :func:`bev3d.evaluation._bootstrap.draw_weights`.
        exact_height_counts: see :func:`bev3d.evaluation.evaluate_kitti`.
    """
    once = np.ones((1, resampling.weights.shape[1]), dtype=np.int64)
    numbers, draws = [], []
    for frames in contents:
        tables = resampled_r40(frames, min_overlap, (once, resampling.weights), exact_height_counts)
        numbers.append({name: float(values[0]) for name, values in tables[0].items()})
        draws.append(tables[1])
    intervals = compared(numbers, draws, resampling.level)
    means = {name: one for name, one in intervals.items() if name.startswith("mean ")}
    return Comparison(
        means=means,
        ap={n: one for n, one in intervals.items() if n not in means and not math.isnan(one.first)},
        unit="samples",
        num_units=resampling.weights.shape[1],
        resamples=len(resampling.weights),
        level=resampling.level,
        seed=resampling.seed,
        note=NOTE + _absent(contents, min_overlap),
    )


def _absent(contents: Sequence[Frames], classes: Iterable[str]) -> str:
    """Which of the two has no detection of a class at all."""
    remarks = []
    for which, frames in zip(("first", "second"), contents, strict=True):
        names = [name for name in classes if name not in frames.found.names]
        remarks.append(remark_on_absent(names, f" of the {which}"))
    return "".join(f" {remark}" for remark in remarks if remark)


def resampled_r40(
    frames: Frames, min_overlap: Mapping[str, float], weights: Sequence[Ints], exact_height_counts: bool
) -> list[dict[str, Floats]]:
    """R40 as shares of 1, by name such as ``"Car 3d moderate"``, and means over the classes at each difficulty.

    Equal to the metric on a set in which frames stand as often as they are drawn.

    Args:
        frames: labels and detections.
        min_overlap: overlap that a match exceeds, by class.
        weights: tables (R, F) of how often each frame counts; the result has an entry for each.
        exact_height_counts: see :func:`bev3d.evaluation.evaluate_kitti`.
    """
    results: list[dict[str, Floats]] = [{} for _ in weights]
    for metric in COMPARED_METRICS:
        overlaps = frame_overlaps(frames, metric)
        for level, difficulty in enumerate(DIFFICULTIES):
            for name, least in min_overlap.items():
                states = match_states(frames, name, level, exact_height_counts)
                events = _events(frames, overlaps, states, least)
                kernel: Any = resample_curve
                for table, result in zip(weights, results, strict=True):
                    curve = np.empty((len(table), 2))
                    run_in_ranges(partial(kernel, *events, table, curve), len(table), LEAST_DRAWS)
                    result[f"{name} {metric} {difficulty}"] = curve[:, 0] / 100
    for result in results:
        for metric in COMPARED_METRICS:
            for difficulty in DIFFICULTIES:
                classes = np.stack([result[f"{name} {metric} {difficulty}"] for name in min_overlap])
                known = ~np.isnan(classes)
                total, count = np.where(known, classes, 0.0).sum(axis=0), known.sum(axis=0)
                mean = np.divide(total, count, out=np.full(classes.shape[1], np.nan), where=count > 0)
                result[f"mean {metric} {difficulty}"] = mean
    return results


def _events(
    frames: Frames, overlaps: tuple[Floats, Ints], states: tuple[Ints, Ints], least: float
) -> tuple[Floats | Ints, ...]:
    """What :func:`resample_curve` walks over, by descending score."""
    truth_state, found_state = states
    scores = frames.found.scores
    layout = (*overlaps, frames.truth_start, frames.found_start, truth_state, found_state, scores)
    hit_score, hit_frame = matched_scores(*layout, least)
    absorbed = np.zeros(len(frames.found), dtype=bool)
    at, frame, changes = count_changes(*layout, absorbed, frames.truth.alpha, frames.found.alpha, least)
    hits, order = np.argsort(-hit_score, kind="stable"), np.argsort(-at, kind="stable")
    frame_of = np.searchsorted(frames.truth_start, np.flatnonzero(truth_state == COUNTS), side="right") - 1
    of_frame = np.bincount(frame_of, minlength=len(frames.ids)).astype(np.int64)
    return hit_score[hits], hit_frame[hits], at[order], frame[order], changes[order], of_frame
