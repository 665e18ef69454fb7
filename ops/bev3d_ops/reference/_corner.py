"""Corner losses in plain torch: the eight corners of both boxes, and the distances between them."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["corner_loss"]

# Signs of half length and half width of the four corners seen from above.
_LENGTH_SIGN = (0.5, -0.5, -0.5, 0.5)
_WIDTH_SIGN = (0.5, 0.5, -0.5, -0.5)

# Above the slope by a size of every variant: eight corners, half a size each, two axes at most.
_GROWTH_SLOPE = 8.0
_SMALLEST_PART = 1e-3


def corner_loss(pred: Tensor, target: Tensor, variant: str, flip_invariant: bool) -> Tensor:
    """Distances between the corners of aligned boxes, with the formulas of :func:`bev3d.losses.corner_loss`.

    Corners are taken relative to the target's centre and seen along its heading (``huber_sum``, which depends on
    the axes: along the world's), so that far boxes lose no digits and equal ones differ by exactly 0.

    Args:
        pred: (N, 7) x, y, z, length, width, height, yaw; float32 or float64.
        target: (N, 7), of the same dtype. A row with a NaN gives 0, with gradient 0.
        variant: ``per_box``, ``per_corner`` or ``huber_sum``.
        flip_invariant: whether the target turned by half a turn counts as well.

    Returns:
        (N,). Where both headings cost the same, the gradient is that of the target's own.
    """
    known = ~target.isnan().any(dim=-1)
    pred, target = (torch.where(known[:, None], boxes, torch.zeros_like(boxes)) for boxes in (pred, target))
    turn = pred[:, 6] - target[:, 6]
    frame = target[:, 6]
    shift = pred[:, :3] - target[:, :3]
    shift = torch.cat([_turned(shift[:, None, :2], -frame)[:, 0], shift[:, 2:]], dim=-1)
    own = _offsets(pred, turn) + shift[:, None]
    other = _offsets(target, torch.zeros_like(turn))
    to_target, to_flipped = own - other, own - (other * other.new_tensor([-1.0, -1.0, 1.0]))
    if variant == "huber_sum":
        to_target, to_flipped = (
            torch.cat([_turned(part[..., :2], frame), part[..., 2:]], dim=-1) for part in (to_target, to_flipped)
        )
    loss = _combine(to_target, to_flipped if flip_invariant else to_target, variant)
    return loss + _collapse_penalty(pred[:, 3:6], target[:, 3:6])


def _combine(to_target: Tensor, to_flipped: Tensor, variant: str) -> Tensor:
    """Loss (N,) from the differences of the corners (N, 8, 3)."""
    if variant == "huber_sum":
        return _lesser(_huber(to_target).sum(dim=(-2, -1)), _huber(to_flipped).sum(dim=(-2, -1)))
    near, flipped = _norm(to_target), _norm(to_flipped)
    if variant == "per_corner":
        return _huber(_lesser(near, flipped)).mean(dim=-1)
    return _lesser(near.sum(dim=-1), flipped.sum(dim=-1))


def _offsets(boxes: Tensor, yaw: Tensor) -> Tensor:
    """Corners (N, 8, 3) relative to the centre, the bottom face first; a negative size counts as 0."""
    length, width, height = boxes[:, 3:6].clamp(min=0).unbind(-1)
    along = length[:, None] * boxes.new_tensor(_LENGTH_SIGN)
    across = width[:, None] * boxes.new_tensor(_WIDTH_SIGN)
    flat = _turned(torch.stack([along, across], dim=-1), yaw)
    up = (height[:, None, None] / 2).expand(-1, 4, 1)
    return torch.cat([torch.cat([flat, -up], dim=-1), torch.cat([flat, up], dim=-1)], dim=1)


def _turned(vectors: Tensor, angle: Tensor) -> Tensor:
    """Vectors (N, K, 2), turned counter-clockwise by the angles (N,)."""
    c, s = angle.cos()[:, None], angle.sin()[:, None]
    x, y = vectors.unbind(-1)
    return torch.stack([x * c - y * s, x * s + y * c], dim=-1)


def _lesser(own: Tensor, flipped: Tensor) -> Tensor:
    return torch.where(flipped < own, flipped, own)


def _norm(vectors: Tensor) -> Tensor:
    """Euclidean norm over the last dimension, whose gradient at 0 is 0 and not NaN."""
    squared = vectors.square().sum(dim=-1)
    moved = squared != 0  # true of NaN, so that it stays
    return torch.where(moved, squared, torch.ones_like(squared)).sqrt() * moved


def _huber(value: Tensor) -> Tensor:
    size = value.abs()
    return torch.where(size <= 1, value.square() / 2, size - 0.5)


def _collapse_penalty(size: Tensor, target_size: Tensor) -> Tensor:
    """8 Σ_k max(0, m/1000 - size_k), m the smallest of the target's sizes: the way back of a size that reached 0."""
    floor = _SMALLEST_PART * target_size.amin(dim=-1, keepdim=True).clamp(min=0)
    return _GROWTH_SLOPE * torch.relu(floor - size).sum(dim=-1)
