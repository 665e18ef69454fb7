"""Rigid transforms of nuScenes: quaternions to matrices, and the two frames a sample can be given in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bev3d.boxes import Box, wrap_angle

__all__ = ["boxes_to_global", "global_from_level", "invert_rigid", "pose_matrix", "sample_frame"]

Matrix = NDArray[np.float64]


def pose_matrix(translation: Sequence[float], rotation_wxyz: Sequence[float]) -> Matrix:
    """``destination_from_source`` of a translation in metres and a quaternion, which is normalised first.

    Returns:
        (4, 4) float64.

    Raises:
        ValueError: not three and four finite numbers, or a quaternion of length 0.
    """
    shift = np.asarray(translation, dtype=np.float64)
    quaternion = np.asarray(rotation_wxyz, dtype=np.float64)
    if shift.shape != (3,) or not np.isfinite(shift).all():
        raise ValueError(f"translation: expected 3 finite numbers, got {translation}")
    if quaternion.shape != (4,) or not np.isfinite(quaternion).all() or not quaternion.any():
        raise ValueError(f"rotation: expected 4 finite numbers, not all 0, got {rotation_wxyz}")
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    matrix = np.eye(4)
    matrix[:3, :3] = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    matrix[:3, 3] = shift
    return matrix


def invert_rigid(matrix: Matrix) -> Matrix:
    """``source_from_destination`` of a rigid (4, 4) ``destination_from_source``."""
    inverse = np.eye(4)
    inverse[:3, :3] = matrix[:3, :3].T
    inverse[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return inverse


def global_from_level(global_from_lidar: Matrix) -> Matrix:
    """The LiDAR frame turned upright: same origin, z along global z, x along the LiDAR's x seen from above."""
    yaw = math.atan2(global_from_lidar[1, 0], global_from_lidar[0, 0])
    level = np.eye(4)
    level[:2, :2] = ((math.cos(yaw), -math.sin(yaw)), (math.sin(yaw), math.cos(yaw)))
    level[:3, 3] = global_from_lidar[:3, 3]
    return level


def sample_frame(global_from_lidar: Matrix, frame: Literal["lidar", "level"]) -> Matrix:
    """``global_from_sample`` (4, 4) for one of the two frames."""
    return global_from_lidar if frame == "lidar" else global_from_level(global_from_lidar)


def boxes_to_global(boxes: NDArray[np.float64], global_from_sample: Matrix) -> NDArray[np.float64]:
    """Boxes of a sample back in the global frame, **as boxes that stand upright there**.

    Going into a tilted LiDAR frame keeps of the heading what its x-y plane shows: d = A (cos yaw, sin yaw), where A
    is the upper-left 2 x 2 block of ``sample_from_global``. An object that stands upright globally has therefore the
    heading A^-1 d, and the same holds for a horizontal velocity. Rotating the flat box instead would be off by up
    to half the tilt squared (5e-4 rad at 2 degrees), and the way there and back would not close.

    Args:
        boxes: (N, 7 or 9), see :class:`bev3d.boxes.Box`.
        global_from_sample: (4, 4).

    Returns:
        Same shape; yaw in [-pi, pi).
    """
    out = boxes.astype(np.float64, copy=True)
    unproject = np.linalg.inv(global_from_sample[:3, :3].T[:2, :2])
    out[:, Box.CENTRE] = boxes[:, Box.CENTRE] @ global_from_sample[:3, :3].T + global_from_sample[:3, 3]
    heading = np.stack([np.cos(boxes[:, Box.YAW]), np.sin(boxes[:, Box.YAW])], axis=1) @ unproject.T
    out[:, Box.YAW] = wrap_angle(np.arctan2(heading[:, 1], heading[:, 0]))
    if boxes.shape[1] == 9:
        out[:, Box.VELOCITY] = boxes[:, Box.VELOCITY] @ unproject.T
    return out
