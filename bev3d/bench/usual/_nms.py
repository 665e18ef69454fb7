"""Greedy suppression over the usual kernel, and over the exact clipper to judge by."""
# mypy: allow-untyped-defs

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d.bench.usual._overlap import _clipped_iou, _usual_iou

__all__ = ["clipped_nms", "usual_nms"]


@njit(cache=True, nogil=True, error_model="numpy")
def _greedy_usual(boxes, order, threshold, margin, zero):
    work = np.empty((7, 24), boxes.dtype)
    alive = np.ones(len(order), np.bool_)
    for k in range(len(order)):
        if not alive[k]:
            continue
        for other in range(k + 1, len(order)):
            if alive[other]:
                iou = _usual_iou(boxes[order[k]], boxes[order[other]], margin, zero, work)
                alive[other] = iou <= threshold
    return order[alive]


@njit(cache=True, nogil=True, error_model="numpy")
def _greedy_clipped(boxes, order, threshold):
    work = np.empty((4, 12))
    ranked = boxes[order]
    reach = np.sqrt(ranked[:, 3] ** 2 + ranked[:, 4] ** 2) / 2
    alive = np.ones(len(order), np.bool_)
    for k in range(len(order)):
        if not alive[k]:
            continue
        for other in range(k + 1, len(order)):
            dx, dy, both = ranked[k, 0] - ranked[other, 0], ranked[k, 1] - ranked[other, 1], reach[k] + reach[other]
            if alive[other] and dx * dx + dy * dy < both * both:
                alive[other] = _clipped_iou(ranked[k], ranked[other], work) <= threshold
    return order[alive]


def usual_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, margin: float) -> np.ndarray:
    """Indices kept by descending score: each kept box against all that are left, in the dtype of the boxes."""
    order = np.argsort(-scores, kind="stable")
    kept: np.ndarray = _greedy_usual(boxes, order, threshold, boxes.dtype.type(margin), boxes.dtype.type(0))
    return kept


def clipped_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """The exact list."""
    kept: np.ndarray = _greedy_clipped(boxes.astype(np.float64), np.argsort(-scores, kind="stable"), threshold)
    return kept
