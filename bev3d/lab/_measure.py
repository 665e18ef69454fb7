"""The same errors for every loss, and their summary."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bev3d.boxes import Box, wrap_angle
from bev3d.lab._descend import GOOD_IOU, Trace
from bev3d.lab._losses import LabLoss
from bev3d.overlap import iou_bev

__all__ = ["agreement", "box_errors", "error_map", "summary"]

Floats = NDArray[np.float64]


def box_errors(box: Tensor, target: Tensor) -> dict[str, Floats]:
    """Errors of N boxes, (N,) each.

    ``centre``: distance of the centres. ``size``: the larger of abs(ln l/l*) and abs(ln w/w*), infinite for a size
    that is not positive. ``yaw``: difference modulo pi, in [0, pi/2]. ``heading``: modulo 2 pi, in [0, pi].
    """
    sizes = (box[:, Box.BEV_SIZE].clamp(min=0) / target[:, Box.BEV_SIZE]).log().abs().amax(dim=-1)
    turn = box[:, Box.YAW] - target[:, Box.YAW]
    return {
        "centre": (box[:, Box.CENTRE] - target[:, Box.CENTRE]).norm(dim=-1).numpy(),
        "size": sizes.numpy(),
        "yaw": wrap_angle(turn, period=math.pi).abs().numpy(),
        "heading": wrap_angle(turn).abs().numpy(),
    }


def summary(trace: Trace, target: Tensor, chosen: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """Figures of the boxes ``chosen``, (N,); all where None.

    ``reached``: share that ends above IoU 0.9. ``steps``: median steps of those until they are above it for the first
    time. ``never``: share that is above it at no step. ``not_finite``: share that left the numbers.
    ``sides_swapped``, ``backwards``: among those that reach it, share whose yaw is off by more than 45° modulo 180°,
    and by more than 90° modulo 360°. ``far``: mean of 1 - IoU. Others: medians of the errors, those of size and yaw
    over the boxes whose yaw is within 45° modulo 180°, since a rectangle has two descriptions.
    """
    chosen = np.ones(len(target), dtype=bool) if chosen is None else chosen
    reached = (trace.iou > GOOD_IOU) & chosen
    errors = box_errors(trace.final, target)
    along = chosen & (errors["yaw"] <= math.pi / 4)
    return {
        "starts": int(chosen.sum()),
        "reached": _share(reached[chosen]),
        "steps": float(np.median(trace.first[reached])) if reached.any() else None,
        "never": _share(trace.first[chosen] >= trace.curve.shape[1]),
        "not_finite": _share(trace.lost[chosen]),
        "far": float(np.mean(1 - trace.iou[chosen])),
        "median_far": float(np.median(1 - trace.iou[chosen])),
        "centre": _median(errors["centre"][chosen]),
        "size": _median(errors["size"][along]),
        "yaw": _median(errors["yaw"][along]),
        "heading": _median(errors["heading"][chosen]),
        "sides_swapped": _share(errors["yaw"][reached] > math.pi / 4),
        "backwards": _share(errors["heading"][reached] > math.pi / 2),
    }


def error_map(trace: Trace, cell: NDArray[np.int64], columns: int) -> list[list[float | None]]:
    """Mean final 1 - IoU over the starts of each offset, (columns, columns), rows along y; None outside the disc."""
    on = cell[:, 0] >= 0
    index = cell[on, 1] * columns + cell[on, 0]
    count = np.bincount(index, minlength=columns**2)
    total = np.bincount(index, 1 - trace.iou[on], minlength=columns**2)
    flat = [float(t / c) if c else None for t, c in zip(total, count, strict=True)]
    return [flat[row * columns : (row + 1) * columns] for row in range(columns)]


def agreement(loss: LabLoss, pred: Tensor, target: Tensor) -> float:
    """Rank correlation (Spearman) of the loss with 1 - IoU over pairs that share something: 1 if IoU orders alike."""
    iou = iou_bev(pred, target)
    some = iou > 0
    value = loss.function(pred[some], target[some], "bev")
    return float(np.corrcoef(_ranks(value.detach()), _ranks(1 - iou[some]))[0, 1])


def _ranks(values: Tensor) -> Floats:
    return values.argsort(stable=True).argsort().double().numpy()


def _share(which: NDArray[np.bool_]) -> float | None:
    return float(which.mean()) if len(which) else None


def _median(values: Floats) -> float | None:
    middle = float(np.median(values)) if len(values) else math.inf
    return middle if math.isfinite(middle) else None
