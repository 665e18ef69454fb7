"""Motions of a scene: points and boxes together."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bev3d._check import check_boxes, check_choice
from bev3d.boxes import flip_boxes, scale_boxes, transform_boxes
from bev3d_ops.cpu._augment import move_points

__all__ = ["check_scene", "flip_scene", "rotate_scene", "scale_scene", "translate_scene"]

Points = NDArray[np.floating]
Boxes = NDArray[np.floating]


def flip_scene(points: Points, boxes: Boxes, axis: Literal["x", "y"]) -> tuple[Points, Boxes]:
    """Change the sign of one coordinate: ``"y"`` exchanges left and right where x looks forward.

    Args:
        points: (P, 3 or more), x, y, z in metres; what follows (intensity, time lag) stays as it is.
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        axis: whose sign changes. OpenPCDet names the axis that stays instead: its ``x`` is ``"y"`` here.

    Returns:
        New points and boxes of the same shapes; the velocity is mirrored, NaN stays NaN, and yaw is in [-pi, pi).
    """
    check_scene(points, boxes)
    check_choice("axis", axis, ("x", "y"))
    return move_points(points, flip_matrix(axis)), flip_boxes(boxes, axis)


def rotate_scene(points: Points, boxes: Boxes, angle_rad: float) -> tuple[Points, Boxes]:
    """Turn about the z axis, counter-clockwise; the velocity turns too. Arguments as :func:`flip_scene`."""
    check_scene(points, boxes)
    matrix = rotation_matrix(angle_rad)
    return move_points(points, matrix), transform_boxes(boxes, matrix)


def scale_scene(points: Points, boxes: Boxes, factor: float) -> tuple[Points, Boxes]:
    """Scale about the origin: centres, sizes and velocities; intensity and time lag stay.

    Arguments as :func:`flip_scene`.

    Raises:
        ValueError: ``factor`` is not a positive finite number.
    """
    check_scene(points, boxes)
    scaled = scale_boxes(boxes, factor)
    return move_points(points, scale_matrix(factor)), scaled


def translate_scene(points: Points, boxes: Boxes, shift_m: tuple[float, float, float]) -> tuple[Points, Boxes]:
    """Move by a vector, metres. Arguments as :func:`flip_scene`."""
    check_scene(points, boxes)
    matrix = translation_matrix(shift_m)
    return move_points(points, matrix), transform_boxes(boxes, matrix)


def flip_matrix(axis: Literal["x", "y"]) -> NDArray[np.float64]:
    """(4, 4) mirror image."""
    return np.diag([-1.0, 1.0, 1.0, 1.0] if axis == "x" else [1.0, -1.0, 1.0, 1.0])


def rotation_matrix(angle_rad: float) -> NDArray[np.float64]:
    """(4, 4) rotation about z."""
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    matrix = np.eye(4)
    matrix[:2, :2] = [[cosine, -sine], [sine, cosine]]
    return matrix


def scale_matrix(factor: float) -> NDArray[np.float64]:
    """(4, 4) scaling about the origin."""
    return np.diag([factor, factor, factor, 1.0])


def translation_matrix(shift_m: tuple[float, float, float]) -> NDArray[np.float64]:
    """(4, 4) translation."""
    matrix = np.eye(4)
    matrix[:3, 3] = shift_m
    return matrix


def check_scene(points: Points, boxes: Boxes) -> None:
    """Raise unless points are (P, 3 or more) and boxes (N, 7 or 9), NumPy arrays of floats."""
    for name, value in (("points", points), ("boxes", boxes)):
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{name}: expected a NumPy array, got {type(value).__name__}")
    if points.dtype not in (np.float32, np.float64):
        raise TypeError(f"points: expected float32 or float64, got {points.dtype}")
    if points.ndim != 2 or points.shape[1] < 3:
        raise ValueError(f"points: expected shape (P, >= 3), got {points.shape}")
    check_boxes("boxes", boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes: expected shape (N, 7 or 9), got {boxes.shape}")
