"""Predictions one to one with objects, at the least cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bev3d._errors import require
from bev3d.targets.assigners._assignment import NEGATIVE, Array, Assignment, build
from bev3d.targets.assigners._inputs import check_overlap, check_unit, mark_ignored, overlaps_of, read_inputs
from bev3d.targets.assigners._max_iou import Overlap
from bev3d.targets.assigners._predictions import check_logits

__all__ = ["assign_hungarian", "focal_class_cost"]


def assign_hungarian(
    pred_boxes: Array,
    logits: Array,
    boxes: Array,
    labels: Array,
    *,
    range_m: Sequence[float],
    class_weight: float = 0.15,
    bev_weight: float = 0.25,
    iou_weight: float = 0.25,
    alpha: float = 0.25,
    gamma: float = 2.0,
    overlap: Overlap = "3d",
    ignore_overlap: float | None = 0.5,
) -> Assignment:
    """Match predictions and objects one to one at the least total cost (DETR, Carion et al. 2020, 2005.12872).

        cost = w_class C + w_bev (|x - x*| / (x1 - x0) + |y - y*| / (y1 - y0)) - w_iou IoU

    with C of :func:`focal_class_cost` and the weights of TransFusion (Bai et al. 2022, 2203.11496); DETR3D (Wang et
    al. 2021, 2110.06922) has no IoU term. Solved by ``scipy.optimize.linear_sum_assignment``, which breaks ties in a
    fixed way. Each object gets one prediction, unless there are fewer of these than of objects.

    A prediction with a NaN or an infinity in box or logits is never matched. Others replace its cost by a number: it
    may then be matched, and its loss is NaN.

    Args:
        pred_boxes: (A, 7 or 9), decoded.
        logits: (A, C).
        boxes: (G, 7 or 9), the objects; G may be 0: all predictions are negative then.
        labels: (G,) integers, the class, or -1 for an object to ignore.
        range_m: x0, y0, z0, x1, y1, z1: distances along x and y count relative to it.
        class_weight, bev_weight, iou_weight: at least 0.
        alpha, gamma: of the focal cost.
        overlap: of the IoU cost, as :func:`assign_max_iou`.
        ignore_overlap: as :func:`assign_max_iou`, of the predicted boxes.

    Returns:
        ``quality`` is the IoU of matched pairs, 0 elsewhere.

    Raises:
        MissingPackageError: scipy is not there.
        ValueError, TypeError: as :func:`assign_max_iou`; weights below 0, a range that is empty.
    """
    optimize = require("scipy.optimize", extra="nuscenes", purpose="Hungarian assignment")
    check_overlap(overlap)
    check_unit("ignore_overlap", ignore_overlap)
    extent = _extent(range_m)
    for name, weight in (("class_weight", class_weight), ("bev_weight", bev_weight), ("iou_weight", iou_weight)):
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name}: expected a number >= 0, got {weight}")
    objects = read_inputs("pred_boxes", pred_boxes, boxes, labels)
    scores = check_logits(logits, pred_boxes, objects.labels)
    gt_index = np.full(len(pred_boxes), NEGATIVE, np.int64)
    quality = np.zeros(len(pred_boxes))
    if len(objects.boxes) and len(pred_boxes):
        label = torch.from_numpy(objects.labels).to(scores.device)
        iou = overlaps_of(objects.anchors, objects.boxes, overlap)
        apart = (objects.anchors[:, None, :2] - objects.boxes[None, :, :2]).abs() / scores.new_tensor(extent)
        cost = class_weight * focal_class_cost(scores, label, alpha=alpha, gamma=gamma)
        matrix = (cost + bev_weight * apart.sum(dim=2) - iou_weight * iou).cpu().numpy()
        sound = (objects.anchors.isfinite().all(dim=1) & scores.isfinite().all(dim=1)).cpu().numpy()
        rows = np.flatnonzero(sound & np.isfinite(matrix).all(axis=1))
        row, column = optimize.linear_sum_assignment(matrix[rows])
        gt_index[rows[row]] = objects.index[column]
        quality[rows[row]] = iou.cpu().numpy()[rows[row], column]
    mark_ignored(gt_index, objects, ignore_overlap)
    return build(pred_boxes, gt_index, objects.all_labels, quality)


def focal_class_cost(logits: Tensor, labels: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """What the focal loss of a label would gain (Deformable DETR, Zhu et al. 2021, 2010.04159).

        C = -alpha (1 - p)^gamma log p + (1 - alpha) p^gamma log(1 - p),   p = sigmoid of the label's logit

    Args:
        logits: (A, C).
        labels: (G,) int64.
        alpha: in [0, 1].
        gamma: at least 0.

    Returns:
        (A, G).

    Raises:
        ValueError: options out of range.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha: expected a number in [0, 1], got {alpha}")
    if not 0 <= gamma < math.inf:
        raise ValueError(f"gamma: expected a number >= 0, got {gamma}")
    p, minus_log_p, minus_log_rest = logits.sigmoid(), functional.softplus(-logits), functional.softplus(logits)
    cost = alpha * (1 - p) ** gamma * minus_log_p - (1 - alpha) * p**gamma * minus_log_rest
    return cost[:, labels]


def _extent(range_m: Sequence[float]) -> tuple[float, float]:
    numbers = [float(value) for value in range_m]
    if len(numbers) != 6 or not (numbers[0] < numbers[3] and numbers[1] < numbers[4]):
        raise ValueError(f"range_m: expected x0, y0, z0, x1, y1, z1 with x0 < x1 and y0 < y1, got {numbers}")
    return numbers[3] - numbers[0], numbers[4] - numbers[1]
