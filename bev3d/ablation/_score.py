"""One run's score as plain numbers by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["ERRORS", "HEADLINES", "numbers"]

ERRORS = {"trans_err": "mATE", "scale_err": "mASE", "orient_err": "mAOE", "vel_err": "mAVE"}
HEADLINES = {"nuscenes": ("mAP", "NDS", *ERRORS.values()), "kitti": ()}
"""Columns that stand before those of the classes."""


def numbers(dataset: str, result: Any) -> dict[str, float]:
    """What a metric's result says: mAP, NDS, mean errors and AP by class; KITTI: BEV and 3D AP by class in percent.

    Args:
        dataset: ``"nuscenes"`` or ``"kitti"``.
        result: of :func:`bev3d.evaluation.evaluate_nuscenes` or ``evaluate_kitti`` (moderate, 40 recall positions).
    """
    if dataset == "nuscenes":
        found = {"mAP": result.mean_ap, "NDS": result.nds}
        found |= {short: result.tp_errors[name] for name, short in ERRORS.items()}
        return found | {name: one.ap for name, one in result.per_class.items()}
    return _known(
        {
            f"{name} {metric.upper() if metric == 'bev' else metric}": result.r40(name, metric, "moderate")
            for name in result.curves
            for metric in ("bev", "3d")
        }
    )


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not math.isnan(value)}
