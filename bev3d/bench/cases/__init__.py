"""All cases of the CPU, by name."""

from __future__ import annotations

import importlib

from bev3d.bench._case import Cases

__all__ = ["all_cases"]

_MODULES = (
    "_machine",
    "_overlap",
    "_gradients",
    "_nms",
    "_points",
    "_scatter",
    "_targets",
    "_paste",
    "_losses",
    "_sparse",
    "_data",
    "_nuscenes_metric",
    "_nuscenes_tables",
)


def all_cases() -> Cases:
    """Cases in the order of the page."""
    cases: Cases = {}
    for module in _MODULES:
        cases.update(importlib.import_module(f"bev3d.bench.cases.{module}").CASES)
    return cases
