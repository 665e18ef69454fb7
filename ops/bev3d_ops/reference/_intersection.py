"""Area of intersection of aligned rectangles in plain torch, with its gradient in closed form.

The value is the clamp integral (see ``bev3d_ops.cpu._overlap_block``). Its automatic derivative would be noise on
coincident edges, so the gradient is the integral of the boundary's normal velocity over the part of each
boundary that lies inside the other rectangle:

* B moves: sum over its edges of (length inside A) * (outward normal)
* a half size of B grows: the lengths inside A of the two sides that it moves
* B turns about its centre: minus the sum of the first moments of those lengths about the edges' midpoints

and the same for A with the roles exchanged.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["angle_guard", "intersection_area"]

# Edges of a rectangle counter-clockwise: top, left, bottom, right.
_Frame = tuple[Tensor, Tensor, Tensor, Tensor]


def intersection_area(a: Tensor, b: Tensor) -> Tensor:
    """Area of a ∩ b.

    Args:
        a, b: (..., 5) float64, broadcastable: x, y, length, width, yaw; finite, sizes at least 0.

    Returns:
        (...) float64, 0 where the rectangles are apart or touch, at most the smaller area. Differentiable once.
    """
    a, b = torch.broadcast_tensors(a, b)
    return _IntersectionArea.apply(a, b)


class _IntersectionArea(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return _area(a, b)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        gradient_a, gradient_b = _gradients(*ctx.saved_tensors)
        return cotangent[..., None] * gradient_a, cotangent[..., None] * gradient_b


def _gradients(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of the area by the columns of a and of b, (..., 5) each."""
    in_a, in_b = _boundary_gradient(a, b), _boundary_gradient(b, a)
    # The shift is taken from one boundary, so that what moves A and what moves B cancel exactly.
    gradient_a = torch.cat([-in_a[..., :2], in_b[..., 2:]], dim=-1)
    meet = ~_are_apart(a, b)[..., None]
    return gradient_a * meet, in_a * meet


def _frame(a: Tensor, b: Tensor) -> _Frame:
    """Centre (x, y) and direction (cos, sin) of b in the frame of a."""
    shift, yaw = b[..., :2] - a[..., :2], a[..., 4]
    # of the difference: products of sines miss 0 by an ulp, which coincident edges would notice
    turn = b[..., 4] - yaw
    c, s = torch.cos(yaw), torch.sin(yaw)
    x, y = c * shift[..., 0] + s * shift[..., 1], c * shift[..., 1] - s * shift[..., 0]
    return x, y, torch.cos(turn), torch.sin(turn)


def _area(a: Tensor, b: Tensor) -> Tensor:
    x, y, c, s = _frame(a, b)
    half_x, half_y = a[..., 2] / 2, a[..., 3] / 2
    ux, uy = b[..., 2] / 2 * c, b[..., 2] / 2 * s
    vx, vy = -b[..., 3] / 2 * s, b[..., 3] / 2 * c
    corners = [(x + p * ux + q * vx, y + p * uy + q * vy) for p, q in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    guard = angle_guard(a[..., 4], b[..., 4])
    slopes = (s / _guarded(c, guard), -c / _guarded(s, guard))
    total = torch.zeros_like(x)
    for k in range(4):
        total = total - _edge_integral(corners[k], corners[(k + 1) % 4], slopes[k % 2], half_x, half_y)
    total = torch.minimum(total.clamp(min=0), torch.minimum(a[..., 2] * a[..., 3], b[..., 2] * b[..., 3]))
    return torch.where(_are_apart(a, b), torch.zeros_like(total), total)


def _edge_integral(
    start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor], slope: Tensor, half_x: Tensor, half_y: Tensor
) -> Tensor:
    """Integral of clamp(y, ±half_y) dx along an edge, x clamped to ±half_x."""
    xa, xb = _clamp(start[0], half_x), _clamp(end[0], half_x)
    ya, yb = start[1] + (xa - start[0]) * slope, end[1] + (xb - end[0]) * slope
    ca, cb = _clamp(ya, half_y), _clamp(yb, half_y)
    rise = yb - ya
    g = (cb - ca) / torch.where(rise == 0, torch.ones_like(rise), rise)
    return (xb - xa) / 2 * ((ca + cb) + g * ((ya - ca) + (yb - cb)))


