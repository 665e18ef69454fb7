"""The KITTI metric again and again on the same labels, and what else can be said about detections."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bev3d._check import check_choice
from bev3d._errors import DataFormatError
from bev3d.data import Detections, KittiDataset
from bev3d.data.kitti import DIFFICULTIES
from bev3d.evaluation._analysis import Analysis
from bev3d.evaluation._bootstrap import Comparison, draw_weights
from bev3d.evaluation._calibration import measure_calibration
from bev3d.evaluation._confusion import best_f1, confusion_matrix, worst_samples
from bev3d.evaluation.kitti._compare import COMPARED_METRICS, compare_frames
from bev3d.evaluation.kitti._evaluate import chosen_overlaps, score_frames
from bev3d.evaluation.kitti._frames import Frames, check_listed_once, read_frames
from bev3d.evaluation.kitti._gains import analyse_errors
from bev3d.evaluation.kitti._judge import KittiCase, judge_frames
from bev3d.evaluation.kitti._memory import truth_of, with_detections
from bev3d.evaluation.kitti._result import KittiResult

__all__ = [
    "KittiEvaluator",
    "analyse_kitti",
    "analyse_kitti_frames",
    "compare_kitti",
    "compare_kitti_frames",
    "kitti_case",
]

Folder = str | os.PathLike[str]


class KittiEvaluator:
    """Labels, calibration and picture sizes read once; detections in memory are scored against them.

    ::

        evaluate = KittiEvaluator(KittiDataset(dataroot, split="val"), tokens=tokens)
        print(evaluate(detections).mean_ap)

    Args:
        dataset: the frames, and the frame that detections are in.
        tokens: frames of the data set; all if left out.
        min_overlap, exact_height_counts: see :func:`bev3d.evaluation.evaluate_kitti`.

    Raises:
        DataFormatError: a token that is no frame of the data set or stands twice, or a file that cannot be read.
        ValueError: a class in ``min_overlap`` that KITTI does not have.
    """

    def __init__(
        self,
        dataset: KittiDataset,
        *,
        tokens: Sequence[str] | None = None,
        min_overlap: Mapping[str, float] | None = None,
        exact_height_counts: bool = False,
    ) -> None:
        self.min_overlap = chosen_overlaps(min_overlap)
        self.exact_height_counts = exact_height_counts
        index_of = {token: i for i, token in enumerate(dataset.tokens)}
        wanted = dataset.tokens if tokens is None else tokens
        unknown = [token for token in wanted if token not in index_of]
        if unknown or not wanted:
            named = f"{unknown[0]} is none" if unknown else "got none"
            raise DataFormatError(f"tokens: expected frames out of the {len(index_of)} of {dataset.split}, {named}")
        check_listed_once("tokens", wanted)
        indices = [index_of[token] for token in wanted]
        self.tokens = tuple(wanted)
        self.truth = truth_of(dataset, indices)
        self._others = frozenset(dataset.tokens).difference(self.tokens)
        self._views = [(dataset.calib(i), dataset.image_size(i)) for i in indices]

    def frames(self, detections: Mapping[str, Detections]) -> Frames:
        """Labels and detections; those of other frames of the data set are left out of account.

        Raises:
            ValueError: a frame missing or unknown, mismatched arrays, numbers that are not finite.
        """
        mine = {token: found for token, found in detections.items() if token not in self._others}
        return with_detections(self.truth, mine, self._views)

    def evaluate(self, detections: Mapping[str, Detections]) -> KittiResult:
        """The official metric; see :func:`bev3d.evaluation.evaluate_kitti`."""
        return score_frames(self.frames(detections), self.min_overlap, exact_height_counts=self.exact_height_counts)

    __call__ = evaluate

    def analyse(self, detections: Mapping[str, Detections], **options: Any) -> Analysis:
        """See :func:`bev3d.evaluation.analyse_kitti`."""
        return analyse_kitti_frames(
            kitti_case(self.frames(detections), self.min_overlap, self.exact_height_counts, **_case(options)), **options
        )


def analyse_kitti(
    label_dir: Folder,
    prediction_dir: Folder,
    frames: Sequence[str] | None = None,
    *,
    min_overlap: Mapping[str, float] | None = None,
    exact_height_counts: bool = False,
    **options: Any,
) -> Analysis:
    """Kinds of errors, calibration of scores, confusion of classes and the worst frames.

    Args:
        label_dir, prediction_dir, frames, min_overlap, exact_height_counts: see :func:`evaluate_kitti`.
        options: ``difficulty`` (moderate), ``metric`` (``"3d"`` or ``"bev"``), ``background`` (overlap of 0.1, below
            which a detection has nothing to do with an object), ``turn_rad``, ``worst`` and ``bins`` as in
            :meth:`bev3d.evaluation.NuScenesEvaluator.analyse`.

    Raises:
        DataFormatError: a missing folder or file, or a malformed line.
        ValueError: an argument outside what is listed.
    """
    content = read_frames(Path(label_dir), Path(prediction_dir), frames)
    case = kitti_case(content, chosen_overlaps(min_overlap), exact_height_counts, **_case(options))
    return analyse_kitti_frames(case, **options)


def compare_kitti(
    label_dir: Folder,
    first_dir: Folder,
    second_dir: Folder,
    frames: Sequence[str] | None = None,
    *,
    min_overlap: Mapping[str, float] | None = None,
    exact_height_counts: bool = False,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Whether the second detections are better than the first, with confidence intervals by a paired bootstrap.

    R40 from above and in space; frames are drawn with replacement, as many as there are.

    Args:
        label_dir, frames, min_overlap, exact_height_counts: see :func:`evaluate_kitti`; frames are those of
            ``first_dir`` if left out.
        first_dir, second_dir: folders of result files.
        resamples, level, seed: see :func:`bev3d.evaluation.compare_nuscenes`.

    Raises:
        DataFormatError: a missing folder or file, or a malformed line.
        ValueError: an argument outside what is listed.
    """
    wanted = chosen_overlaps(min_overlap)
    first = read_frames(Path(label_dir), Path(first_dir), frames)
    second = read_frames(Path(label_dir), Path(second_dir), first.ids)
    return compare_kitti_frames(first, second, wanted, exact_height_counts, resamples=resamples, level=level, seed=seed)


