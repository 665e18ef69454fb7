"""Everything that is found out about one loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bev3d.lab._descend import GOOD_IOU, Trace, descend
from bev3d.lab._fields import REACH_LOG_SIZE, REACH_PLACE, gradient_fields, pull_share
from bev3d.lab._losses import LabLoss
from bev3d.lab._measure import agreement, error_map, summary
from bev3d.lab._starts import ANYWHERE, KINDS, SPACING, Starts, make_starts, make_starts_3d

__all__ = ["PAPER_RATE", "RATES", "Plan", "study"]

PAPER_RATE = 0.1
RATES = (0.003, 0.01, 0.03, PAPER_RATE, 0.3, 1.0)
TIE = 0.02


@dataclass(frozen=True)
class Plan:
    """How much is computed.

    Attributes:
        steps: of every descent.
        each, variants, spacing: see :func:`bev3d.lab._starts.make_starts`.
        every: each so-manieth start tries every step size.
        in_3d, every_in_3d: the same in three dimensions.
        points, turns: of the gradient fields.
    """

    steps: int = 200
    each: int = 400
    variants: int = 8
    spacing: float = SPACING
    every: int = 8
    in_3d: int = 600
    every_in_3d: int = 4
    points: int = 21
    turns: int = 121

    @classmethod
    def quick(cls, steps: int) -> Plan:
        """Seconds: tries everything, measures little."""
        return cls(steps=steps, each=20, variants=1, spacing=1.0, every=3, in_3d=20, every_in_3d=2, points=9, turns=25)

    def starts(self, seed: int) -> Starts:
        """Boxes seen from above."""
        return make_starts(self.each, self.variants, seed, spacing=self.spacing)

    def starts_3d(self, seed: int) -> tuple[Tensor, Tensor]:
        """Boxes in three dimensions."""
        return make_starts_3d(self.in_3d, seed)


def study(loss: LabLoss, plan: Plan, seed: int) -> dict[str, Any]:
    """Descend from all starts, with the step size that does best on a sample of them, and draw the fields.

    Returns:
        plain values: ``rate``, ``by_rate``, ``log_sizes``, ``kinds``, ``all``, ``curve``, ``map``, ``agreement``,
        ``in_3d``, ``fields``, ``pulls``.
    """
    starts = plan.starts(seed)
    sample = starts.every(plan.every)
    rate, by_rate = _try_rates(loss, sample.pred, sample.target, plan, "bev", sample.kind)
    trace, in_logs = _all_and_logs(loss, starts, sample, plan, rate)
    kinds = {kind: summary(trace, starts.target, starts.kind == i) for i, kind in enumerate(KINDS)}
    fields = gradient_fields(loss, plan.points, plan.turns)
    planes = {"place": REACH_PLACE, "size": REACH_LOG_SIZE}
    near = torch.from_numpy(starts.kind == list(KINDS).index("near"))
    return {
        "title": loss.title,
        "family": loss.family,
        "call": loss.call,
        "rate": rate,
        "by_rate": {f"{tried:g}": share for tried, share in by_rate.items()},
        "log_sizes": _share(in_logs, sample.kind),
        "reached": _share(trace, starts.kind),
        "steps": summary(trace, starts.target)["steps"],
        "never": _mean_by(starts.kind, trace.first > plan.steps),
        "kinds": kinds,
        "curve": trace.curve[list(KINDS).index(ANYWHERE)].tolist(),
        "map": error_map(trace, starts.cell, starts.columns),
        "agreement": agreement(loss, starts.pred[near], starts.target[near]),
        "in_3d": _in_3d(loss, plan, seed),
        "fields": {name: field.tolist() for name, field in fields.items()},
        "pulls": {name: pull_share(fields[name], reach) for name, reach in planes.items()},
    }


def _try_rates(
    loss: LabLoss, pred: Tensor, target: Tensor, plan: Plan, space: str, groups: NDArray[np.int64]
) -> tuple[float, dict[float, float]]:
    """The step size with the greatest share that ends above IoU 0.9, or of those within 2 % of it the fastest.

    All step sizes run side by side, as one batch.

    Returns:
        that rate, and the share of each.
    """
    count = len(RATES)
    rates = torch.tensor(RATES, dtype=pred.dtype).repeat_interleave(len(pred))
    together = (pred.repeat(count, 1), target.repeat(count, 1))
    trace = descend(loss, *together, rate=rates, steps=plan.steps, space=space)
    good, first = (values.reshape(count, -1) for values in (trace.iou > GOOD_IOU, trace.first))
    shares = {rate: _mean_by(groups, good[i]) for i, rate in enumerate(RATES)}
    close = [i for i, rate in enumerate(RATES) if shares[rate] >= max(shares.values()) - TIE]
    return RATES[min(close, key=lambda i: _mean_by(groups, first[i]))], shares


def _all_and_logs(loss: LabLoss, starts: Starts, sample: Starts, plan: Plan, rate: float) -> tuple[Trace, Trace]:
    """Descents from all starts, and from the sample by the logarithms of the sizes: one batch, two traces."""
    pred, target = torch.cat([starts.pred, sample.pred]), torch.cat([starts.target, sample.target])
    logs = torch.arange(len(pred)) >= len(starts.pred)
    groups = np.concatenate([starts.kind, sample.kind + len(KINDS)])
    both = descend(loss, pred, target, rate=rate, steps=plan.steps, log_sizes=logs, groups=groups)
    cut = len(starts.pred)
    return both.part(slice(None, cut)), both.part(slice(cut, None))


def _share(trace: Trace, groups: NDArray[np.int64]) -> float:
    return _mean_by(groups, trace.iou > GOOD_IOU)


def _mean_by(groups: NDArray[np.int64], values: NDArray[Any]) -> float:
    """Mean in which every group counts alike."""
    return float(np.mean(np.bincount(groups, values) / np.bincount(groups)))


def _in_3d(loss: LabLoss, plan: Plan, seed: int) -> dict[str, Any]:
    pred, target = plan.starts_3d(seed)
    few, wanted = pred[:: plan.every_in_3d], target[:: plan.every_in_3d]
    rate, _ = _try_rates(loss, few, wanted, plan, "3d", np.zeros(len(few), dtype=np.int64))
    trace = descend(loss, pred, target, rate=rate, steps=plan.steps, space="3d")
    return {"rate": rate, **summary(trace, target)}