def _clamp(value: Tensor, half: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(value, -half), half)


def angle_guard(a_yaw: Tensor, b_yaw: Tensor) -> Tensor:
    """Sine or cosine of the angle between two boxes below which it is only the rounding of the yaws."""
    return 4 * sys.float_info.epsilon * (1 + torch.maximum(a_yaw.abs(), b_yaw.abs()).detach())


def _guarded(value: Tensor, guard: Tensor) -> Tensor:
    """``value``, or the positive ``guard`` where it is only rounding.

    Coincident edges then count half, one way on one side and the other way on the opposite one, so that the
    gradient of equal boxes is 0.
    """
    return torch.where(value.abs() < guard, guard, value)


def _are_apart(a: Tensor, b: Tensor) -> Tensor:
    """Whether one of the four separating axes parts the rectangles, or they only touch."""
    x, y, c, s = _frame(a, b)
    ax, ay, bx, by = a[..., 2] / 2, a[..., 3] / 2, b[..., 2] / 2, b[..., 3] / 2
    abs_c, abs_s = c.abs(), s.abs()
    return (
        (x.abs() >= ax + bx * abs_c + by * abs_s)
        | (y.abs() >= ay + bx * abs_s + by * abs_c)
        | ((x * c + y * s).abs() >= bx + ax * abs_c + ay * abs_s)
        | ((y * c - x * s).abs() >= by + ax * abs_s + ay * abs_c)
    )


def _boundary_gradient(a: Tensor, b: Tensor) -> Tensor:
    """Derivative of the area of a ∩ b by b's x, y, length, width and yaw, (..., 5)."""
    x, y, c, s = _frame(a, b)
    half_length, half_width = b[..., 2] / 2, b[..., 3] / 2
    half_edge = torch.stack([half_length, half_width, half_length, half_width], dim=-1)
    offset = torch.stack([half_width, half_length, half_width, half_length], dim=-1)
    normal_x, normal_y = torch.stack([-s, -c, s, c], dim=-1), torch.stack([c, -s, -c, s], dim=-1)
    middle_x, middle_y = x[..., None] + offset * normal_x, y[..., None] + offset * normal_y
    # along the edge, counter-clockwise: the normal turned by a quarter
    guard = angle_guard(a[..., 4], b[..., 4])[..., None]
    low, high = _inside(middle_x, _guarded(-normal_y, guard), a[..., 2, None] / 2, -half_edge, half_edge)
    low, high = _inside(middle_y, _guarded(normal_x, guard), a[..., 3, None] / 2, low, high)
    length, moment = high - low, (high - low) * (high + low) / 2
    shift_x, shift_y = (length * normal_x).sum(-1), (length * normal_y).sum(-1)
    c, s = torch.cos(a[..., 4]), torch.sin(a[..., 4])
    columns = [
        c * shift_x - s * shift_y,
        s * shift_x + c * shift_y,
        (length[..., 1] + length[..., 3]) / 2,
        (length[..., 0] + length[..., 2]) / 2,
        -moment.sum(-1),
    ]
    return torch.stack(columns, dim=-1)


def _inside(middle: Tensor, direction: Tensor, half: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The part of [low, high], in metres from the middle of an edge, over which |coordinate| <= half."""
    one, other = (-half - middle) / direction, (half - middle) / direction
    first = torch.minimum(torch.maximum(torch.minimum(one, other), low), high)
    last = torch.minimum(torch.maximum(torch.maximum(one, other), low), high)
    return first, last
