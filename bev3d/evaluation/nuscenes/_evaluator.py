"""The nuScenes metric again and again on the same ground truth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

from bev3d._errors import DataFormatError
from bev3d.data import DETECTION_CLASSES, Detections, NuScenesDataset, NuScenesTables
from bev3d.data.nuscenes import sample_tokens, scene_names
from bev3d.evaluation._analysis import Analysis
from bev3d.evaluation._bootstrap import Comparison, Unit, draw_weights
from bev3d.evaluation._calibration import measure_calibration
from bev3d.evaluation._confusion import best_f1, confusion_matrix, worst_samples
from bev3d.evaluation._match_tokens import check_listed
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._compare import compare_boxes
from bev3d.evaluation.nuscenes._filter import keep_what_counts
from bev3d.evaluation.nuscenes._gains import analyse_errors
from bev3d.evaluation.nuscenes._judge import judge, near_pairs
from bev3d.evaluation.nuscenes._protocol import DISTANCES_M, ERROR_DISTANCE_M, OFFICIAL_SPLITS
from bev3d.evaluation.nuscenes._read import read_boxes, results_to_columns, submitted_results
from bev3d.evaluation.nuscenes._result import NuScenesResult
from bev3d.evaluation.nuscenes._score import match_boxes
from bev3d.evaluation.nuscenes._submission import detections_to_columns
from bev3d.evaluation.nuscenes._summary import score_predictions
from bev3d.evaluation.nuscenes._truth import GroundTruth, read_truth

__all__ = ["NuScenesEvaluator", "Predictions"]

Predictions = str | os.PathLike[str] | Mapping[str, Detections] | Mapping[str, Any] | BoxColumns


class NuScenesEvaluator:
    """Ground truth read once; predictions in files or in memory are scored against it, fast enough for a training loop.

    ::

        evaluate = NuScenesEvaluator(dataroot, "v1.0-mini", "mini_val", samples=tokens)
        print(evaluate(detections).present_class_mean_ap)

    Args:
        dataroot: folder with the tables' folder.
        version: name of the tables' folder, such as ``"v1.0-mini"``.
        split: a split of the devkit, one of ``<version>/splits.json``, or names of scenes.
        frame: frame of predictions that are detections: that of the data set they were made on.
        samples: tokens out of the split; only these are scored. Where samples or scenes are listed, predictions for
            other samples of the tables are left out of account; otherwise they are an error.
        range_bands_m: bands of the distance from the vehicle, each scored by itself into ``by_range``.
        tables: tables already read.

    Raises:
        DataFormatError: missing tables, an unknown split, scene or sample.
        ValueError: a band without width.
    """

    def __init__(
        self,
        dataroot: str | os.PathLike[str],
        version: str,
        split: str | Sequence[str],
        *,
        frame: Literal["lidar", "level"] = "lidar",
        samples: Sequence[str] | None = None,
        range_bands_m: Sequence[tuple[float, float]] = (),
        tables: NuScenesTables | None = None,
    ) -> None:
        _check_bands(range_bands_m)
        self.tables = NuScenesTables(dataroot, version) if tables is None else tables
        self.range_bands_m = tuple(range_bands_m)
        self.name = split if isinstance(split, str) else ", ".join(dict.fromkeys(split))
        absent = set(scene_names(self.tables, split)).difference(self.tables.names("scene"))
        self.missing_scenes = len(absent) if samples is None else 0
        tokens = sample_tokens(self.tables, split)
        self.tokens = tokens if samples is None else _subset(tokens, samples, split)
        self.truth: GroundTruth = read_truth(self.tables, self.tokens)
        self.dataset = NuScenesDataset(dataroot, version=version, split=split, frame=frame, tables=self.tables)
        self._listed = samples is not None or not isinstance(split, str)
        self._official = isinstance(split, str) and split in OFFICIAL_SPLITS

    @cached_property
    def scenes(self) -> tuple[str, ...]:
        """Scene of each sample."""
        samples = (self.tables.sample(token) for token in self.tokens)
        return tuple(self.tables.scene(sample["scene_token"])["name"] for sample in samples)

    @cached_property
    def counting_truth(self) -> BoxColumns:
        """Ground truth that counts: within the range of its class, with points, outside bicycle racks."""
        return self.counting(self.truth.boxes)

    def counting(self, boxes: BoxColumns) -> BoxColumns:
        """The boxes that the metric looks at."""
        return keep_what_counts(boxes, self.truth.racks, self.truth.ego_xy)

    def read(self, predictions: Predictions) -> BoxColumns:
        """Predictions as columns, which the other methods take too: read once, used often.

        Raises:
            DataFormatError: a submission that does not fit; the text names sample and field.
            ValueError: detections that do not fit their sample.
            TypeError: something else.
        """
        if isinstance(predictions, BoxColumns):
            return predictions
        if not isinstance(predictions, str | os.PathLike | Mapping):
            kind = type(predictions).__name__
            raise TypeError(f"predictions: expected a file, or boxes or detections by sample token, got {kind}")
        others = frozenset(self.tables.tokens("sample")) if self._listed else frozenset[str]()
        # The devkit takes the samples of its own splits in the order of the file, those of others in the tables'.
        keep_order = self._official and not self._listed
        if not isinstance(predictions, Mapping):
            return read_boxes(predictions, self.tokens, others=others, keep_file_order=keep_order)
        results = submitted_results(predictions)
        if results is not None:
            return results_to_columns("predictions", results, self.tokens, others, keep_order)
        left_out = others.difference(self.tokens)
        predictions = {token: boxes for token, boxes in predictions.items() if token not in left_out}
        return detections_to_columns(predictions, self.dataset, self.tokens)

    def evaluate(self, predictions: Predictions) -> NuScenesResult:
        """The official metric; see :func:`bev3d.evaluation.evaluate_nuscenes`."""
        result = score_predictions(self.name, self.truth, self.read(predictions), self.range_bands_m)
        return replace(result, missing_scenes=self.missing_scenes)

    __call__ = evaluate

    def analyse(
        self,
        predictions: Predictions,
        *,
        reach_m: float = 4.0,
        turn_rad: float = 0.5236,
        worst: int = 6,
        bins: int = 10,
    ) -> Analysis:
        """Kinds of errors, calibration, confusion and the worst samples; hits are those of the metric at 2 m.

        Args:
            predictions: a submission file, detections by token, or columns.
            reach_m: a centre farther than this from every object is background; at least 4, the metric's greatest
                distance.
            turn_rad: a hit's heading is wrong beyond this; 30 degrees if left out.
            worst: samples to name.
            bins: of the reliability curve.

        Raises:
            DataFormatError, ValueError: see :meth:`read`; an argument outside what is listed.
        """
        _check_analysis(reach_m, turn_rad, worst)
        truth, found = self.counting_truth, self.counting(self.read(predictions))
        matches = match_boxes(truth, found, len(self.tokens))
        pairs = near_pairs(truth, found, len(self.tokens), reach_m)
        judged = {d: judge(truth, found, self.tokens, matches, pairs, d, reach_m) for d in DISTANCES_M}
        rule = f"hit: centres nearer than {ERROR_DISTANCE_M:g} m (gains: mean over "
        rule += f"{', '.join(f'{d:g}' for d in DISTANCES_M)} m); background: no object within {reach_m:g} m; "
        rule += f"orientation: heading off by more than {turn_rad * 57.29578:.0f} degrees"
        shown = judged[ERROR_DISTANCE_M]
        thresholds = best_f1(shown)
        return Analysis(
            errors=analyse_errors(truth, found, judged, turn_rad, rule),
            calibration=measure_calibration(
                DETECTION_CLASSES, shown.found_label, shown.found_score, shown.found_truth >= 0, bins=bins
            ),
            confusion=confusion_matrix(shown, thresholds),
            worst=worst_samples(shown, thresholds, count=worst, groups=self.scenes),
            judged=shown,
        )

    def compare(
        self,
        first: Predictions,
        second: Predictions,
        *,
        resamples: int = 1000,
        level: float = 0.95,
        unit: Unit = "auto",
        seed: int = 0,
    ) -> Comparison:
        """Paired bootstrap of two sets of predictions; see :func:`bev3d.evaluation.compare_nuscenes`."""
        resampling = draw_weights(self.scenes, unit=unit, resamples=resamples, level=level, seed=seed)
        founds = [self.counting(self.read(predictions)) for predictions in (first, second)]
        return compare_boxes(self.counting_truth, founds, self.scenes, resampling)


def _check_bands(bands_m: Sequence[tuple[float, float]]) -> None:
    for band in bands_m:
        if not isinstance(band, Sequence) or len(band) != 2 or not 0 <= band[0] < band[1]:
            raise ValueError(f"range_bands_m: expected pairs of distances with 0 <= first < second, got {band}")


def _check_analysis(reach_m: float, turn_rad: float, worst: int) -> None:
    if not reach_m >= max(DISTANCES_M):
        raise ValueError(f"reach_m: expected at least {max(DISTANCES_M):g}, got {reach_m}")
    if not turn_rad >= 0:
        raise ValueError(f"turn_rad: expected a number >= 0, got {turn_rad}")
    if worst < 0:
        raise ValueError(f"worst: expected a number >= 0, got {worst}")


def _subset(tokens: tuple[str, ...], samples: Sequence[str], split: str | Sequence[str]) -> tuple[str, ...]:
    check_listed("samples", samples)
    wanted = set(samples)
    unknown = wanted.difference(tokens)
    if unknown or not wanted:
        named = f"{min(unknown)} is none" if unknown else "got none"
        raise DataFormatError(f"samples: expected tokens out of the {len(tokens)} of split {split!r}, {named}")
    return tuple(token for token in tokens if token in wanted)
