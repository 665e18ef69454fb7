"""Argoverse 2 cuboids: length-width-height, quaternion, translation."""

from __future__ import annotations

from bev3d._check import check_boxes, check_last_dim
from bev3d.boxes._backend import Array, concatenate
from bev3d.boxes._layout import Box
from bev3d.boxes.convert._nuscenes import quaternion_from_yaw, yaw_from_quaternion

__all__ = ["from_av2", "to_av2"]


def from_av2(boxes: Array) -> Array:
    """Argoverse 2 annotations (..., 10): length, width, height, qw, qx, qy, qz, x, y, z, the order of their columns.

    The translation is the centre of gravity, in the ego-vehicle frame (x forward, y left, z up) or whichever frame
    the quaternion rotates to.
    **What is dropped:** roll and pitch of the quaternion; annotations have none in the ego-vehicle frame.

    Args:
        boxes: (..., 10), metres; the quaternion scalar first, of any length but 0.

    Returns:
        (..., 7).

    Raises:
        ValueError: the last dimension is not 10, or a quaternion of length 0, with its index.
    """
    check_last_dim("boxes", boxes, (10,))
    yaw = yaw_from_quaternion(boxes[..., 3:7])
    return concatenate([boxes[..., 7:10], boxes[..., 0:3], yaw[..., None]])


def to_av2(boxes: Array) -> Array:
    """The inverse of :func:`from_av2`. **What is dropped:** the velocity, for which a cuboid has no column."""
    check_boxes("boxes", boxes)
    rotation = quaternion_from_yaw(boxes[..., Box.YAW])
    return concatenate([boxes[..., Box.SIZE], rotation, boxes[..., Box.CENTRE]])
