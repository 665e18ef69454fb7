"""The official nuScenes metric, computed by the unmodified devkit."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from bev3d._errors import DataFormatError, require
from bev3d.data import DETECTION_CLASSES, Detections, NuScenesDataset, NuScenesTables
from bev3d.data.nuscenes import sample_tokens
from bev3d.evaluation.nuscenes._check import check_results, load_results
from bev3d.evaluation.nuscenes._result import TP_ERRORS, ClassResult, NuScenesResult
from bev3d.evaluation.nuscenes._submission import detections_to_results

__all__ = ["evaluate_nuscenes"]

PURPOSE = "the nuScenes metric"


def evaluate_nuscenes(
    dataroot: str | os.PathLike[str],
    version: str,
    split: str,
    predictions: str | os.PathLike[str] | Mapping[str, Detections],
    *,
    frame: Literal["lidar", "level"] = "lidar",
) -> NuScenesResult:
    """Score a submission with ``detection_cvpr_2019`` of nuscenes-devkit.

    The devkit's own functions load, filter, match and average; only its printing is silenced, and the case without
    any prediction, in which its filter gives up, is let through.

    Args:
        dataroot: folder with the tables' folder.
        version: name of the tables' folder, such as ``"v1.0-mini"``.
        split: a split of the devkit, or one of ``<version>/splits.json``.
        predictions: a submission file, or detections by sample token.
        frame: frame of ``predictions`` where they are detections: that of the data set they were made on.

    Raises:
        DataFormatError: missing tables, an unknown split, a submission that does not fit; the text names the sample.
        MissingPackageError: nuscenes-devkit is not installed.
    """
    require("nuscenes", extra="nuscenes", purpose=PURPOSE)
    tables = NuScenesTables(dataroot, version)
    tokens = sample_tokens(tables, split)
    if isinstance(predictions, Mapping):
        dataset = NuScenesDataset(dataroot, version=version, split=split, frame=frame, tables=tables)
        results = detections_to_results(predictions, dataset)
    else:
        results = load_results(Path(predictions))
        check_results(str(predictions), results, tokens)
    with _silence():
        return _score(_load_devkit(dataroot, version), split, results)


def _score(nusc: Any, split: str, results: dict[str, list[dict[str, Any]]]) -> NuScenesResult:
    evaluate = require("nuscenes.eval.detection.evaluate", extra="nuscenes", purpose=PURPOSE)
    config = require("nuscenes.eval.common.config", extra="nuscenes", purpose=PURPOSE)
    # The constructor of DetectionEval wants a file and folders for plots, and refuses an empty submission; its steps
    # are taken here one by one instead, in its order.
    run = evaluate.DetectionEval.__new__(evaluate.DetectionEval)
    run.cfg, run.verbose, run.nusc = config.config_factory("detection_cvpr_2019"), False, nusc
    run.gt_boxes = _filtered(evaluate, nusc, _ground_truth(evaluate, nusc, split), run.cfg)
    predicted = evaluate.EvalBoxes.deserialize(results, evaluate.DetectionBox)
    run.pred_boxes = _filtered(evaluate, nusc, predicted, run.cfg)
    metrics, _ = run.evaluate()
    return _result(split, run, metrics)


def _ground_truth(evaluate: Any, nusc: Any, split: str) -> Any:
    try:
        if evaluate.is_predefined_split(split_name=split):
            return evaluate.load_gt(nusc, split, evaluate.DetectionBox)
        tokens = evaluate.get_samples_of_custom_split(split_name=split, nusc=nusc)
        return evaluate.load_gt_of_sample_tokens(nusc, tokens, evaluate.DetectionBox)
    except (AssertionError, ValueError) as error:
        raise DataFormatError(f"split {split!r} of {nusc.table_root}: refused by the devkit: {error}") from error


def _filtered(evaluate: Any, nusc: Any, boxes: Any, config: Any) -> Any:
    boxes = evaluate.add_center_dist(nusc, boxes)
    if not boxes.all:
        return boxes
    return evaluate.filter_eval_boxes(nusc, boxes, config.class_range)


def _result(split: str, run: Any, metrics: Any) -> NuScenesResult:
    truth = Counter(box.detection_name for box in run.gt_boxes.all)
    found = Counter(box.detection_name for box in run.pred_boxes.all)
    per_class = {}
    for name in DETECTION_CLASSES:
        per_class[name] = ClassResult(
            ap=float(metrics.mean_dist_aps[name]),
            ap_by_distance={float(d): float(metrics.get_label_ap(name, d)) for d in run.cfg.dist_ths},
            tp_errors={error: float(metrics.get_label_tp(name, error)) for error in TP_ERRORS},
            num_ground_truth=truth[name],
            num_predictions=found[name],
        )
    return NuScenesResult(
        split=split,
        mean_ap=metrics.mean_ap,
        nds=float(metrics.nd_score),
        tp_errors={name: float(error) for name, error in metrics.tp_errors.items()},
        per_class=per_class,
        num_samples=len(run.gt_boxes.sample_tokens),
    )


def _load_devkit(dataroot: str | os.PathLike[str], version: str) -> Any:
    nuscenes = require("nuscenes", extra="nuscenes", purpose=PURPOSE)
    try:
        return nuscenes.NuScenes(version=version, dataroot=str(dataroot), verbose=False)
    except (AssertionError, KeyError, OSError, IndexError) as error:
        place = Path(dataroot) / version
        raise DataFormatError(f"{place}: the devkit cannot load it: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No prints, progress bars or warnings of a third party."""
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
