"""The score of a detector on the validation split, while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import numpy as np

from bev3d.config import Config
from bev3d.data import Detections, KittiDataset, NuScenesDataset
from bev3d.evaluation import KittiResult, NuScenesResult, make_evaluator
from bev3d.models import Detector
from bev3d.training._predict import predicted_batches

__all__ = ["Evaluate", "evaluate_on", "evaluation_indices", "metrics_of"]

Evaluate: TypeAlias = Callable[[Detector, int], Mapping[str, float]]
"""Detector in evaluation mode and step, to metrics by name; the best checkpoint has the highest ``mean_ap``."""


def evaluate_on(config: Config, dataroot: str | Path, dataset: NuScenesDataset | KittiDataset) -> Evaluate:
    """The data set's own metric on ``config.evaluate_samples`` of ``dataset``.

    Args:
        config: thresholds, suppression and number of samples.
        dataroot: folder of the data set.
        dataset: ``config.val_split``.
    """
    indices = evaluation_indices(len(dataset), config.evaluate_samples)
    judge = make_evaluator(config, dataroot, dataset, [dataset.tokens[i] for i in indices])  # reads the labels once

    def evaluate(detector: Detector, step: int) -> Mapping[str, float]:
        return metrics_of(judge(_detections(detector, dataset, indices, config)))

    return evaluate


def evaluation_indices(length: int, samples: int) -> list[int]:
    """Up to ``samples`` indices spread evenly over ``length``; all of them for 0."""
    count = min(samples or length, length)
    return np.linspace(0, length - 1, count).round().astype(int).tolist() if count else []


def metrics_of(result: NuScenesResult | KittiResult) -> dict[str, float]:
    """Metrics by name: ``mean_ap`` of the result, and ``ap/class`` of the classes that occur in the samples.

    nuScenes: both official, and ``nds``; KITTI: in space, moderate, 40 recall positions, as a share of 1.
    """
    if isinstance(result, NuScenesResult):
        found = {f"ap/{name}": float(result.per_class[name].ap) for name in result.present_classes}
        return {"mean_ap": result.mean_ap, "nds": result.nds, **found}
    curves = {name: metrics["3d"]["moderate"] for name, metrics in result.curves.items()}
    found = {f"ap/{name}": curve.r40 / 100 for name, curve in curves.items() if curve.num_ground_truth}
    return {"mean_ap": result.mean_ap, **found}


def _detections(
    detector: Detector, dataset: NuScenesDataset | KittiDataset, indices: Sequence[int], config: Config
) -> dict[str, Detections]:
    size = config.batch_size
    batches = [indices[first : first + size] for first in range(0, len(indices), size)]
    with closing(predicted_batches(detector, dataset, batches, config)) as answers:
        return {one.token: one for answer in answers for one in answer}