def compare_kitti_frames(
    first: Frames,
    second: Frames,
    min_overlap: Mapping[str, float],
    exact_height_counts: bool,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """See :func:`compare_kitti`; the frames of both are the same."""
    resampling = draw_weights(first.ids, unit="samples", resamples=resamples, level=level, seed=seed)
    return compare_frames((first, second), min_overlap, resampling, exact_height_counts=exact_height_counts)


def kitti_case(
    content: Frames,
    min_overlap: Mapping[str, float],
    exact_height_counts: bool,
    *,
    difficulty: str = "moderate",
    metric: str = "3d",
    background: float = 0.1,
) -> KittiCase:
    """Frames with what became of their detections; arguments as in :func:`analyse_kitti`."""
    check_choice("difficulty", difficulty, DIFFICULTIES)
    check_choice("metric", metric, COMPARED_METRICS)
    if not 0 <= background <= min(min_overlap.values(), default=1.0):
        raise ValueError(f"background: expected an overlap from 0 to the least of min_overlap, got {background}")
    return judge_frames(
        content,
        min_overlap,
        difficulty=difficulty,
        metric=metric,
        background=background,
        exact_height_counts=exact_height_counts,
    )


def analyse_kitti_frames(case: KittiCase, *, turn_rad: float = 0.5236, worst: int = 6, bins: int = 10) -> Analysis:
    """See :func:`analyse_kitti`."""
    if not turn_rad >= 0:
        raise ValueError(f"turn_rad: expected a number >= 0, got {turn_rad}")
    if worst < 0:
        raise ValueError(f"worst: expected a number >= 0, got {worst}")
    judged = case.judged
    overlaps = ", ".join(f"{name} {least:g}" for name, least in case.min_overlap.items())
    rule = f"{DIFFICULTIES[case.difficulty]}; hit: overlap above {overlaps}; background: no object overlaps by more "
    rule += f"than {judged.background:g}; orientation: angle off by more than {math.degrees(turn_rad):.0f} degrees"
    thresholds = best_f1(judged)
    hits = judged.found_truth >= 0
    return Analysis(
        errors=analyse_errors(case, turn_rad, rule),
        calibration=measure_calibration(judged.class_names, judged.found_label, judged.found_score, hits, bins=bins),
        confusion=confusion_matrix(judged, thresholds),
        worst=worst_samples(judged, thresholds, count=worst),
        judged=judged,
    )


def _case(options: dict[str, Any]) -> dict[str, Any]:
    """Takes out of the options what a case is made with."""
    return {name: options.pop(name) for name in ("difficulty", "metric", "background") if name in options}
