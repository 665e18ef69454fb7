"""nuScenes devkit boxes: centre, width-length-height, quaternion."""

from __future__ import annotations

import numpy as np
import torch

from bev3d._check import check_boxes, check_last_dim
from bev3d.boxes._angle import wrap_angle
from bev3d.boxes._backend import Array, atan2, concatenate, cos, sin, stack
from bev3d.boxes._layout import Box

__all__ = ["from_nuscenes", "quaternion_from_yaw", "to_nuscenes", "yaw_from_quaternion"]


def from_nuscenes(translation: Array, size_wlh: Array, rotation_wxyz: Array, velocity: Array | None = None) -> Array:
    """Boxes of nuScenes annotations or of the devkit's ``Box``, in whatever frame they are given.

    **What is dropped:** roll and pitch of the quaternion; the yaw is that of the rotated x axis. Annotations
    are upright in the global frame, so nothing is lost there.

    Args:
        translation: (..., 3) centre, metres.
        size_wlh: (..., 3) width, length, height, metres.
        rotation_wxyz: (..., 4) quaternion, scalar first, of any length but 0.
        velocity: (..., 2 or 3) metres per second, NaN where unknown; or None.

    Returns:
        (..., 7), with a velocity (..., 9).

    Raises:
        ValueError: wrong last dimensions, or a quaternion of length 0.
    """
    check_last_dim("translation", translation, (3,))
    check_last_dim("size_wlh", size_wlh, (3,))
    yaw = yaw_from_quaternion(rotation_wxyz)
    size = stack([size_wlh[..., 1], size_wlh[..., 0], size_wlh[..., 2]])
    parts = [translation, size, yaw[..., None]]
    if velocity is not None:
        check_last_dim("velocity", velocity, (2, 3))
        parts.append(velocity[..., :2])
    return concatenate(parts)


def to_nuscenes(boxes: Array) -> tuple[Array, Array, Array, Array | None]:
    """Translation (..., 3), size_wlh (..., 3), rotation_wxyz (..., 4) and velocity (..., 2), or None for 7 columns."""
    check_boxes("boxes", boxes)
    size = stack([boxes[..., Box.WIDTH], boxes[..., Box.LENGTH], boxes[..., Box.HEIGHT]])
    velocity = boxes[..., Box.VELOCITY] if boxes.shape[-1] == 9 else None
    return boxes[..., Box.CENTRE], size, quaternion_from_yaw(boxes[..., Box.YAW]), velocity


def yaw_from_quaternion(rotation_wxyz: Array) -> Array:
    """Yaw of the rotated x axis: atan2(R10, R00), in [-pi, pi).

    Args:
        rotation_wxyz: (..., 4), scalar first, of any length but 0.

    Raises:
        ValueError: a quaternion of length 0 (or not finite), with its index.
    """
    check_last_dim("rotation_wxyz", rotation_wxyz, (4,))
    squared = (rotation_wxyz * rotation_wxyz).sum(-1)
    bad = ~(squared > 0)
    if bool(bad.any()):
        where = np.argwhere(np.asarray(bad.cpu() if isinstance(bad, torch.Tensor) else bad))[0].tolist()
        raise ValueError(f"rotation_wxyz: expected quaternions of length > 0, got length 0 or NaN at index {where}")
    w, x, y, z = (rotation_wxyz[..., i] for i in range(4))
    r10, r00 = 2 * (x * y + w * z), w * w + x * x - y * y - z * z
    return wrap_angle(atan2(r10, r00))


def quaternion_from_yaw(yaw: Array) -> Array:
    """(..., 4) quaternion, scalar first, of a turn by ``yaw`` about z."""
    zero = 0 * yaw
    return stack([cos(yaw / 2), zero, zero, sin(yaw / 2)])
