"""The score of a detector on the validation split, while it trains."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TypeAlias

import numpy as np

from bev3d.config import Config
from bev3d.data import Dataset, Detections
from bev3d.evaluation import evaluate_kitti, evaluate_nuscenes, write_submission
from bev3d.models import Detector
from bev3d.training._predict import predicted_batches

__all__ = ["Evaluate", "evaluate_on", "evaluation_indices", "score_detections"]

Evaluate: TypeAlias = Callable[[Detector, int], Mapping[str, float]]
"""Detector in evaluation mode and step, to metrics by name; the best checkpoint has the highest ``mean_ap``."""


def evaluate_on(config: Config, dataroot: str | Path, dataset: Dataset) -> Evaluate:
    """The data set's own metric on ``config.evaluate_samples`` of ``dataset``.

    Args:
        config: thresholds, suppression and number of samples.
        dataroot: folder of the data set.
        dataset: ``config.val_split``.
    """
    indices = evaluation_indices(len(dataset), config.evaluate_samples)

    def evaluate(detector: Detector, step: int) -> Mapping[str, float]:
        found = _detections(detector, dataset, indices, config)
        return score_detections(config, Path(dataroot), dataset, found)

    return evaluate


def evaluation_indices(length: int, samples: int) -> list[int]:
    """Up to ``samples`` indices spread evenly over ``length``; all of them for 0."""
    count = min(samples or length, length)
    return np.linspace(0, length - 1, count).round().astype(int).tolist() if count else []


def score_detections(
    config: Config, dataroot: Path, dataset: Dataset, detections: Mapping[str, Detections]
) -> dict[str, float]:
    """Metrics by name; only the samples of ``detections`` are scored.

    Returns:
        ``ap/class`` of the classes that occur in the samples, and their mean ``mean_ap``; nuScenes: also the official
        ``nds``; KITTI: average precision from above (BEV, moderate, 40 recall positions).
    """
    if config.dataset == "nuscenes":
        tokens = list(detections)
        scores = evaluate_nuscenes(
            dataroot, config.version, config.val_split, detections, frame=config.frame, samples=tokens
        )
        by_class = {f"ap/{name}": float(scores.per_class[name].ap) for name in scores.present_classes}
        return {"mean_ap": fmean(by_class.values()) if by_class else 0.0, "nds": scores.nds, **by_class}
    with tempfile.TemporaryDirectory() as folder:
        # the writer wants every sample of its data set
        blank = _nothing(dataset.class_names)
        everything = {token: detections.get(token) or replace(blank, token=token) for token in dataset.tokens}
        write_submission(Path(folder) / "results", everything, dataset=dataset)
        labels = dataroot / "training" / "label_2"
        result = evaluate_kitti(labels, Path(folder) / "results", frames=list(detections))
    curves = {name: result.curves[name]["bev"]["moderate"] for name in config.class_names if name in result.curves}
    found = {f"ap/{name}": curve.r40 / 100 for name, curve in curves.items() if curve.num_ground_truth}
    return {"mean_ap": fmean(found.values()) if found else 0.0, **found}


def _detections(detector: Detector, dataset: Dataset, indices: Sequence[int], config: Config) -> dict[str, Detections]:
    size = config.batch_size
    batches = [indices[first : first + size] for first in range(0, len(indices), size)]
    with closing(predicted_batches(detector, dataset, batches, config)) as answers:
        return {one.token: one for answer in answers for one in answer}


def _nothing(class_names: tuple[str, ...]) -> Detections:
    return Detections("", np.zeros((0, 9)), np.zeros(0), np.zeros(0, np.int64), class_names)
