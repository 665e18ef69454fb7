"""How many of 52,000 pairs, on which kernels go wrong, everybody gets wrong."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bev3d
from bev3d.bench._packages import OVERLAP_PACKAGES, installed
from bev3d.bench.usual._overlap import aligned_usual
from bev3d.bench.usual._torch_overlap import eager_iou_bev
from bev3d.overlap import iou_bev

__all__ = ["Accuracy", "accuracy"]

LARGEST_ERROR = 1e-3
_TESTS = Path(bev3d.__file__).resolve().parents[1] / "tests"

Overlap = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Accuracy:
    """One contestant over all sets.

    Attributes:
        pairs: how many.
        wrong: off by more than 1e-3, NaN, infinite, or without an answer.
        silent: of these, answers that are no numbers.
        outside: below -1e-3 or above 1 + 1e-3.
        greatest_error: among numbers.
        worst_set: where most are wrong; empty where none is.
    """

    contestant: str
    dtype: str
    ours: bool
    pairs: int
    wrong: int
    silent: int
    outside: int
    greatest_error: float
    worst_set: str


def accuracy(small: bool = False) -> list[Accuracy] | None:
    """Every contestant against polygon clipping in float64; None outside a checkout, which has the sets of pairs."""
    with _oracles() as adversarial:
        if adversarial is None:
            return None
        names = list(adversarial.SETS)[:3] if small else list(adversarial.SETS)
        rows = []
        for name, (dtype, is_ours, overlap) in _contestants().items():
            sets = {key: (*adversarial.pairs(key, dtype), adversarial.truth(key, dtype, "iou_bev")) for key in names}
            rows.append(_judge(name, dtype, is_ours, overlap, sets))
        return rows


@contextmanager
def _oracles() -> Iterator[Any]:
    """The tests' module of adversarial sets."""
    if not (_TESTS / "oracles" / "adversarial.py").is_file():
        yield None
        return
    sys.path.insert(0, str(_TESTS))
    try:
        yield importlib.import_module("oracles.adversarial")
    finally:
        sys.path.remove(str(_TESTS))


def _contestants() -> dict[str, tuple[str, bool, Overlap]]:
    double, single = "float64", "float32"
    result: dict[str, tuple[str, bool, Overlap]] = {
        "bev3d, float64": (double, True, _tensors(iou_bev)),
        "bev3d, float32": (single, True, _tensors(iou_bev)),
        "usual kernel, margin 1 cm, float32": (single, False, lambda a, b: aligned_usual(a, b, 1e-2)),
        "usual kernel, margin 1 cm, float64": (double, False, lambda a, b: aligned_usual(a, b, 1e-2)),
        "usual kernel, margin 10 µm, float32": (single, False, lambda a, b: aligned_usual(a, b, 1e-5)),
        "usual kernel, margin 10 µm, float64": (double, False, lambda a, b: aligned_usual(a, b, 1e-5)),
        "usual kernel in eager torch, float64": (double, False, _tensors(eager_iou_bev)),
    }
    for module, (name, overlap) in OVERLAP_PACKAGES.items():
        if installed(module):
            result[name] = (double, False, overlap)
    return result


def _tensors(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Overlap:
    return lambda a, b: function(torch.from_numpy(a), torch.from_numpy(b)).numpy()


def _judge(name: str, dtype: str, is_ours: bool, overlap: Overlap, sets: dict[str, Any]) -> Accuracy:
    counts, silent, outside, greatest = {}, 0, 0, 0.0
    for key, (a, b, truth) in sets.items():
        value = overlap(a, b).astype(np.float64)
        number = np.isfinite(value)
        error = np.where(number, np.abs(value - truth), np.inf)
        counts[key] = int((error > LARGEST_ERROR).sum())
        silent += int((~number).sum())
        outside += int((number & ((value < -LARGEST_ERROR) | (value > 1 + LARGEST_ERROR))).sum())
        greatest = max(greatest, float(error[number].max(initial=0.0)))
    worst = max(counts, key=lambda key: counts[key])
    pairs = sum(len(truth) for _, _, truth in sets.values())
    wrong = sum(counts.values())
    return Accuracy(name, dtype, is_ours, pairs, wrong, silent, outside, greatest, worst if counts[worst] else "")
