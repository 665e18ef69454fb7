"""Area of the convex hull of two rectangles, without sorting or picking corners.

Let n turn once around. The corner of A and the corner of B that lie farthest along n change only where n is
perpendicular to an edge, which is eight times: the normals of A and of B in turn. Whichever of the two corners is
farther is on the hull, so that walking along the hull means

* at a normal of A, if A is farther there: along that edge of A; so for B,
* between two normals, if the lead has changed: across, from the corner of one to the corner of the other.
  It cannot change twice there, because no two normals in turn are more than a quarter turn apart.

The area is half the sum of the cross products of where each such step begins and ends. Which box leads is only a
weight 0, 1/2 or 1: a tie or a rounding error in it moves the area by nothing that counts.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["hull_area"]

_Point = tuple[Tensor, Tensor]


def hull_area(x: Tensor, y: Tensor, c: Tensor, s: Tensor, half_a: _Point, half_b: _Point) -> Tensor:
    """Area of the convex hull; (x, y) is B's centre and (c, s) B's direction in A's frame; differentiable.

    Args:
        x, y, c, s: (...) float64.
        half_a, half_b: half length and half width, (...) each.

    Returns:
        (...) square metres.
    """
    (ax, ay), (bx, by) = half_a, half_b
    # B turned by quarters until it points into the first quadrant; its sides change names on the way
    odd = c * s < 0
    bx, by = torch.where(odd, by, bx), torch.where(odd, bx, by)
    c, s = torch.where(odd, s.abs(), c.abs()), torch.where(odd, c.abs(), s.abs())
    half_x, half_y = bx * c + by * s, bx * s + by * c  # of B along A's axes
    along, across = c * x + s * y, c * y - s * x  # of B's centre along B's axes
    a_along, a_across = ax * c + ay * s, ax * s + ay * c  # of A along B's axes
    signs = ((1, -1), (1, 1), (-1, 1), (-1, -1))  # corners in turn: before normal 0, after it, ...
    corners_a = [(p * ax, q * ay) for p, q in signs]
    corners_b = [(x + p * bx * c - q * by * s, y + p * bx * s + q * by * c) for p, q in signs]
    reach_b = (along + bx, across + by, bx - along, by - across)
    leads_a = [_lead(ax, half_x + x), _lead(ay, half_y + y), _lead(ax, half_x - x), _lead(ay, half_y - y)]
    leads_b = [_lead(reach, reach_b[k]) for k, reach in enumerate((a_along, a_across, a_along, a_across))]
    twice = torch.zeros_like(x)
    for k in range(4):
        after = (k + 1) % 4
        twice = twice + leads_a[k] * (2 * ax * ay)
        twice = twice + (1 - leads_b[k]) * reach_b[k] * (2 * (by if k % 2 == 0 else bx))
        twice = twice + (leads_a[k] - leads_b[k]) * _cross(corners_a[after], corners_b[k])
        twice = twice + (leads_b[k] - leads_a[after]) * _cross(corners_a[after], corners_b[after])
    return twice / 2


def _lead(reach_a: Tensor, reach_b: Tensor) -> Tensor:
    """1 where A reaches farther, 0 where B does, 1/2 in a tie; without gradient."""
    return ((torch.sign(reach_a - reach_b) + 1) / 2).detach()


def _cross(p: _Point, q: _Point) -> Tensor:
    return p[0] * q[1] - p[1] * q[0]
