"""KITTI label_2: boxes in the rectified camera frame (x right, y down, z forward)."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bev3d._check import check_boxes, check_last_dim
from bev3d.boxes._angle import wrap_angle
from bev3d.boxes._backend import Array, concatenate, stack
from bev3d.boxes._layout import Box

__all__ = ["RectifiedCalibration", "from_kitti_camera", "to_kitti_camera"]


class RectifiedCalibration(Protocol):
    """Whatever knows the way from the velodyne to the rectified camera."""

    @property
    def rect_from_velo(self) -> NDArray[np.float64]:
        """(4, 4): R0_rect times Tr_velo_to_cam, both padded."""
        ...


def from_kitti_camera(dimensions_hwl: Array, location: Array, rotation_y: Array, calib: RectifiedCalibration) -> Array:
    """KITTI labels in the velodyne frame.

    The label's location is the centre of the bottom face; it goes through the exact inverse of the extrinsics,
    then half the height is added along the velodyne's z, and yaw = -rotation_y - pi/2.
    **What is dropped:** the tilt of the camera against the velodyne (below 1 degree in KITTI).

    Args:
        dimensions_hwl: (..., 3) height, width, length, metres.
        location: (..., 3) bottom centre in the rectified camera frame, metres.
        rotation_y: (...) radians about the camera's y axis.
        calib: gives ``rect_from_velo`` (4, 4).

    Returns:
        (..., 7).

    Raises:
        ValueError: wrong last dimensions.
    """
    check_last_dim("dimensions_hwl", dimensions_hwl, (3,))
    check_last_dim("location", location, (3,))
    centre = _move(location, np.linalg.inv(calib.rect_from_velo))
    h, w, length = (dimensions_hwl[..., i] for i in range(3))
    lifted = stack([centre[..., 0], centre[..., 1], centre[..., 2] + h / 2])
    return concatenate([lifted, stack([length, w, h]), _turn(rotation_y)[..., None]])


def to_kitti_camera(boxes: Array, calib: RectifiedCalibration) -> tuple[Array, Array, Array]:
    """Dimensions_hwl (..., 3), location (..., 3) and rotation_y (...); the inverse of :func:`from_kitti_camera`."""
    check_boxes("boxes", boxes)
    dimensions = stack([boxes[..., Box.HEIGHT], boxes[..., Box.WIDTH], boxes[..., Box.LENGTH]])
    bottom = stack([boxes[..., Box.X], boxes[..., Box.Y], boxes[..., Box.Z] - boxes[..., Box.HEIGHT] / 2])
    return dimensions, _move(bottom, calib.rect_from_velo), _turn(boxes[..., Box.YAW])


def _turn(angle: Array) -> Array:
    """-angle - pi/2, its own inverse."""
    return wrap_angle(-angle - math.pi / 2)


def _move(points: Array, matrix: NDArray[np.float64]) -> Array:
    if isinstance(points, torch.Tensor):
        transform = torch.as_tensor(matrix, dtype=points.dtype, device=points.device)
        return points @ transform[:3, :3].T + transform[:3, 3]
    return (points @ matrix[:3, :3].T + matrix[:3, 3]).astype(points.dtype)
