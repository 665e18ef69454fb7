"""Boxes seen by the left colour camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import corners_3d
from bev3d.data import KittiCalib

__all__ = ["image_boxes"]

NEAR_M = 0.1

# Pairs of corners joined by an edge, in the order of bev3d.boxes.corners_3d.
_EDGES = np.array(
    [[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4], [0, 4], [1, 5], [2, 6], [3, 7]], dtype=np.int64
)


def image_boxes(
    boxes: NDArray[np.float64], calib: KittiCalib, image_size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Image boxes around the projected corners, clipped to the picture.

    A box that reaches behind the camera is cut 0.1 m in front of it first: corners behind it would project to the
    wrong side.

    Args:
        boxes: (N, 7) in the velodyne frame.
        calib: calibration of the frame.
        image_size: width and height in pixels.

    Returns:
        (N, 4) left, top, right, bottom in pixels, and (N,) whether anything of the box is in the picture.
    """
    result = np.zeros((len(boxes), 4))
    visible = np.zeros(len(boxes), dtype=bool)
    corners = corners_3d(boxes)
    rect = corners @ calib.rect_from_velo[:3, :3].T + calib.rect_from_velo[:3, 3]
    last = np.array(image_size, dtype=np.float64) - 1
    whole = (rect[..., 2] > NEAR_M).all(axis=1)
    if whole.any():  # most boxes: all at once
        pixels, _ = calib.image_from_rect(rect[whole].reshape(-1, 3))
        pixels = pixels.reshape(-1, 8, 2)
        low, high = np.clip(pixels.min(axis=1), 0, last), np.clip(pixels.max(axis=1), 0, last)
        result[whole] = np.concatenate([low, high], axis=1)
        visible[whole] = (high > low).all(axis=1)
    for i in np.flatnonzero(~whole):
        seen = _in_front(rect[i])
        if len(seen):
            pixels, _ = calib.image_from_rect(seen)
            low, high = np.clip(pixels.min(axis=0), 0, last), np.clip(pixels.max(axis=0), 0, last)
            result[i] = (*low, *high)
            visible[i] = bool((high > low).all())
    return result, visible


def _in_front(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a box's wire frame in front of the near plane, as its end points; (K, 3)."""
    depth = corners[:, 2] - NEAR_M
    kept = [corners[depth > 0]]
    start, stop = _EDGES.T
    cut = depth[start] * depth[stop] < 0
    a, b = start[cut], stop[cut]
    share = (depth[a] / (depth[a] - depth[b]))[:, None]
    kept.append(corners[a] + share * (corners[b] - corners[a]))
    return np.concatenate(kept)
