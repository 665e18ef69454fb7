"""Boxes in one vector in a camera frame: x right, y down, z forward, y at the bottom face."""

from __future__ import annotations

import numpy as np

from bev3d._check import check_boxes, check_last_dim
from bev3d.boxes._backend import Array, concatenate, stack
from bev3d.boxes.convert._kitti import RectifiedCalibration, from_kitti_camera, to_kitti_camera

__all__ = ["from_mmdet3d_camera", "from_openpcdet_camera", "to_mmdet3d_camera", "to_openpcdet_camera"]


class _AxesOnly:
    """A camera at the origin of the LiDAR that looks along its x axis."""

    rect_from_velo = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def from_openpcdet_camera(boxes: Array, calib: RectifiedCalibration) -> Array:
    """OpenPCDet's and SECOND's KITTI camera boxes (..., 7): x, y, z, l, h, w, ry in the rectified camera frame.

    KITTI's numbers in one vector: (x, y, z) is the centre of the bottom face, the sizes are length, height, width,
    and yaw = -ry - pi/2.
    **What is dropped:** the tilt of the camera against the velodyne, as in :func:`from_kitti_camera`.

    Args:
        boxes: (..., 7), metres and radians.
        calib: gives ``rect_from_velo`` (4, 4).

    Returns:
        (..., 7) in the velodyne frame.

    Raises:
        ValueError: the last dimension is not 7.
    """
    check_last_dim("boxes", boxes, (7,))
    length, height, width = (boxes[..., i] for i in (3, 4, 5))
    return from_kitti_camera(stack([height, width, length]), boxes[..., :3], boxes[..., 6], calib)


def to_openpcdet_camera(boxes: Array, calib: RectifiedCalibration) -> Array:
    """The inverse of :func:`from_openpcdet_camera`. **What is dropped:** the velocity."""
    check_boxes("boxes", boxes)
    dimensions, location, rotation_y = to_kitti_camera(boxes, calib)
    height, width, length = (dimensions[..., i] for i in range(3))
    return concatenate([location, stack([length, height, width, rotation_y])])


def from_mmdet3d_camera(boxes: Array, calib: RectifiedCalibration | None = None) -> Array:
    """mmdet3d >= 1.0 ``CameraInstance3DBoxes`` (..., 7): x, y, z, dx = l, dy = h, dz = w, yaw about the y axis.

    The same numbers as :func:`from_openpcdet_camera`: y is the bottom face, the yaw is 0 along +x and grows from +z
    towards +x, so that ours is -yaw - pi/2.

    Args:
        boxes: (..., 7), metres and radians.
        calib: gives ``rect_from_velo`` (4, 4). None only exchanges the axes, (x, y, z) = (z, -x, -y) of the camera,
            as mmdet3d's own conversion does where it is given no matrix: the result then lies in a frame of
            LiDAR-like axes at the camera, not in that of the LiDAR.

    Returns:
        (..., 7).

    Raises:
        ValueError: the last dimension is not 7.
    """
    return from_openpcdet_camera(boxes, calib or _AxesOnly())


def to_mmdet3d_camera(boxes: Array, calib: RectifiedCalibration | None = None) -> Array:
    """The inverse of :func:`from_mmdet3d_camera`. **What is dropped:** the velocity."""
    return to_openpcdet_camera(boxes, calib or _AxesOnly())
