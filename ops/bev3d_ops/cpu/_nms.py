"""Greedy non-maximum suppression on the CPU: a candidate is tested against kept boxes only."""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._overlap_block import FAST, rectangle_intersection
from bev3d_ops.cpu._prepare import COS, HALF_LENGTH, HALF_WIDTH, RADIUS, SIN, X, Y, prepare_boxes

__all__ = ["nms_bev", "nms_circle"]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _pair_iou(kept, k, box):
    """IoU, seen from above, of column k of ``kept`` and the prepared ``box``."""
    dx, dy = box[X] - kept[X, k], box[Y] - kept[Y, k]
    ca, sa, cb, sb = kept[COS, k], kept[SIN, k], box[COS], box[SIN]
    ax, ay, bx, by = kept[HALF_LENGTH, k], kept[HALF_WIDTH, k], box[HALF_LENGTH], box[HALF_WIDTH]
    area = rectangle_intersection(
        ca * dx + sa * dy, ca * dy - sa * dx, ca * cb + sa * sb, ca * sb - sa * cb, ax, ay, bx, by
    )
    return area / max(4.0 * ax * ay + 4.0 * bx * by - area, 1e-300)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _is_suppressed(kept, labels, count, box, label, threshold):
    """Whether one of the first ``count`` kept boxes of the same label overlaps ``box`` by more than ``threshold``."""
    xs, ys, radii = kept[X, :count], kept[Y, :count], kept[RADIUS, :count]
    lengths, widths = kept[HALF_LENGTH, :count], kept[HALF_WIDTH, :count]
    area = box[HALF_LENGTH] * box[HALF_WIDTH]
    for k in range(len(xs)):
        dx, dy, reach = xs[k] - box[X], ys[k] - box[Y], radii[k] + box[RADIUS]
        if dx * dx + dy * dy >= reach * reach or labels[k] != label:
            continue
        other = lengths[k] * widths[k]
        # the ratio of the areas bounds the IoU from above
        if min(area, other) <= threshold * max(area, other) * (1 - 1e-12):
            continue
        if _pair_iou(kept, k, box) > threshold:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _nms_bev(prepared, order, labels, threshold):
    kept = np.empty_like(prepared)
    kept_labels = np.empty(len(order), np.int64)
    indices = np.empty(len(order), np.int64)
    count = 0
    for i in order:
        box = prepared[:, i].copy()
        if not _is_suppressed(kept, kept_labels, count, box, labels[i], threshold):
            kept[:, count] = box
            kept_labels[count] = labels[i]
            indices[count] = i
            count += 1
    return indices[:count].copy()


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _is_near(xs, ys, labels, x, y, label, squared_radius):
    for k in range(len(xs)):
        dx, dy = xs[k] - x, ys[k] - y
        if dx * dx + dy * dy <= squared_radius and labels[k] == label:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _nms_circle(centres, order, labels, squared_radius):
    xs, ys = np.empty(len(order), np.float64), np.empty(len(order), np.float64)
    kept_labels = np.empty(len(order), np.int64)
    indices = np.empty(len(order), np.int64)
    count = 0
    for i in order:
        x, y = np.float64(centres[i, 0]), np.float64(centres[i, 1])
        if not _is_near(xs[:count], ys[:count], kept_labels[:count], x, y, labels[i], squared_radius):
            xs[count], ys[count], kept_labels[count], indices[count] = x, y, labels[i], i
            count += 1
    return indices[:count].copy()


def nms_bev(boxes: np.ndarray, order: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
    """Indices kept, in the order of ``order``.

    Args:
        boxes: (N, >= 7) float32 or float64.
        order: (N,) int64, the indices of the boxes from best to worst.
        labels: (N,) int64; boxes of different labels never suppress each other.
        threshold: a box goes when its BEV IoU with a kept one is greater.
    """
    return _nms_bev(prepare_boxes(boxes), order, labels, threshold)


def nms_circle(boxes: np.ndarray, order: np.ndarray, labels: np.ndarray, radius: float) -> np.ndarray:
    """As :func:`nms_bev`; a box goes when its centre lies within ``radius`` metres of a kept one."""
    return _nms_circle(boxes, order, labels, radius * radius)
