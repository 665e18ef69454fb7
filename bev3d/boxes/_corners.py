"""Corners of boxes, in one order."""

from __future__ import annotations

import numpy as np
import torch

from bev3d._check import check_boxes
from bev3d.boxes._backend import Array, concatenate, cos, sin, stack
from bev3d.boxes._layout import Box

__all__ = ["corners_3d", "corners_bev"]

# Signs of half length and half width: front left, rear left, rear right, front right.
_LENGTH_SIGN = (0.5, -0.5, -0.5, 0.5)
_WIDTH_SIGN = (0.5, 0.5, -0.5, -0.5)


def corners_bev(boxes: Array) -> Array:
    """Corners of the boxes seen from above, counter-clockwise from the front left one.

    ::

              heading (+length)
                    ^
             0 -----+----- 3
             |      |      |
             |   (x, y)    |      x' = x + a cos(yaw) - b sin(yaw)
             |             |      y' = y + a sin(yaw) + b cos(yaw)
             1 ----------- 2      a = ±length/2, b = ±width/2
           left          right

    Args:
        boxes: (..., 7 or 9), see :class:`Box`.

    Returns:
        (..., 4, 2), metres.

    Raises:
        ValueError: the last dimension is neither 7 nor 9.
        TypeError: not a floating-point array or tensor.
    """
    check_boxes("boxes", boxes)
    along = boxes[..., Box.LENGTH, None] * _signs(_LENGTH_SIGN, boxes)
    across = boxes[..., Box.WIDTH, None] * _signs(_WIDTH_SIGN, boxes)
    c, s = cos(boxes[..., Box.YAW, None]), sin(boxes[..., Box.YAW, None])
    x = boxes[..., Box.X, None] + along * c - across * s
    y = boxes[..., Box.Y, None] + along * s + across * c
    return stack([x, y])


def corners_3d(boxes: Array) -> Array:
    """Corners in space: 0 to 3 are the bottom face in the order of :func:`corners_bev`, 4 to 7 the top face above them.

    Args:
        boxes: (..., 7 or 9), see :class:`Box`.

    Returns:
        (..., 8, 3), metres.

    Raises:
        ValueError: the last dimension is neither 7 nor 9.
        TypeError: not a floating-point array or tensor.
    """
    flat = corners_bev(boxes)
    ones = _signs((1.0,) * 4, boxes)
    bottom = (boxes[..., Box.Z, None] - boxes[..., Box.HEIGHT, None] / 2) * ones
    top = (boxes[..., Box.Z, None] + boxes[..., Box.HEIGHT, None] / 2) * ones
    faces = [concatenate([flat, z[..., None]]) for z in (bottom, top)]
    if isinstance(boxes, torch.Tensor):
        return torch.cat(faces, dim=-2)
    return np.concatenate(faces, axis=-2)


def _signs(values: tuple[float, ...], like: Array) -> Array:
    if isinstance(like, torch.Tensor):
        return like.new_tensor(values)
    return np.array(values, dtype=like.dtype)
