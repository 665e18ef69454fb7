"""Scores of detections by the metric of their data set, in one form for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bev3d.config import Config
from bev3d.data import Dataset, Detections
from bev3d.evaluation import evaluate_kitti, evaluate_nuscenes, write_submission

__all__ = ["Score", "score_predictions"]

ERRORS = {"trans_err": "ATE, m", "scale_err": "ASE", "orient_err": "AOE, rad", "vel_err": "AVE, m/s", "attr_err": "AAE"}


@dataclass(frozen=True)
class Score:
    """What a metric says, as a page shows it.

    Attributes:
        metric: name of the metric.
        facts: the numbers that count most: (what, value).
        headers, rows: the table by class.
        ap: average precision by class in [0, 1].
        result: the metric's own result object, with ``table()`` and ``to_json()``.
    """

    metric: str
    facts: tuple[tuple[str, str], ...]
    headers: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    ap: Mapping[str, float]
    result: Any


def score_predictions(
    detections: Mapping[str, Detections], *, config: Config, dataset: Dataset, dataroot: Path, out: Path
) -> Score:
    """Write the submission into ``out`` and score it by the data set's own metric, into ``out/metrics.json``."""
    if config.dataset == "nuscenes":
        write_submission(out / "results.json", detections, dataset=dataset)
        score = _nuscenes(dataroot, config, out / "results.json")
    else:
        write_submission(out / "results", detections, dataset=dataset)
        score = _kitti(dataroot / "training" / "label_2", out / "results", list(dataset.tokens), config)
    score.result.to_json(out / "metrics.json")
    return score


def _nuscenes(dataroot: Path, config: Config, predictions: Path) -> Score:
    result = evaluate_nuscenes(dataroot, config.version, config.val_split, predictions)
    distances = list(next(iter(result.per_class.values())).ap_by_distance)
    rows: list[tuple[object, ...]] = [
        (
            name.replace("_", " "),
            one.ap,
            *(one.ap_by_distance[distance] for distance in distances),
            *(one.tp_errors[error] for error in ERRORS),
            one.num_ground_truth,
        )
        for name, one in result.per_class.items()
    ]
    blank = [None] * len(distances)
    truth = sum(one.num_ground_truth for one in result.per_class.values())
    rows.append(("mean", result.mean_ap, *blank, *(result.tp_errors[error] for error in ERRORS), truth))
    headers = ("class", "AP", *(f"AP {distance:g} m" for distance in distances), *ERRORS.values(), "boxes")
    facts = (("mAP", f"{result.mean_ap:.3f}"), ("NDS", f"{result.nds:.3f}"))
    ap = {name: one.ap for name, one in result.per_class.items()}
    return Score("nuScenes detection score", facts, headers, tuple(rows), ap, result)


def _kitti(labels: Path, predictions: Path, frames: list[str], config: Config) -> Score:
    result = evaluate_kitti(labels, predictions, frames=frames)
    classes = [name for name in config.class_names if name in result.curves]
    levels = ("easy", "moderate", "hard")
    rows = []
    for name in classes:
        for metric in ("bev", "3d"):
            scores = [result.r40(name, metric, level) for level in levels]
            rows.append((name, metric, *scores, result.curves[name][metric]["moderate"].num_ground_truth))
    headers = ("class", "metric", *(f"R40 {level}, %" for level in levels), "objects")
    facts = tuple((f"{name} BEV, moderate", f"{result.r40(name, 'bev', 'moderate'):.1f} %") for name in classes)
    ap = {name: result.r40(name, "bev", "moderate") / 100 for name in classes}
    return Score("KITTI average precision over 40 recall positions", facts, headers, tuple(rows), ap, result)
