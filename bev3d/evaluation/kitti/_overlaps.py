"""Overlaps of detections with ground truth: in the picture, from above, in space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bev3d.data.kitti import KittiLabels
from bev3d.evaluation.kitti._frames import Frames
from bev3d.overlap import pairwise_iou_3d, pairwise_iou_bev

__all__ = ["METRICS", "frame_overlaps", "share_inside_regions", "upright_boxes"]

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]

METRICS = ("image", "bev", "3d")


def frame_overlaps(frames: Frames, metric: str) -> tuple[Matrix, NDArray[np.int64]]:
    """IoU of every ground truth with every detection of its frame.

    Args:
        frames: F frames.
        metric: ``"image"``, ``"bev"`` or ``"3d"``.

    Returns:
        The matrices (ground truth by detections) of all frames, flattened one after the other, and the (F + 1,)
        places where they start.
    """
    overlap: Callable[[Matrix, Matrix], Matrix]
    if metric == "image":
        truth, found, overlap = frames.truth.bbox, frames.found.bbox, image_iou
    else:
        truth, found = upright_boxes(frames.truth), upright_boxes(frames.found)
        overlap = pairwise_iou_bev if metric == "bev" else pairwise_iou_3d
    parts = []
    for f in range(len(frames.ids)):
        rows = slice(frames.truth_start[f], frames.truth_start[f + 1])
        columns = slice(frames.found_start[f], frames.found_start[f + 1])
        parts.append(overlap(truth[rows], found[columns]).ravel())
    start = np.concatenate([[0], np.cumsum([part.size for part in parts])]).astype(np.int64)
    return np.concatenate(parts), start


def share_inside_regions(frames: Frames) -> Matrix:
    """(D,) the largest part of a detection's image box that lies in one ``DontCare`` region of its frame."""
    largest = np.zeros(len(frames.found))
    for f in range(len(frames.ids)):
        rows = slice(frames.regions_start[f], frames.regions_start[f + 1])
        columns = slice(frames.found_start[f], frames.found_start[f + 1])
        if rows.stop > rows.start and columns.stop > columns.start:
            boxes = frames.found.bbox[columns]
            inside = _intersections(frames.regions.bbox[rows], boxes).max(axis=0)
            largest[columns] = np.divide(inside, _areas(boxes), out=np.zeros(len(boxes)), where=inside > 0)
    return largest


def image_iou(a: Matrix, b: Matrix) -> Matrix:
    """(N, M) IoU of image boxes (N, 4) and (M, 4): left, top, right, bottom in pixels."""
    inside = _intersections(a, b)
    union = _areas(a)[:, None] + _areas(b) - inside
    result: Matrix = np.zeros_like(inside)
    np.divide(inside, union, out=result, where=inside > 0)
    return result


def _areas(boxes: Matrix) -> Matrix:
    sides: Matrix = boxes[:, 2:] - boxes[:, :2]
    return sides[:, 0] * sides[:, 1]


def _intersections(a: Matrix, b: Matrix) -> Matrix:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides: Matrix = np.maximum(high - low, 0.0)
    return sides[..., 0] * sides[..., 1]


def upright_boxes(labels: KittiLabels) -> Matrix:
    """(N, 7) boxes with the camera's x and z as x and y and its -y as z: seen from above, rotation_y turns clockwise.

    The benchmark measures in the camera frame; going through the velodyne frame would tilt boxes by its roll.
    """
    h, w, length = labels.dimensions_hwl.T
    x, y, z = labels.location.T
    return np.ascontiguousarray(np.stack([x, z, h / 2 - y, length, w, h, -labels.rotation_y], axis=1))
