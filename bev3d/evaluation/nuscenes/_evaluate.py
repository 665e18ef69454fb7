"""The official nuScenes metric, and what else can be said about a submission, in one call each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from bev3d.data import Detections, NuScenesTables
from bev3d.evaluation._analysis import Analysis
from bev3d.evaluation._bootstrap import Comparison, Unit
from bev3d.evaluation.nuscenes._evaluator import NuScenesEvaluator
from bev3d.evaluation.nuscenes._result import NuScenesResult

__all__ = ["analyse_nuscenes", "compare_nuscenes", "evaluate_nuscenes"]

Submission = str | os.PathLike[str] | Mapping[str, Detections]


def evaluate_nuscenes(
    dataroot: str | os.PathLike[str],
    version: str,
    split: str | Sequence[str],
    predictions: Submission,
    *,
    frame: Literal["lidar", "level"] = "lidar",
    samples: Sequence[str] | None = None,
    range_bands_m: Sequence[tuple[float, float]] = (),
    tables: NuScenesTables | None = None,
) -> NuScenesResult:
    """Score a submission with ``detection_cvpr_2019``, to the last bit as nuscenes-devkit 1.2.0 does on this machine.

    No devkit is needed. What it cannot do: a submission without any box scores 0, and any scenes or samples will do.
    To score often on the same ground truth, keep a :class:`NuScenesEvaluator`.

    Args:
        dataroot: folder with the tables' folder.
        version: name of the tables' folder, such as ``"v1.0-mini"``.
        split: a split of the devkit, one of ``<version>/splits.json``, or names of scenes.
        predictions: a submission file, or detections by sample token.
        frame: frame of ``predictions`` where they are detections: that of the data set they were made on.
        samples: tokens out of the split; only these are scored. Where samples or scenes are listed, predictions for
            other samples of the tables are left out of account; otherwise they are an error.
        range_bands_m: bands of the distance from the vehicle, such as ``(0, 20), (20, 40)``; each is scored by itself,
            with the ground truth and the predictions whose centres lie in it, into ``by_range`` of the result.
        tables: tables already read, to evaluate often.

    Raises:
        DataFormatError: missing tables, an unknown split or sample, a submission that does not fit; the text names
            sample and field.
        ValueError: detections that do not fit their sample; a band without width.
    """
    evaluator = NuScenesEvaluator(
        dataroot, version, split, frame=frame, samples=samples, range_bands_m=range_bands_m, tables=tables
    )
    return evaluator.evaluate(predictions)


def analyse_nuscenes(
    dataroot: str | os.PathLike[str],
    version: str,
    split: str | Sequence[str],
    predictions: Submission,
    *,
    frame: Literal["lidar", "level"] = "lidar",
    samples: Sequence[str] | None = None,
    **options: Any,
) -> Analysis:
    """Kinds of errors, calibration of scores, confusion of classes and the worst samples of a submission.

    Args:
        dataroot, version, split, predictions, frame, samples: see :func:`evaluate_nuscenes`.
        options: see :meth:`NuScenesEvaluator.analyse`.

    Raises:
        DataFormatError, ValueError: see :func:`evaluate_nuscenes`.
    """
    evaluator = NuScenesEvaluator(dataroot, version, split, frame=frame, samples=samples)
    return evaluator.analyse(predictions, **options)


def compare_nuscenes(
    dataroot: str | os.PathLike[str],
    version: str,
    split: str | Sequence[str],
    first: Submission,
    second: Submission,
    *,
    frame: Literal["lidar", "level"] = "lidar",
    samples: Sequence[str] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    unit: Unit = "auto",
    seed: int = 0,
) -> Comparison:
    """Whether the second submission is better than the first, with confidence intervals by a paired bootstrap.

    Scenes or samples are drawn with replacement, as many as there are, and both submissions are scored on each draw.
    Matching is within samples and done once; a draw only counts its results several times or not at all.

    Args:
        dataroot, version, split, frame, samples: see :func:`evaluate_nuscenes`.
        first, second: submission files, or detections by sample token.
        resamples: number of draws.
        level: of the intervals.
        unit: ``"scenes"``, ``"samples"``, or ``"auto"``: scenes where there are ten or more, else samples, of which
            neighbours resemble each other, so that the intervals come out too narrow.
        seed: of the draws.

    Raises:
        DataFormatError, ValueError: see :func:`evaluate_nuscenes`; an argument outside what is listed.
    """
    evaluator = NuScenesEvaluator(dataroot, version, split, frame=frame, samples=samples)
    return evaluator.compare(first, second, resamples=resamples, level=level, unit=unit, seed=seed)
