"""Regression, likelihood and heading: losses along an error."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bev3d import losses
from bev3d.guide._curves import Curve, Panel, sweep

__all__ = ["gather", "heading", "likelihood", "regression"]

ERROR = "error d"


def regression() -> list[Panel]:
    """Near the target and far from it."""

    def none(d: Tensor) -> Tensor:
        return torch.zeros_like(d)

    def ghm(d: Tensor) -> Tensor:
        even = torch.full((10,), float(len(d)))  # a density that weighs all entries by 1
        return losses.ghm_regression_loss(d, none(d), density=even)

    def curves(low: float, high: float) -> list[Curve]:
        return [
            sweep("L1", lambda d: losses.l1_loss(d, none(d)), low, high),
            sweep("smooth L1, β 1/9", lambda d: losses.smooth_l1_loss(d, none(d)), low, high),
            sweep("Huber, δ 1", lambda d: losses.huber_loss(d, none(d)), low, high),
            sweep("L2", lambda d: losses.l2_loss(d, none(d)), low, high),
        ]

    def shaped(low: float, high: float) -> list[Curve]:
        return [
            sweep("balanced L1", lambda d: losses.balanced_l1_loss(d, none(d)), low, high),
            sweep("focal L1", lambda d: losses.focal_l1_loss(d, none(d)), low, high),
            sweep("Huber, δ 1", lambda d: losses.huber_loss(d, none(d)), low, high),
            sweep("GHM-R, weight 1", ghm, low, high),
        ]

    return [
        Panel("Far from the target", ERROR, curves(-2.2, 2.2), (0, 3), (-2.4, 2.4)),
        Panel("Near the target", ERROR, curves(-0.3, 0.3), (0, 0.3), (-1.15, 1.15)),
        Panel("Shaped gradients", ERROR, shaped(-2.2, 2.2), (0, 3), (-1.7, 1.7)),
    ]


def gather() -> list[Panel]:
    """What a component of each name and weight pulls with, and an unknown one."""

    def term(weight: float, known: bool) -> Curve:
        name = f"weight {weight:g}" if known else "target NaN"

        def loss(d: Tensor) -> Tensor:
            maps = {"velocity": d.reshape(1, 1, 1, -1)}
            target = torch.zeros(1, len(d), 1, dtype=d.dtype) if known else torch.full((1, len(d), 1), torch.nan)
            cells = torch.arange(len(d))[None]
            mask = torch.ones_like(cells, dtype=torch.bool)
            out = losses.gather_regression_loss(maps, {"velocity": target}, cells, mask, weights={"velocity": weight})
            return out["velocity"][0, :, 0]

        return sweep(name, loss, -2, 2)

    return [Panel("gather_regression_loss, L1", ERROR, [term(1.0, True), term(0.2, True), term(1.0, False)])]


def likelihood() -> list[Panel]:
    """Along the error at a fixed scale, and along the scale at a fixed error."""

    def zero(x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    def by_error(s: float) -> list[Curve]:
        return [
            sweep("Laplace", lambda d: losses.laplace_nll_loss(d, zero(d), zero(d) + s), -3, 3),
            sweep("Gaussian", lambda d: losses.gaussian_nll_loss(d, zero(d), zero(d) + s), -3, 3),
            sweep("smooth L1", lambda d: losses.uncertainty_smooth_l1_loss(d, zero(d), zero(d) + s), -3, 3),
        ]

    def by_scale(error: float) -> list[Curve]:
        return [
            sweep("Laplace", lambda s: losses.laplace_nll_loss(zero(s) + error, zero(s), s), -5, 4),
            sweep("Gaussian", lambda s: losses.gaussian_nll_loss(zero(s) + error, zero(s), s), -5, 4),
            sweep("smooth L1", lambda s: losses.uncertainty_smooth_l1_loss(zero(s) + error, zero(s), s), -5, 4),
        ]

    s = "s, log of scale or variance"
    return [
        Panel("Along the error, s = 0", ERROR, by_error(0.0)),
        Panel("Along s, error 1", s, by_scale(1.0), (-1, 10), (-10, 2)),
        Panel("Along s, error 0.1", s, by_scale(0.1), (-6, 10), (-6, 2)),
    ]


def heading() -> list[Panel]:
    """Along the error of the yaw, in degrees; gradients per radian."""

    def degrees(name: str, curve: Curve) -> Curve:
        return Curve(name, curve.at * 180 / math.pi, curve.value, curve.slope)

    def vector(a: Tensor) -> Tensor:
        return torch.stack([a.sin(), a.cos()], -1)

    def sin_cos(yaw: float) -> Curve:
        curve = sweep(
            "", lambda d: losses.sin_cos_loss(vector(d + yaw), vector(torch.full_like(d, yaw))), -math.pi, math.pi
        )
        return degrees(f"sin_cos, yaw {yaw * 180 / math.pi:.0f}°", curve)

    def bins(d: Tensor, count: int, vectors: bool) -> Tensor:
        """A head of ``count`` bins, sure of the right bin, that says yaw d where 0 is right."""
        centres = torch.arange(count, dtype=d.dtype) * 2 * math.pi / count
        sure = torch.zeros(len(d), count, 1, dtype=d.dtype)
        sure[:, 0] = 8.0
        away = d[:, None] - centres
        residual = vector(away) if vectors else (away / (math.pi / count))[..., None]
        return torch.cat([sure, residual], -1)

    def zero(d: Tensor) -> Tensor:
        return torch.zeros_like(d)

    angle = "error of the yaw, degrees"
    whole = [
        degrees("sin_difference", sweep("", lambda d: losses.sin_difference_loss(d, zero(d)), -math.pi, math.pi)),
        sin_cos(0.0),
        sin_cos(math.pi / 4),
    ]
    binned = [
        degrees("multibin, 2 bins", sweep("", lambda d: losses.multibin_loss(bins(d, 2, True), zero(d)), -1, 1)),
        degrees(
            "bin_residual / 20",
            sweep("", lambda d: losses.bin_residual_loss(bins(d, 12, False), zero(d)) / 20, -1, 1),
        ),
    ]

    def sector(x: Tensor) -> Tensor:
        return losses.direction_loss(torch.stack([x, torch.zeros_like(x)], -1), torch.full_like(x, math.pi / 2))

    return [
        Panel("Without bins", angle, whole, None, (-2.2, 2.2)),
        Panel("A sure bin and its residual", angle, binned),
        Panel("direction_loss: which half", "logit of the right sector, other at 0", [
            sweep("direction", sector, -5, 5)]),
    ]  # fmt: skip
