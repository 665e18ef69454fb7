"""Predictions at the least cost, as many an object as it deserves: SimOTA in three dimensions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

from bev3d.targets.assigners._assignment import NEGATIVE, Array, Assignment, build
from bev3d.targets.assigners._inputs import check_count, check_overlap, check_unit, mark_ignored, read_inputs
from bev3d.targets.assigners._max_iou import Overlap
from bev3d.targets.assigners._pairs import Pairs, best_of_each, best_per_object, near_pairs, pair_overlap
from bev3d.targets.assigners._predictions import check_centres, check_logits

__all__ = ["assign_simota"]

_SMALLEST_IOU = 1e-8
_FAR = 1e5


def assign_simota(
    centres: Array,
    pred_boxes: Array,
    logits: Array,
    boxes: Array,
    labels: Array,
    *,
    radius_m: float,
    iou_weight: float = 3.0,
    top_k: int = 10,
    overlap: Overlap = "3d",
    ignore_overlap: float | None = 0.5,
) -> Assignment:
    """SimOTA (YOLOX, Ge et al. 2021, 2107.08430, after OTA, 2103.14259), with boxes of three dimensions.

        cost = BCE + w (-log(IoU + 1e-8)) + 1e5 where the point is not both inside the object and near its centre

    BCE is the binary cross entropy of all classes against the object's. Candidates of an object are the anchor points
    inside its footprint or within ``radius_m`` of its centre. Of these it takes the k of least cost (equal: the lower
    point), k = max(1, floor of the sum of its ``top_k`` greatest IoUs). A point that several objects take goes to the
    one of least cost (equal: the lower object), which may leave an object without a point.

    Others: YOLOX lets an object that lacks candidates take those of other objects, at the cost of 1e5 each; here it
    has its own only. Its class score is the root of class times objectness; give logits of that product if the head
    has both.

    Args:
        centres: (A, 2 or more), x and y of the points.
        pred_boxes: (A, 7 or 9), decoded. One with a NaN has IoU 0.
        logits: (A, C); a point with a NaN is never taken.
        boxes: (G, 7 or 9), the objects; G may be 0.
        labels: (G,) integers, the class, or -1 for an object to ignore.
        radius_m: YOLOX has 2.5 cells.
        iou_weight: w, at least 0.
        top_k: IoUs that set the number of points of an object.
        overlap: as :func:`assign_max_iou`.
        ignore_overlap: as :func:`assign_max_iou`, of the predicted boxes.

    Returns:
        ``quality`` is the IoU of a point that has an object, 0 elsewhere.

    Raises:
        ValueError, TypeError: as :func:`assign_max_iou`; a weight or radius below 0, ``top_k`` below 1.
    """
    check_count("top_k", top_k)
    check_overlap(overlap)
    check_unit("ignore_overlap", ignore_overlap)
    if not 0 <= iou_weight < math.inf:
        raise ValueError(f"iou_weight: expected a number >= 0, got {iou_weight}")
    objects = read_inputs("pred_boxes", pred_boxes, boxes, labels)
    scores = check_logits(logits, pred_boxes, objects.labels)
    points = check_centres(centres, pred_boxes, radius_m)
    anchor, gt, both = near_pairs(points, objects.boxes, radius_m)
    overlaps = pair_overlap(objects, anchor, gt, overlap)
    label = torch.from_numpy(objects.labels).to(anchor.device)[gt]
    # sum over the classes of softplus(z), less the logit of the one that is meant
    entropy = functional.softplus(scores).sum(dim=1)[anchor] - scores[anchor, label]
    cost = entropy - iou_weight * (overlaps + _SMALLEST_IOU).log() + _FAR * ~both
    value, iou = -cost.cpu().numpy(), overlaps.cpu().numpy()
    known = np.isfinite(value)
    pairs = Pairs(anchor.cpu().numpy(), gt.cpu().numpy(), value)[known]
    iou = iou[known]
    best = Pairs(pairs.anchor, pairs.gt, iou)
    top = best_per_object(best, top_k)
    count = np.bincount(pairs.gt[top], iou[top], len(objects.boxes)) if len(iou) else np.zeros(len(objects.boxes))
    # a sum that is whole but for rounding counts as whole
    wanted = np.maximum(np.floor(count + 1e-9), 1)
    kept = np.flatnonzero(best_per_object(pairs, wanted[pairs.gt]))
    kept = kept[best_of_each(pairs.anchor[kept], -pairs.value[kept], pairs.gt[kept])]
    gt_index = np.full(len(pred_boxes), NEGATIVE, np.int64)
    quality = np.zeros(len(pred_boxes))
    gt_index[pairs.anchor[kept]] = objects.index[pairs.gt[kept]]
    quality[pairs.anchor[kept]] = iou[kept]
    mark_ignored(gt_index, objects, ignore_overlap)
    return build(pred_boxes, gt_index, objects.all_labels, quality)
