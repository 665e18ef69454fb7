"""The KITTI object metric on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bev3d._check import check_choice
from bev3d.data.kitti import DIFFICULTIES, KITTI_CLASSES
from bev3d.evaluation.kitti._curves import Curves, precision_curves
from bev3d.evaluation.kitti._frames import Frames, read_frames
from bev3d.evaluation.kitti._overlaps import METRICS, frame_overlaps, share_inside_regions
from bev3d.evaluation.kitti._result import KittiCurve, KittiResult

__all__ = ["MIN_OVERLAP", "chosen_overlaps", "evaluate_kitti", "score_frames"]

MIN_OVERLAP = {"Car": 0.7, "Pedestrian": 0.5, "Cyclist": 0.5}
NO_ALPHA = -10.0


def evaluate_kitti(
    label_dir: str | os.PathLike[str],
    prediction_dir: str | os.PathLike[str],
    frames: Sequence[str] | None = None,
    *,
    min_overlap: Mapping[str, float] | None = None,
    exact_height_counts: bool = False,
) -> KittiResult:
    """Average precision in the picture, from above and in space, and orientation similarity.

    The protocol of the benchmark's own tool: R11 and R40; easy, moderate, hard; matches overlap by more than 0.7 (Car)
    or 0.5 (Pedestrian, Cyclist). Geiger, Lenz, Urtasun, "Are we ready for Autonomous Driving?", CVPR 2012; R40:
    Simonelli et al., "Disentangling Monocular 3D Object Detection", 2019, arXiv:1905.12365.

    Args:
        label_dir: folder with ``ID.txt`` of 15 columns.
        prediction_dir: folder with ``ID.txt`` of 16 columns; an empty file where nothing was found.
        frames: ids; those of ``prediction_dir`` if left out.
        min_overlap: classes and the overlap that a match exceeds, in place of the official ones.
        exact_height_counts: whether an object of exactly the minimum height counts; not so in the official tool.

    Raises:
        DataFormatError: a missing folder or file, a frame listed twice, or a malformed line; the text names file and
            line.
        ValueError: a class in ``min_overlap`` that KITTI does not have.
    """
    wanted = chosen_overlaps(min_overlap)
    content = read_frames(Path(label_dir), Path(prediction_dir), frames)
    return score_frames(content, wanted, exact_height_counts=exact_height_counts)


def chosen_overlaps(min_overlap: Mapping[str, float] | None) -> dict[str, float]:
    """The official overlaps where none are given.

    Raises:
        ValueError: no class, one that KITTI does not have, or an overlap outside [0, 1).
    """
    wanted = dict(MIN_OVERLAP if min_overlap is None else min_overlap)
    if not wanted:
        raise ValueError("min_overlap: expected at least one class, got none")
    for name, overlap in wanted.items():
        check_choice("min_overlap", name, KITTI_CLASSES)
        if not 0 <= overlap < 1:
            raise ValueError(f"min_overlap: expected numbers in [0, 1), got {overlap} for {name}")
    return wanted


def score_frames(content: Frames, wanted: Mapping[str, float], *, exact_height_counts: bool) -> KittiResult:
    """The metric of frames in memory; arguments as in :func:`evaluate_kitti`."""
    angles = bool((content.found.alpha != NO_ALPHA).all())
    curves: dict[str, dict[str, dict[str, KittiCurve]]] = {name: {} for name in wanted}
    inside = share_inside_regions(content)
    for metric in METRICS:
        overlaps = frame_overlaps(content, metric)
        for name, least in wanted.items():
            absorbed = _absorbed(inside, metric, least)
            levels = [
                precision_curves(content, overlaps, absorbed, name, level, least, exact_height_counts)
                for level in range(len(DIFFICULTIES))
            ]
            curves[name][metric] = _named(levels, similarity=False)
            if metric == "image" and angles:
                curves[name]["aos"] = _named(levels, similarity=True)
    counts = {name: content.found.names.count(name) for name in wanted}
    return KittiResult(curves=curves, min_overlap=dict(wanted), num_frames=len(content.ids), num_predictions=counts)


def _absorbed(inside: NDArray[np.float64], metric: str, least: float) -> NDArray[np.bool_]:
    """Detections that an unlabelled region of the picture excuses; there are no such regions in space."""
    return inside > least if metric == "image" else np.zeros(len(inside), dtype=bool)


def _named(levels: list[Curves], *, similarity: bool) -> dict[str, KittiCurve]:
    return {
        name: KittiCurve(tuple((one.similarity if similarity else one.precision).tolist()), one.num_ground_truth)
        for name, one in zip(DIFFICULTIES, levels, strict=True)
    }
