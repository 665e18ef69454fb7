"""The official nuScenes metric."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from bev3d._errors import DataFormatError
from bev3d.data import Detections, NuScenesDataset, NuScenesTables
from bev3d.data.nuscenes import sample_tokens
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._filter import keep_what_counts
from bev3d.evaluation.nuscenes._protocol import OFFICIAL_SPLITS
from bev3d.evaluation.nuscenes._read import read_boxes, results_to_columns, submitted_results
from bev3d.evaluation.nuscenes._result import NuScenesResult
from bev3d.evaluation.nuscenes._submission import detections_to_columns
from bev3d.evaluation.nuscenes._summary import evaluate_boxes
from bev3d.evaluation.nuscenes._truth import GroundTruth, read_truth

__all__ = ["evaluate_nuscenes", "score_predictions"]


def evaluate_nuscenes(
    dataroot: str | os.PathLike[str],
    version: str,
    split: str | Sequence[str],
    predictions: str | os.PathLike[str] | Mapping[str, Detections] | Mapping[str, Any],
    *,
    frame: Literal["lidar", "level"] = "lidar",
    samples: Sequence[str] | None = None,
    range_bands_m: Sequence[tuple[float, float]] = (),
    tables: NuScenesTables | None = None,
) -> NuScenesResult:
    """Score a submission with ``detection_cvpr_2019``, to the last bit as nuscenes-devkit 1.2.0 does on this machine.

    No devkit is needed. What it cannot do: a submission without any box scores 0, and any scenes or samples will do.

    Args:
        dataroot: folder with the tables' folder.
        version: name of the tables' folder, such as ``"v1.0-mini"``.
        split: a split of the devkit, one of ``<version>/splits.json``, or names of scenes.
        predictions: a submission file, what one holds as dictionaries (``{"meta": .., "results": ..}``, or ``results``
            alone: boxes by sample token), or detections by sample token.
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
    _check_bands(range_bands_m)
    tables = NuScenesTables(dataroot, version) if tables is None else tables
    tokens = sample_tokens(tables, split)
    if samples is not None:
        tokens = _subset(tokens, samples, split)
    listed = samples is not None or not isinstance(split, str)
    others = frozenset(tables.tokens("sample")) if listed else frozenset[str]()
    # The devkit takes the samples of its own splits in the order of the file, those of others in the tables'.
    in_file_order = isinstance(split, str) and split in OFFICIAL_SPLITS and not listed
    if not isinstance(predictions, Mapping):
        found = read_boxes(predictions, tokens, others=others, keep_file_order=in_file_order)
    elif (results := submitted_results(predictions)) is not None:
        found = results_to_columns("predictions", results, tokens, others, in_file_order)
    else:
        dataset = NuScenesDataset(dataroot, version=version, split=split, frame=frame, tables=tables)
        left_out = others.difference(tokens)
        predictions = {token: boxes for token, boxes in predictions.items() if token not in left_out}
        found = detections_to_columns(predictions, dataset, tokens)
    name = split if isinstance(split, str) else ", ".join(split)
    return score_predictions(name, read_truth(tables, tokens), found, range_bands_m)


def score_predictions(
    name: str, truth: GroundTruth, found: BoxColumns, range_bands_m: Sequence[tuple[float, float]] = ()
) -> NuScenesResult:
    """The metric of predictions in columns, which may be scored against the same ground truth again and again.

    Args:
        name: of the split in the result.
        truth: of the samples.
        found: predictions; ``sample`` indexes those of ``truth``.
        range_bands_m: see :func:`evaluate_nuscenes`.
    """

    def score(band_m: tuple[float, float] | None) -> NuScenesResult:
        there, seen = (keep_what_counts(b, truth.racks, truth.ego_xy, band_m) for b in (truth.boxes, found))
        return evaluate_boxes(name, there, seen, len(truth.tokens))

    return replace(score(None), by_range={(float(band[0]), float(band[1])): score(band) for band in range_bands_m})


def _check_bands(bands_m: Sequence[tuple[float, float]]) -> None:
    for band in bands_m:
        if len(band) != 2 or not 0 <= band[0] < band[1]:
            raise ValueError(f"range_bands_m: expected pairs of distances with 0 <= first < second, got {band}")


def _subset(tokens: tuple[str, ...], samples: Sequence[str], split: str | Sequence[str]) -> tuple[str, ...]:
    wanted = set(samples)
    unknown = wanted.difference(tokens)
    if unknown or not wanted:
        named = f"{min(unknown)} is none" if unknown else "got none"
        raise DataFormatError(f"samples: expected tokens out of the {len(tokens)} of split {split!r}, {named}")
    return tuple(token for token in tokens if token in wanted)
