"""Gradient fields: which way a loss pulls a box that is off in place, size or yaw alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bev3d.boxes import Box
from bev3d.lab._descend import gradient
from bev3d.lab._losses import LabLoss

__all__ = ["APART", "REACH_LOG_SIZE", "REACH_PLACE", "TURNED", "WEAK", "gradient_fields", "pull_share"]

Floats = NDArray[np.float64]

REACH_PLACE = 3.0
REACH_LOG_SIZE = math.log(3)
TURNED = math.radians(30)  # yaw error while the place varies
APART = 2.5  # distance along the target's heading while the size varies
# below this a box moves less than 0.04 in 200 steps of the paper's size
WEAK = 1e-3


def gradient_fields(loss: LabLoss, points: int, turns: int) -> dict[str, Any]:
    """-dL/dB about a target of area 1 and ratio 2:1 (and, for the yaw, a square one too).

    Args:
        loss: of the boxes seen from above.
        points: grid points along each side of the two planes.
        turns: yaw errors from -180° to 180°.

    Returns:
        ``place``: (points, points, 2) by x and y, of a box of the right size turned by 30°; ``size``: by ln l and ln w,
        of a box that is 2.5 away along the heading and has the right yaw; ``yaw``, ``yaw_square``: (turns,) at the
        right place and size. Rows run along y or ln w, columns along x or ln l.
    """
    place, size, yaw = _grid(REACH_PLACE, points), _grid(REACH_LOG_SIZE, points), np.linspace(-math.pi, math.pi, turns)
    offset = _target(2, points**2)
    offset[:, Box.BEV_CENTRE] += place
    offset[:, Box.YAW] = TURNED
    scaled = _target(2, points**2)
    scaled[:, Box.X] = APART
    scaled[:, Box.BEV_SIZE] *= np.exp(size)
    by_place = _pull(loss, offset, 2)[:, Box.BEV_CENTRE]
    by_size = (_pull(loss, scaled, 2) * scaled)[:, Box.BEV_SIZE]
    fields = {"place": by_place.reshape(points, points, 2), "size": by_size.reshape(points, points, 2)}
    for name, ratio in (("yaw", 2), ("yaw_square", 1)):
        turned = _target(ratio, turns)
        turned[:, Box.YAW] = yaw
        fields[name] = _pull(loss, turned, ratio)[:, Box.YAW]
    return fields


def pull_share(field: Floats, reach: float) -> dict[str, float]:
    """Shares of a plane's points, but the target: where the pull is weak, and where it leads away (by over 90°)."""
    towards = -_grid(reach, len(field))
    off = np.linalg.norm(towards, axis=-1) > 0
    towards, pull = towards[off], field.reshape(-1, 2)[off]
    weak = np.linalg.norm(pull, axis=-1) < WEAK
    away = (pull * towards).sum(axis=-1) < 0
    return {"weak": float(weak.mean()), "away": float((away & ~weak).mean())}


def _grid(reach: float, points: int) -> Floats:
    at = np.linspace(-reach, reach, points)
    return np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)


def _target(ratio: float, count: int) -> Floats:
    return np.tile([0, 0, 0, math.sqrt(ratio), 1 / math.sqrt(ratio), 1, 0.0], (count, 1))


def _pull(loss: LabLoss, boxes: Floats, ratio: float) -> Floats:
    target = torch.from_numpy(_target(ratio, len(boxes)))
    slope = gradient(loss, torch.from_numpy(boxes), target)
    return np.nan_to_num(-slope.numpy(), nan=0.0, posinf=0.0, neginf=0.0)
