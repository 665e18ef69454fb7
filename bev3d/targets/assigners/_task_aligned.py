"""Predictions that are good at both tasks: TOOD in three dimensions."""

from __future__ import annotations

import math

import numpy as np
import torch

from bev3d.targets.assigners._assignment import NEGATIVE, Array, Assignment, build
from bev3d.targets.assigners._inputs import check_count, check_overlap, check_unit, mark_ignored, read_inputs
from bev3d.targets.assigners._max_iou import Overlap
from bev3d.targets.assigners._pairs import Pairs, best_of_each, best_per_object, near_pairs, pair_overlap
from bev3d.targets.assigners._predictions import check_centres, check_logits

__all__ = ["assign_task_aligned"]


def assign_task_aligned(
    centres: Array,
    pred_boxes: Array,
    logits: Array,
    boxes: Array,
    labels: Array,
    *,
    top_k: int = 13,
    alpha: float = 1.0,
    beta: float = 6.0,
    radius_m: float = 0.0,
    overlap: Overlap = "3d",
    ignore_overlap: float | None = 0.5,
) -> Assignment:
    """Task-aligned assignment (TOOD, Feng et al., ICCV 2021, 2108.07755), with boxes of three dimensions.

        t = s^alpha u^beta,   s the score of the object's class, u the IoU of the predicted box with it

    Candidates of an object are the anchor points inside its footprint; positive are the ``top_k`` of greatest t > 0
    (equal: the lower point). A point that several objects want goes to the one of greatest IoU (equal: the lower
    object). The quality, target of the classification, is t scaled so that the best point of an object has its
    greatest IoU: t max(u) / max(t) over its points.

    While boxes are still poor no u exceeds 0 and an object has no point: the authors begin with ATSS for four epochs.

    Args:
        centres: (A, 2 or more), x and y of the points.
        pred_boxes: (A, 7 or 9), decoded. One with a NaN has IoU 0.
        logits: (A, C).
        boxes: (G, 7 or 9), the objects; G may be 0.
        labels: (G,) integers, the class, or -1 for an object to ignore.
        top_k: most points an object.
        alpha, beta: powers, at least 0.
        radius_m: points so near to the centre of an object are its candidates, too: cells are often larger than a
            pedestrian. The paper has none.
        overlap: as :func:`assign_max_iou`.
        ignore_overlap: as :func:`assign_max_iou`, of the predicted boxes.

    Returns:
        ``quality`` as above, 0 where there is no object.

    Raises:
        ValueError, TypeError: as :func:`assign_max_iou`; powers or a radius below 0, ``top_k`` below 1.
    """
    check_count("top_k", top_k)
    check_overlap(overlap)
    check_unit("ignore_overlap", ignore_overlap)
    for name, power in (("alpha", alpha), ("beta", beta)):
        if not 0 <= power < math.inf:
            raise ValueError(f"{name}: expected a number >= 0, got {power}")
    objects = read_inputs("pred_boxes", pred_boxes, boxes, labels)
    scores = check_logits(logits, pred_boxes, objects.labels)
    points = check_centres(centres, pred_boxes, radius_m)
    anchor, gt, _ = near_pairs(points, objects.boxes, radius_m)
    iou = pair_overlap(objects, anchor, gt, overlap)
    score = scores[anchor, torch.from_numpy(objects.labels).to(anchor.device)[gt]].sigmoid()
    aligned = (score**alpha * iou**beta).cpu().numpy()
    u = iou.cpu().numpy()
    aligned[np.isnan(aligned) | (u <= 0)] = 0
    pairs = Pairs(anchor.cpu().numpy(), gt.cpu().numpy(), aligned)
    kept = np.flatnonzero(best_per_object(pairs, top_k) & (aligned > 0))
    kept = kept[best_of_each(pairs.anchor[kept], -u[kept], pairs.gt[kept])]
    best_t, best_u = np.zeros(len(objects.boxes)), np.zeros(len(objects.boxes))
    np.maximum.at(best_t, pairs.gt[kept], aligned[kept])
    np.maximum.at(best_u, pairs.gt[kept], u[kept])
    own = pairs[kept]
    gt_index = np.full(len(pred_boxes), NEGATIVE, np.int64)
    quality = np.zeros(len(pred_boxes))
    gt_index[own.anchor] = objects.index[own.gt]
    quality[own.anchor] = own.value / best_t[own.gt] * best_u[own.gt]
    mark_ignored(gt_index, objects, ignore_overlap)
    return build(pred_boxes, gt_index, objects.all_labels, quality)
