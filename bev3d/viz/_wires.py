"""Line segments of a 3D picture: edges of boxes, headings, dashes, rings on the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box, corners_3d

__all__ = ["box_edges", "dashes", "heading_marks", "rings"]

# Pairs of corners_3d's corners: bottom face, top face, uprights.
EDGES = (
    *((0, 1), (1, 2), (2, 3), (3, 0)),
    *((4, 5), (5, 6), (6, 7), (7, 4)),
    *((0, 4), (1, 5), (2, 6), (3, 7)),
)


def box_edges(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, 7 or 9) boxes to their (N, 12, 2, 3) edges."""
    return corners_3d(np.asarray(boxes, dtype=np.float64))[:, np.array(EDGES)]


def heading_marks(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, 2, 3): a line from the middle of the roof to a little beyond the front."""
    boxes = np.asarray(boxes, dtype=np.float64)
    roof = corners_3d(boxes)[:, 4:]
    ahead = np.stack([np.cos(boxes[:, Box.YAW]), np.sin(boxes[:, Box.YAW]), np.zeros(len(boxes))], axis=-1)
    reach = boxes[:, Box.LENGTH, None] / 2 + np.clip(0.25 * boxes[:, Box.LENGTH, None], 0.3, 0.9)
    middle = roof.mean(axis=1)
    return np.stack([middle, middle + ahead * reach], axis=1)


def dashes(segments: NDArray[np.floating], *, dash_m: float = 0.45) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cut segments into dashes.

    Args:
        segments: (S, 2, 3).
        dash_m: length of a dash and of a gap; a segment begins and ends with a dash.

    Returns:
        (D, 2, 3) dashes and (D,) the segment that each comes from.
    """
    pieces, owners = [np.zeros((0, 2, 3))], [np.zeros(0, dtype=np.int64)]
    for i, (start, end) in enumerate(np.asarray(segments, dtype=np.float64)):
        count = max(1, round(float(np.linalg.norm(end - start)) / (2 * dash_m)))
        share = np.arange(2 * count) / (2 * count - 1)
        at = start + share[:, None] * (end - start)
        pieces.append(np.stack([at[0::2], at[1::2]], axis=1))
        owners.append(np.full(count, i))
    return np.concatenate(pieces), np.concatenate(owners)


def rings(reach_m: float, ground_z: float, *, step_m: float = 20.0) -> NDArray[np.float64]:
    """(S, 2, 3) segments of circles around the sensor, every ``step_m`` up to ``reach_m``."""
    angle = np.linspace(0, 2 * np.pi, 97)
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(97)], axis=-1)
    lines = [np.zeros((0, 2, 3))]
    for radius in np.arange(step_m, reach_m + 1e-9, step_m):
        at = radius * circle + np.array([0, 0, ground_z])
        lines.append(np.stack([at[:-1], at[1:]], axis=1))
    return np.concatenate(lines)
