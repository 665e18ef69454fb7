"""The terms that GIoU, DIoU, CIoU and EIoU add to the IoU, in plain torch.

All but the hull need a box that encloses the pair. Here it is the smallest one whose sides are parallel to those of
the **target**, the second of the pair: cheap, smooth in the prediction, and fixed to what does not move.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bev3d_ops.reference._hull import hull_area
from bev3d_ops.reference._intersection import angle_guard

__all__ = ["aspect_term", "at_most_one", "distance_term", "enclosing_extents", "hull_content", "quotient", "size_term"]

# Below this share of the other box's diagonal the aspect's derivative grows no further.
SMALLEST_ASPECT_SHARE = 1e-3


def enclosing_extents(pred: Tensor, target: Tensor) -> list[Tensor]:
    """Extents of the enclosing box along the target's length, width and height, metres; boxes (..., 7) float64."""
    shift, yaw = pred[..., :3] - target[..., :3], target[..., 6]
    c, s = torch.cos(yaw), torch.sin(yaw)
    centres = (c * shift[..., 0] + s * shift[..., 1], c * shift[..., 1] - s * shift[..., 0], shift[..., 2])
    abs_c, abs_s = (value.abs() for value in _direction(target, pred))
    length, width = pred[..., 3] / 2, pred[..., 4] / 2
    halves = (length * abs_c + width * abs_s, length * abs_s + width * abs_c, pred[..., 5] / 2)
    extents = []
    for k in range(3):
        own = target[..., 3 + k] / 2
        extents.append(torch.maximum(centres[k] + halves[k], own) - torch.minimum(centres[k] - halves[k], -own))
    return extents


def hull_content(pred: Tensor, target: Tensor, dims: int) -> Tensor:
    """Area of the convex hull of the footprints, times the enclosing height where ``dims`` is 3."""
    shift, yaw = target[..., :2] - pred[..., :2], pred[..., 6]
    c, s = torch.cos(yaw), torch.sin(yaw)
    x, y = c * shift[..., 0] + s * shift[..., 1], c * shift[..., 1] - s * shift[..., 0]
    halves = [(boxes[..., 3] / 2, boxes[..., 4] / 2) for boxes in (pred, target)]
    area = hull_area(x, y, *_direction(pred, target), halves[0], halves[1])
    return area if dims == 2 else area * enclosing_extents(pred, target)[2]


def distance_term(pred: Tensor, target: Tensor, extents: list[Tensor]) -> Tensor:
    """d² / c²: the distance of the centres over the diagonal of the enclosing box, both squared; at most 1."""
    distance = (pred - target)[..., : len(extents)].square().sum(-1)
    diagonal = torch.stack(extents, dim=-1).square().sum(-1)
    return at_most_one(quotient(distance, diagonal))


def aspect_term(pred: Tensor, target: Tensor, iou: Tensor) -> Tensor:
    """α v of CIoU: v = 4/π² (atan(l/w) of the target - that of the prediction)², α = v / (1 - IoU + v) held fixed."""
    v = 4 / math.pi**2 * _aspect_difference(pred[..., 3:5], target[..., 3:5]).square()
    alpha = quotient(v, 1 - iou + v).detach()
    return alpha * v


def size_term(pred: Tensor, target: Tensor, extents: list[Tensor]) -> Tensor:
    """Σ_k (size_k - target's size_k)² / C_k² of EIoU, C_k the enclosing extent but at least either box's own size.

    Without that bound, perpendicular thin boxes would give 1e9 and more; so each term is at most 1.
    """
    total = torch.zeros_like(extents[0])
    for k, extent in enumerate(extents):
        own, other = pred[..., 3 + k], target[..., 3 + k]
        divisor = torch.maximum(extent, torch.maximum(own, other))
        total = total + quotient((own - other).square(), divisor.square())
    return total


def quotient(dividend: Tensor, divisor: Tensor) -> Tensor:
    """``dividend / divisor``, and 0 where the divisor is 0."""
    exists = divisor > 0
    return torch.where(exists, dividend / torch.where(exists, divisor, torch.ones_like(divisor)), 0.0)


def at_most_one(value: Tensor) -> Tensor:
    """``value`` less what rounding put above 1, which must not touch the gradient."""
    return value - (value.detach() - 1).clamp(min=0)


def _direction(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of b's yaw in a's frame; what is only rounding of the yaws is 0, with slope 0."""
    turn = b[..., 6] - a[..., 6]
    guard = angle_guard(a[..., 6], b[..., 6])
    c, s = torch.cos(turn), torch.sin(turn)
    return torch.where(c.abs() < guard, 0.0, c), torch.where(s.abs() < guard, 0.0, s)


def _aspect_difference(pred: Tensor, target: Tensor) -> Tensor:
    """atan(l/w) of the target minus that of the prediction; (length, width) each.

    The value is one arctangent of a cross over a dot product, 0 where a box has neither length nor width. The
    gradient is that of the plain formula, (w dl - l dw) / (l² + w²), with the divisor bounded from below.
    """
    l_p, w_p, l_t, w_t = pred[..., 0], pred[..., 1], target[..., 0], target[..., 1]
    value = torch.atan2(l_t * w_p - l_p * w_t, w_t * w_p + l_t * l_p).detach()
    squares = [(length * length + width * width).detach() for length, width in ((l_p, w_p), (l_t, w_t))]
    tangents = []
    for k, (length, width) in enumerate(((l_p, w_p), (l_t, w_t))):
        least = torch.maximum(squares[k], SMALLEST_ASPECT_SHARE**2 * squares[1 - k])
        fixed_l, fixed_w = length.detach(), width.detach()
        change = fixed_w * (length - fixed_l) - fixed_l * (width - fixed_w)
        tangents.append(quotient(change, least))
    return value + tangents[1] - tangents[0]
