"""Rigid motions, flips and scaling of boxes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch

from bev3d._check import check_boxes, check_choice
from bev3d.boxes._angle import wrap_angle
from bev3d.boxes._backend import Array, concatenate, stack
from bev3d.boxes._layout import Box

__all__ = ["flip_boxes", "scale_boxes", "transform_boxes"]


def transform_boxes(boxes: Array, matrix: Array) -> Array:
    """Move boxes by a rigid transform of space.

    The heading vector (and the velocity, as a vector in the plane) is turned by the full rotation and then
    projected on the new x-y plane. **What is dropped:** roll and pitch of the transform tilt a box, and a
    tilted box has no place in seven numbers; the centre is exact, the yaw is that of the projected heading.

    Args:
        boxes: (N, 7 or 9), see :class:`Box`.
        matrix: (4, 4), ``destination_from_source``, rotation and translation in metres.

    Returns:
        Same shape as ``boxes``; yaw in [-pi, pi); NaN velocities stay NaN.

    Raises:
        ValueError: wrong shapes, or a matrix whose upper-left block is not a rotation to 1e-3.
    """
    check_boxes("boxes", boxes)
    if tuple(matrix.shape) != (4, 4):
        raise ValueError(f"matrix: expected shape (4, 4), got {tuple(matrix.shape)}")
    if isinstance(boxes, torch.Tensor):
        matrix = torch.as_tensor(matrix).to(boxes)
    else:
        matrix = np.asarray(matrix, dtype=boxes.dtype)
    rotation, translation = matrix[:3, :3], matrix[:3, 3]
    _check_rotation(rotation)
    centre = boxes[..., Box.CENTRE] @ rotation.T + translation
    yaw = _turn_yaw(boxes[..., Box.YAW], rotation)
    parts = [centre, boxes[..., Box.SIZE], wrap_angle(yaw)[..., None]]
    if boxes.shape[-1] == 9:
        parts.append(boxes[..., Box.VELOCITY] @ rotation[:2, :2].T)
    return concatenate(parts)


def flip_boxes(boxes: Array, axis: Literal["x", "y"]) -> Array:
    """Mirror boxes: ``axis="y"`` maps y to -y (yaw to -yaw), ``axis="x"`` maps x to -x (yaw to pi - yaw).

    Args:
        boxes: (..., 7 or 9), see :class:`Box`.
        axis: the coordinate whose sign changes.

    Returns:
        Same shape; yaw in [-pi, pi); the velocity is mirrored too.
    """
    check_boxes("boxes", boxes)
    check_choice("axis", axis, ("x", "y"))
    columns = [boxes[..., i] for i in range(boxes.shape[-1])]
    position, velocity = (Box.X, Box.VX) if axis == "x" else (Box.Y, Box.VY)
    columns[position] = -columns[position]
    yaw = math.pi - columns[Box.YAW] if axis == "x" else -columns[Box.YAW]
    columns[Box.YAW] = wrap_angle(yaw)
    if len(columns) == 9:
        columns[velocity] = -columns[velocity]
    return stack(columns)


def scale_boxes(boxes: Array, factor: float) -> Array:
    """Scale the world about the origin: centre, size and velocity grow by ``factor``, the yaw stays.

    Raises:
        ValueError: ``factor`` is not a positive finite number.
    """
    check_boxes("boxes", boxes)
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"factor: expected a finite number > 0, got {factor}")
    head, yaw, velocity = boxes[..., :6] * factor, boxes[..., 6:7], boxes[..., 7:] * factor
    return concatenate([head, yaw, velocity])


def _turn_yaw(yaw: Array, rotation: Array) -> Array:
    """Yaw after the rotation; for a rotation about z alone it is a plain sum, exact to rounding."""
    if float(abs(rotation[2, 2] - 1)) == 0.0:
        turn = math.atan2(float(rotation[1, 0]), float(rotation[0, 0]))
        return yaw + turn
    if isinstance(yaw, torch.Tensor):
        heading = torch.stack([torch.cos(yaw), torch.sin(yaw)], dim=-1) @ rotation[:2, :2].T
        return torch.atan2(heading[..., 1], heading[..., 0])
    heading = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1) @ rotation[:2, :2].T
    return np.arctan2(heading[..., 1], heading[..., 0])


def _check_rotation(rotation: Array) -> None:
    values = rotation.detach().cpu().numpy() if isinstance(rotation, torch.Tensor) else np.asarray(rotation)
    error = float(np.abs(values @ values.T - np.eye(3)).max())
    if not error < 1e-3 or np.linalg.det(values) < 0:
        raise ValueError(f"matrix: expected a rotation in its upper-left 3 x 3 block, got {values.tolist()}")
