"""Divergences of two Gaussians whose covariances are those of boxes, in forms that are exact zeros at equality.

A box of sizes l, w (h) is the Gaussian of its centre and of the covariance R diag(a²) Rᵀ, with a = (l, w, h) √variance.
Both covariances have an axis along z, so that z is a Gaussian of its own; seen from above, the yaws enter by

    Q = sin²(Δ) (a₁² - a₂²) (b₁² - b₂²),   Δ the difference of the yaws, b the target's a

The textbook forms (traces, determinants, square roots of matrices) are differences of equal numbers where the boxes
are equal; here those differences are taken by hand.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "GaussianPair",
    "bhattacharyya",
    "centre_distance",
    "gaussian_pair",
    "jeffreys",
    "kalman_iou",
    "kullback_leibler",
    "root",
    "squared_wasserstein",
]

_SMALLEST_SIZE = 1e-6  # metres, of a target
_SMALLEST_PART = 1e-3  # of the target's smallest size


class GaussianPair(NamedTuple):
    """Two Gaussians of boxes.

    Attributes:
        own, other: (..., K) standard deviations of the prediction and the target, metres, K 2 or 3.
        offset: (..., K) from the target's centre to the prediction's, in the target's frame.
        own_offset: the same in the prediction's frame.
        sine, cosine: (...) of the difference of the yaws.
        turn: (...) Q of the module.
    """

    own: Tensor
    other: Tensor
    offset: Tensor
    own_offset: Tensor
    sine: Tensor
    cosine: Tensor
    turn: Tensor

    def swapped(self) -> GaussianPair:
        """The target as the prediction; offsets only serve in squares, so their signs stay."""
        return self._replace(own=self.other, other=self.own, offset=self.own_offset, own_offset=self.offset)


def gaussian_pair(pred: Tensor, target: Tensor, space: str, variance: float) -> GaussianPair:
    """The Gaussians of boxes (..., 7).

    Sizes of the prediction below a thousandth of the target's smallest one count as that, without gradient.
    """
    dims = 2 if space == "bev" else 3
    target_size = target[..., 3 : 3 + dims].clamp(min=_SMALLEST_SIZE)
    floor = _SMALLEST_PART * target_size.detach().amin(dim=-1, keepdim=True)
    size = pred[..., 3 : 3 + dims]
    size = torch.where(size > floor, size, floor)
    own, other = size * math.sqrt(variance), target_size * math.sqrt(variance)
    between = pred[..., :dims] - target[..., :dims]
    angle = pred[..., 6] - target[..., 6]
    sine, cosine = angle.sin(), angle.cos()
    difference = _spread(own) * _spread(other)
    return GaussianPair(
        own,
        other,
        _in_frame(between, target[..., 6]),
        _in_frame(between, pred[..., 6]),
        sine,
        cosine,
        sine.square() * difference,
    )


def squared_wasserstein(pair: GaussianPair) -> Tensor:
    """Squared 2-Wasserstein distance, square metres.

        |d|² + tr(A + B - 2 (A^½ B A^½)^½) = |d|² + |a - b|² + 2 Q / (S + T)

        S = a₁ b₁ + a₂ b₂,   T² = cos²Δ S² + sin²Δ (a₁ b₂ + a₂ b₁)²

    T is the trace of the square root: of a 2x2 matrix that is √(trace + 2 √determinant).
    """
    (a1, a2), (b1, b2) = _flat(pair.own), _flat(pair.other)
    straight, crossed = a1 * b1 + a2 * b2, a1 * b2 + a2 * b1
    trace = torch.sqrt((pair.cosine * straight).square() + (pair.sine * crossed).square())
    shape = (pair.own - pair.other).square().sum(-1) + 2 * pair.turn / (straight + trace)
    return pair.offset.square().sum(-1) + shape.clamp(min=0)


def kullback_leibler(pair: GaussianPair) -> Tensor:
    """Kullback-Leibler divergence of the prediction from the target, nats.

        ½ [dᵀ B⁻¹ d + tr(B⁻¹ A) - K - ln(det A / det B)] = ½ [Σ u²/b² + Σ (r² - 1 - ln r²) + Q / (b₁ b₂)²],   r = a / b

    with u the offset in the target's frame.
    """
    excess = (pair.own - pair.other) / pair.other
    (b1, b2) = _flat(pair.other)
    # r = 1 + excess
    size = (excess * (2 + excess) - 2 * torch.log1p(excess)).sum(-1) + pair.turn / (b1 * b2).square()
    return (centre_distance(pair) + size.clamp(min=0)) / 2


def jeffreys(pair: GaussianPair) -> Tensor:
    """The sum of both Kullback-Leibler divergences, whose logarithms cancel.

    ½ [dᵀ (A⁻¹ + B⁻¹) d + Σ (r - 1/r)² + Q (1 / (a₁ a₂)² + 1 / (b₁ b₂)²)],   r = a / b
    """
    a, b = pair.own, pair.other
    (a1, a2), (b1, b2) = _flat(a), _flat(b)
    size = ((a - b) * (a + b) / (a * b)).square().sum(-1)
    turn = pair.turn * ((a1 * a2).square().reciprocal() + (b1 * b2).square().reciprocal())
    return (centre_distance(pair) + centre_distance(pair.swapped()) + (size + turn).clamp(min=0)) / 2


def centre_distance(pair: GaussianPair) -> Tensor:
    """Squared Mahalanobis distance of the prediction's centre from the target, in the target's covariance."""
    return (pair.offset / pair.other).square().sum(-1)


def bhattacharyya(pair: GaussianPair) -> Tensor:
    """Bhattacharyya distance: minus the logarithm of the integral of √(p q).

        ⅛ dᵀ M⁻¹ d + ½ ln(det M / √(det A det B)),   M = (A + B) / 2

    The determinants' quotient is Π m + q, with m = 1 + (a - b)² / (2 a b) and q = Q / (4 a₁ a₂ b₁ b₂).
    """
    a, b = pair.own, pair.other
    (a1, a2), (b1, b2) = _flat(a), _flat(b)
    x, y = pair.offset[..., 0], pair.offset[..., 1]
    # the sum of both covariances in the target's frame
    tilt = _spread(a)
    xx = a1.square() + b1.square() - pair.sine.square() * tilt
    yy = a2.square() + b2.square() + pair.sine.square() * tilt
    xy = pair.sine * pair.cosine * tilt
    centre = (yy * x.square() - 2 * xy * x * y + xx * y.square()) / _sum_determinant(pair)
    if a.shape[-1] == 3:
        centre = centre + pair.offset[..., 2].square() / (a[..., 2].square() + b[..., 2].square())
    extra = (a - b).square() / (2 * a * b)
    flat = pair.turn / (4 * a1 * a2 * b1 * b2 * (1 + extra[..., 0]) * (1 + extra[..., 1]))
    size = torch.log1p(extra).sum(-1) + torch.log1p(flat)
    return centre / 4 + size.clamp(min=0) / 2


def kalman_iou(pair: GaussianPair) -> Tensor:
    """Overlap of the volumes that the covariances have, whatever the centres.

        V / (V_A + V_B - V),   V_C ∝ √det C,   V that of A - A (A + B)⁻¹ A, so that √det = √(det A det B / det(A + B))

    At most 1/3 in two dimensions, 1/(√32 - 1) = 0.2147 in three, where both are equal.
    """
    own, other = pair.own.prod(-1), pair.other.prod(-1)
    total = _sum_determinant(pair)
    if pair.own.shape[-1] == 3:
        total = total * (pair.own[..., 2].square() + pair.other[..., 2].square())
    shared = own * other / total.sqrt()
    return shared / (own + other - shared)


def root(value: Tensor) -> Tensor:
    """Square root, 0 with gradient 0 (not infinity) at 0."""
    positive = value > 0
    return torch.where(positive, torch.where(positive, value, torch.ones_like(value)).sqrt(), 0.0)


def _sum_determinant(pair: GaussianPair) -> Tensor:
    """Determinant of the sum of both covariances, seen from above."""
    (a1, a2), (b1, b2) = _flat(pair.own), _flat(pair.other)
    return (a1.square() + b1.square()) * (a2.square() + b2.square()) + pair.turn


def _spread(deviation: Tensor) -> Tensor:
    first, second = _flat(deviation)
    return (first - second) * (first + second)


def _flat(deviation: Tensor) -> tuple[Tensor, Tensor]:
    return deviation[..., 0], deviation[..., 1]


def _in_frame(between: Tensor, yaw: Tensor) -> Tensor:
    """Vectors (..., 2 or 3) in the frame of a yaw."""
    sine, cosine = yaw.sin(), yaw.cos()
    x, y = between[..., 0], between[..., 1]
    turned = torch.stack([cosine * x + sine * y, cosine * y - sine * x], dim=-1)
    return torch.cat([turned, between[..., 2:]], dim=-1)
