"""Rotated rectangles of two-dimensional libraries, taken for boxes seen from above."""

from __future__ import annotations

import math

from bev3d._check import check_boxes, check_last_dim
from bev3d.boxes._angle import wrap_angle
from bev3d.boxes._backend import Array, stack

__all__ = ["from_cxcywhr", "from_mmcv_rotated", "to_cxcywhr", "to_mmcv_rotated"]


def from_cxcywhr(boxes: Array, *, z_m: Array | float = 0.0, height_m: Array | float = 0.0) -> Array:
    """detectron2's and torchvision's rotated boxes (..., 5): cx, cy, w, h, angle in **degrees**.

    Their corners are centre + R (±w/2, ±h/2) with R = [[c, s], [-s, c]]: a positive angle turns from +x towards -y.
    With x and y those of the ground, w is the length, h the width and yaw = -angle pi / 180.

    Args:
        boxes: (..., 5), metres and degrees.
        z_m: centre, a number or (...): the rectangle knows none.
        height_m: a number or (...). At 0 the overlaps seen from above are right and those of volumes 0.

    Returns:
        (..., 7), yaw in [-pi, pi).

    Raises:
        ValueError: the last dimension is not 5.
    """
    check_last_dim("boxes", boxes, (5,))
    return _stand(boxes, -boxes[..., 4] * (math.pi / 180), z_m, height_m)


def to_cxcywhr(boxes: Array) -> Array:
    """The inverse of :func:`from_cxcywhr`, angle in [-180, 180). **What is dropped:** z, height and velocity."""
    check_boxes("boxes", boxes)
    angle = wrap_angle(boxes[..., 6] * (-180 / math.pi), period=360.0)
    return stack([boxes[..., 0], boxes[..., 1], boxes[..., 3], boxes[..., 4], angle])


def from_mmcv_rotated(boxes: Array, *, z_m: Array | float = 0.0, height_m: Array | float = 0.0) -> Array:
    """mmcv's rotated boxes (..., 5), as ``box_iou_rotated`` takes them: cx, cy, w, h, angle in radians.

    With its default ``clockwise=True`` the angle is our yaw: clockwise is meant of a picture, whose y points down,
    and turns from +x towards +y. With ``clockwise=False`` it is the opposite; negate the angle before.
    Arguments and result otherwise as :func:`from_cxcywhr`.
    """
    check_last_dim("boxes", boxes, (5,))
    return _stand(boxes, boxes[..., 4], z_m, height_m)


def to_mmcv_rotated(boxes: Array) -> Array:
    """The inverse of :func:`from_mmcv_rotated`. **What is dropped:** z, height and velocity."""
    check_boxes("boxes", boxes)
    return stack([boxes[..., 0], boxes[..., 1], boxes[..., 3], boxes[..., 4], wrap_angle(boxes[..., 6])])


def _stand(boxes: Array, yaw: Array, z_m: Array | float, height_m: Array | float) -> Array:
    zero = 0 * boxes[..., 0]
    x, y, length, width = (boxes[..., i] for i in range(4))
    return stack([x, y, zero + z_m, length, width, zero + height_m, wrap_angle(yaw)])
