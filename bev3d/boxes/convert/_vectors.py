"""Systems that keep a box in one vector of 7 or 9 numbers."""

from __future__ import annotations

import math

from bev3d._check import check_boxes, check_last_dim
from bev3d.boxes._angle import wrap_angle
from bev3d.boxes._backend import Array, concatenate, stack
from bev3d.boxes._layout import Box

__all__ = [
    "from_centerpoint",
    "from_mmdet3d",
    "from_openpcdet",
    "from_rotated_iou",
    "from_second",
    "to_centerpoint",
    "to_mmdet3d",
    "to_openpcdet",
    "to_rotated_iou",
    "to_second",
]


def from_openpcdet(boxes: Array) -> Array:
    """OpenPCDet and Waymo (..., 7 or 9): x, y, z, dx, dy, dz, yaw[, vx, vy]; the same convention, yaw wrapped."""
    check_boxes("boxes", boxes)
    return concatenate([boxes[..., :6], wrap_angle(boxes[..., 6:7]), boxes[..., 7:]])


def to_openpcdet(boxes: Array) -> Array:
    """The inverse of :func:`from_openpcdet`."""
    return from_openpcdet(boxes)


def from_mmdet3d(boxes: Array) -> Array:
    """mmdet3d >= 1.0 ``LiDARInstance3DBoxes`` (..., 7 or 9): as ours, but z is the centre of the *bottom* face."""
    return _shift_z(boxes, 0.5)


def to_mmdet3d(boxes: Array) -> Array:
    """The inverse of :func:`from_mmdet3d`."""
    return _shift_z(boxes, -0.5)


def from_second(boxes: Array) -> Array:
    """SECOND and mmdet3d < 1.0 (..., 7): x, y, z of the bottom face, w, l, h, r with yaw = -r - pi/2."""
    check_boxes("boxes", boxes)
    x, y, z, w, length, h, r = (boxes[..., i] for i in range(7))
    head = stack([x, y, z + h / 2, length, w, h, _turn(r)])
    return concatenate([head, boxes[..., 7:]])


def to_second(boxes: Array) -> Array:
    """The inverse of :func:`from_second`."""
    check_boxes("boxes", boxes)
    x, y, z, length, w, h, yaw = (boxes[..., i] for i in range(7))
    head = stack([x, y, z - h / 2, w, length, h, _turn(yaw)])
    return concatenate([head, boxes[..., 7:]])


def from_centerpoint(boxes: Array) -> Array:
    """CenterPoint and Det3D nuScenes: x, y, z, w, l, h[, vx, vy], r with yaw = -r - pi/2.

    The rotation is the **last** of 7 or 9 columns, after the velocity.
    """
    check_boxes("boxes", boxes)
    x, y, z, w, length, h = (boxes[..., i] for i in range(6))
    head = stack([x, y, z, length, w, h, _turn(boxes[..., -1])])
    return concatenate([head, boxes[..., 6:-1]])


def to_centerpoint(boxes: Array) -> Array:
    """The inverse of :func:`from_centerpoint`."""
    check_boxes("boxes", boxes)
    x, y, z, length, w, h, yaw = (boxes[..., i] for i in range(7))
    head = stack([x, y, z, w, length, h])
    return concatenate([head, boxes[..., 7:], _turn(yaw)[..., None]])


def from_rotated_iou(boxes: Array) -> Array:
    """lilanxiao's Rotated_IoU and mmcv's ``diff_iou_rotated_3d`` (..., 7): x, y, z, w, h, l, alpha.

    Their names mislead: w is the extent along alpha, h that across it and l the one along z. The columns are thus
    ours, in our order; only the yaw is wrapped.
    """
    check_last_dim("boxes", boxes, (7,))
    return from_openpcdet(boxes)


def to_rotated_iou(boxes: Array) -> Array:
    """The inverse of :func:`from_rotated_iou`. **What is dropped:** the velocity."""
    check_boxes("boxes", boxes)
    return from_openpcdet(boxes[..., :7])


def _shift_z(boxes: Array, heights: float) -> Array:
    check_boxes("boxes", boxes)
    z = boxes[..., Box.Z] + heights * boxes[..., Box.HEIGHT]
    return concatenate([boxes[..., :2], z[..., None], boxes[..., 3:6], wrap_angle(boxes[..., 6:7]), boxes[..., 7:]])


def _turn(angle: Array) -> Array:
    """-angle - pi/2, its own inverse."""
    return wrap_angle(-angle - math.pi / 2)
