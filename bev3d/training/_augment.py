"""Random flips, turns and scales of a scene: points and boxes together."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import flip_boxes, scale_boxes, transform_boxes
from bev3d.config import Config

__all__ = ["augment", "flip_scene", "rotate_scene", "scale_scene"]

Points = NDArray[np.float32]
Boxes = NDArray[np.float64]


def augment(points: Points, boxes: Boxes, config: Config, random: np.random.Generator) -> tuple[Points, Boxes]:
    """Flip, turn and scale a scene as ``config.flip``, ``rotate_rad`` and ``scale_range`` say.

    KITTI looks forward along x, so only y is mirrored there.

    Args:
        points: (P, 5), see :class:`bev3d.data.Sample`; not changed in place.
        boxes: (N, 7 or 9); not changed in place.
        config: the amounts.
        random: source of the draws; the same state gives the same scene.
    """
    if config.flip:
        axes: tuple[Literal["x", "y"], ...] = ("y",) if config.dataset == "kitti" else ("x", "y")
        for axis in axes:
            if random.random() < 0.5:
                points, boxes = flip_scene(points, boxes, axis)
    if config.rotate_rad > 0:
        angle = float(random.uniform(-config.rotate_rad, config.rotate_rad))
        points, boxes = rotate_scene(points, boxes, angle)
    if config.scale_range > 0:
        factor = float(random.uniform(1 - config.scale_range, 1 + config.scale_range))
        points, boxes = scale_scene(points, boxes, factor)
    return points, boxes


def flip_scene(points: Points, boxes: Boxes, axis: Literal["x", "y"]) -> tuple[Points, Boxes]:
    """Change the sign of one coordinate."""
    points = points.copy()
    points[:, "xy".index(axis)] *= -1
    return points, flip_boxes(boxes, axis)


def rotate_scene(points: Points, boxes: Boxes, angle_rad: float) -> tuple[Points, Boxes]:
    """Turn about the z axis, counter-clockwise."""
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    matrix = np.eye(4)
    matrix[:2, :2] = [[cosine, -sine], [sine, cosine]]
    points = points.copy()
    points[:, :2] = points[:, :2] @ matrix[:2, :2].T.astype(np.float32)
    return points, transform_boxes(boxes, matrix)


def scale_scene(points: Points, boxes: Boxes, factor: float) -> tuple[Points, Boxes]:
    """Scale about the origin; the time lag and the intensity stay."""
    points = points.copy()
    points[:, :3] *= np.float32(factor)
    return points, scale_boxes(boxes, factor)
