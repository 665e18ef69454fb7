"""All cases of a GPU, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from bev3d.bench._case import Case

__all__ = ["WITHOUT_GRAPH", "CudaCases", "cuda_cases"]

CudaCases = dict[str, Callable[[str, bool], Case]]  # name of a case, and its maker: device, whether small

_MODULES = ("_overlap", "_selection", "_points", "_targets", "_losses", "_sparse", "_overhead")

# their contestants wait for the device, to learn a size
WITHOUT_GRAPH = {"nms", "nms-large", "voxels", "heatmap-128", "heatmap-512", "sparse", "sparse-network"}


def cuda_cases() -> CudaCases:
    """Cases in the order of the page."""
    cases: CudaCases = {}
    for module in _MODULES:
        cases.update(importlib.import_module(f"bev3d.bench.cuda_cases.{module}").CASES)
    return cases
