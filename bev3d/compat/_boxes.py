"""Box losses and overlaps of OpenPCDet and of what was built on it, as they compute them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bev3d._check import check_boxes
from bev3d.boxes import corners_3d

__all__ = ["axis_aligned_iou_3d", "nearest_bev_iou", "openpcdet_corner_loss"]


def openpcdet_corner_loss(pred: Tensor, target: Tensor) -> Tensor:
    """OpenPCDet's corner loss: mean over corners of smooth L1 (beta 1) of the nearer of two distances.

    Wrong: the nearer target, or the one turned by pi, is chosen corner by corner, not once for the box as in
    F-PointNet's equation 4, for which it is taken: of cars that are 2 m off and face anywhere, the corners of 60 %
    disagree. Use :func:`bev3d.losses.corner_loss` with ``variant="per_box"``.

    Args:
        pred, target: (N, 7 or 9).

    Returns:
        (N,).
    """
    check_boxes("pred", pred)
    check_boxes("target", target)
    turned = torch.cat([target[..., :6], target[..., 6:7] + math.pi], dim=-1)
    corners = corners_3d(pred[..., :7])
    distances = [(corners - corners_3d(goal)).norm(dim=-1) for goal in (target[..., :7], turned)]
    nearer = torch.minimum(*distances)
    return torch.where(nearer < 1, nearer.square() / 2, nearer - 0.5).mean(dim=-1)


def axis_aligned_iou_3d(pred: Tensor, target: Tensor) -> Tensor:
    """The "IoU" behind the regression losses of PillarNet, OpenPCDet, DSVT and VoxelNeXt: yaw is left out.

    Wrong: a box turned by a quarter has the IoU of one that is right (1.000 where the truth can be 0.260). Use
    :func:`bev3d.overlap.iou_3d`.

    Args:
        pred, target: (N, 7 or 9).

    Returns:
        (N,) intersection over the union clamped at 1e-6 cubic metres.
    """
    check_boxes("pred", pred)
    check_boxes("target", target)
    low = torch.maximum(pred[..., :3] - pred[..., 3:6] / 2, target[..., :3] - target[..., 3:6] / 2)
    high = torch.minimum(pred[..., :3] + pred[..., 3:6] / 2, target[..., :3] + target[..., 3:6] / 2)
    shared = (high - low).clamp(min=0).prod(-1)
    union = pred[..., 3:6].prod(-1) + target[..., 3:6].prod(-1) - shared
    return shared / union.clamp(min=1e-6)


def nearest_bev_iou(a: Tensor, b: Tensor) -> Tensor:
    """OpenPCDet's and SECOND's nearest-BEV IoU for assigning anchors: each yaw rounded to a quarter turn.

    Wrong: it jumps at 45 degrees and is not the overlap of anything. Use :func:`bev3d.overlap.pairwise_iou_bev`.

    Args:
        a: (N, 7 or 9).
        b: (M, 7 or 9).

    Returns:
        (N, M).
    """
    check_boxes("a", a)
    check_boxes("b", b)
    one, other = _standing(a)[:, None], _standing(b)[None]
    shared = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp(min=0)
    inner = shared.prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (one, other)]
    return inner / (areas[0] + areas[1] - inner).clamp(min=1e-6)


def _standing(boxes: Tensor) -> Tensor:
    """(N, 4) x1, y1, x2, y2 of the boxes turned to the nearer axis."""
    yaw = boxes[:, 6]
    turn = (yaw - torch.floor(yaw / math.pi + 0.5) * math.pi).abs()
    size = torch.where((turn < math.pi / 4)[:, None], boxes[:, 3:5], boxes[:, [4, 3]])
    return torch.cat([boxes[:, :2] - size / 2, boxes[:, :2] + size / 2], dim=1)
