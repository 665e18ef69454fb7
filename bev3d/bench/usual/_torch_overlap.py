"""The usual kernel in eager torch, differentiable, vectorised over pairs, as rotated IoU losses have it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["eager_iou_3d", "eager_iou_bev"]

_PARALLEL = 1e-8
_MARGIN = 1e-6


def eager_iou_bev(a: Tensor, b: Tensor) -> Tensor:
    """IoU (N,) of the footprints of aligned boxes (N, 7)."""
    both = _area(a, b)
    return both / (a[:, 3] * a[:, 4] + b[:, 3] * b[:, 4] - both).clamp(min=1e-8)


def eager_iou_3d(a: Tensor, b: Tensor) -> Tensor:
    """IoU (N,) of the volumes of aligned boxes (N, 7)."""
    top = torch.minimum(a[:, 2] + a[:, 5] / 2, b[:, 2] + b[:, 5] / 2)
    bottom = torch.maximum(a[:, 2] - a[:, 5] / 2, b[:, 2] - b[:, 5] / 2)
    both = _area(a, b) * (top - bottom).clamp(min=0)
    return both / (a[:, 3:6].prod(dim=1) + b[:, 3:6].prod(dim=1) - both).clamp(min=1e-8)


def _corners(boxes: Tensor) -> Tensor:
    """(N, 4, 2)."""
    half_length, half_width = boxes[:, 3:4] / 2, boxes[:, 4:5] / 2
    p = torch.cat([half_length, -half_length, -half_length, half_length], dim=1)
    q = torch.cat([half_width, half_width, -half_width, -half_width], dim=1)
    c, s = boxes[:, 6:7].cos(), boxes[:, 6:7].sin()
    return torch.stack([boxes[:, 0:1] + p * c - q * s, boxes[:, 1:2] + p * s + q * c], dim=-1)


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """(N, 4) whether the points (N, 4, 2) lie in their box."""
    offset = points - boxes[:, None, :2]
    c, s = boxes[:, 6:7].cos(), boxes[:, 6:7].sin()
    along, across = offset[..., 0] * c + offset[..., 1] * s, offset[..., 1] * c - offset[..., 0] * s
    return (along.abs() < boxes[:, 3:4] / 2 + _MARGIN) & (across.abs() < boxes[:, 4:5] / 2 + _MARGIN)


def _cross(u: Tensor, v: Tensor) -> Tensor:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _area(a: Tensor, b: Tensor) -> Tensor:
    """(N,): 16 crossings and 8 corners, sorted by angle about their mean, then the shoelace."""
    ca, cb = _corners(a), _corners(b)
    u, v = (ca.roll(-1, dims=1) - ca)[:, :, None], (cb.roll(-1, dims=1) - cb)[:, None]
    between = cb[:, None] - ca[:, :, None]
    cross = _cross(u, v)
    crosses = cross.abs() > _PARALLEL
    safe = torch.where(crosses, cross, torch.ones_like(cross))
    t, w = _cross(between, v) / safe, _cross(between, u) / safe
    crosses = crosses & (t >= 0) & (t <= 1) & (w >= 0) & (w <= 1)
    crossing = ca[:, :, None] + t[..., None] * u
    points = torch.cat([crossing.flatten(1, 2), ca, cb], dim=1)
    valid = torch.cat([crosses.flatten(1), _inside(ca, b), _inside(cb, a)], dim=1)
    count = valid.sum(dim=1, keepdim=True)
    mean = (points * valid[..., None]).sum(dim=1, keepdim=True) / count.clamp(min=1)[..., None]
    with torch.no_grad():
        offset = points - mean
        angle = torch.atan2(offset[..., 1], offset[..., 0])
        order = torch.where(valid, angle, torch.full_like(angle, 10.0)).argsort(dim=1)
        # behind the last point stands the first one again, so that the rest adds nothing
        order = torch.where(torch.arange(24, device=a.device) < count, order, order[:, :1])
    polygon = points.gather(1, order[..., None].expand(-1, -1, 2)) - mean
    area = _cross(polygon, polygon.roll(-1, dims=1)).sum(dim=1).abs() / 2
    return torch.where(count[:, 0] >= 3, area, torch.zeros_like(area))
