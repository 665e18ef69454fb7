"""The divergences of Gaussians: integrals, closed forms, digits close to equality, invariance."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from oracles import adversarial

from bev3d.losses import gaussian_box_loss

KINDS = ["gwd", "kld", "jd", "bd", "kfiou", "probiou"]
Kind = Any
PRED = torch.tensor([[1.2, -0.4, 0.3, 4.4, 1.7, 1.9, 0.9]], dtype=torch.float64)
TARGET = torch.tensor([[0.8, 0.1, 0.1, 3.9, 1.9, 1.6, 0.4]], dtype=torch.float64)


def raw(kind: Kind, pred: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
    """The distance itself."""
    return gaussian_box_loss(pred, target, kind=kind, fun="none", tau=None, **options)


def log_density(box: torch.Tensor, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the footprint's normal distribution, on a grid."""
    cx, cy, _, l, w, _, yaw = box[0].tolist()  # noqa: E741
    c, s = math.cos(yaw), math.sin(yaw)
    along, across = c * (x - cx) + s * (y - cy), c * (y - cy) - s * (x - cx)
    exponent = (along / (l / 2)) ** 2 + (across / (w / 2)) ** 2
    return -exponent / 2 - math.log(2 * math.pi * l / 2 * w / 2)


def test_the_divergences_are_their_integrals() -> None:
    """The trapezoidal rule is exact to rounding for functions as smooth as these."""
    axis = np.linspace(-25, 25, 1001)
    x, y = np.meshgrid(axis, axis)
    cell = (axis[1] - axis[0]) ** 2
    log_p, log_q = log_density(PRED, x, y), log_density(TARGET, x, y)
    p, q = np.exp(log_p), np.exp(log_q)
    assert p.sum() * cell == pytest.approx(1, abs=1e-12)
    forward, back = (p * (log_p - log_q)).sum() * cell, (q * (log_q - log_p)).sum() * cell
    assert raw("kld", PRED, TARGET, space="bev").item() == pytest.approx(forward, rel=1e-10)
    both = raw("kld", PRED, TARGET, space="bev", direction="target_to_pred").item()
    assert both == pytest.approx(back, rel=1e-10)
    assert raw("jd", PRED, TARGET, space="bev").item() == pytest.approx(forward + back, rel=1e-10)
    coefficient = np.sqrt(p * q).sum() * cell
    assert raw("bd", PRED, TARGET, space="bev").item() == pytest.approx(-math.log(coefficient), rel=1e-10)
    hellinger = gaussian_box_loss(PRED, TARGET, kind="probiou", space="bev", variance=1 / 4)
    assert hellinger.item() == pytest.approx(math.sqrt(1 - coefficient), rel=1e-10)


def test_closed_forms() -> None:
    target = torch.tensor([[0.0, 0, 0, 4, 2, 2, 0]], dtype=torch.float64)
    pred = torch.tensor([[3.0, 4, 1, 6, 4, 2, 0]], dtype=torch.float64)
    # standard deviations 3, 2, 1 and 2, 1, 1
    assert raw("gwd", pred, target, space="bev").item() == pytest.approx(25 + 1 + 1, rel=1e-14)
    assert raw("gwd", pred, target).item() == pytest.approx(26 + 1 + 1, rel=1e-14)
    assert gaussian_box_loss(pred, target, kind="gwd", space="bev").item() == pytest.approx(
        1 - 1 / (1 + math.log(28)), rel=1e-14
    )
    # a footprint turned by a quarter with its sides exchanged is the same Gaussian
    swapped = torch.tensor([[0.0, 0, 0, 2, 4, 2, math.pi / 2]], dtype=torch.float64)
    for kind in ("gwd", "kld", "jd", "bd"):
        assert raw(kind, swapped, target).abs().item() <= 1e-14
    forward = 0.5 * (9 / 4 + 16 + 9 / 4 + 4 - 2 - math.log(9 / 4) - math.log(4))
    assert raw("kld", pred, target, space="bev").item() == pytest.approx(forward, rel=1e-14)


def by_the_book(kind: str, pred: list[float], target: list[float]) -> mpmath.mpf:
    """Matrices in 60 digits, where the textbook's differences cost nothing."""

    def moments(box: list[float]) -> tuple[Any, Any]:
        x, y, z, l, w, h, yaw = map(mpmath.mpf, box)  # noqa: E741
        c, s = mpmath.cos(yaw), mpmath.sin(yaw)
        turn = mpmath.matrix([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return mpmath.matrix([x, y, z]), turn * mpmath.diag([(l / 2) ** 2, (w / 2) ** 2, (h / 2) ** 2]) * turn.T

    with mpmath.workdps(60):
        (m, a), (n, b) = moments(pred), moments(target)
        d = m - n

        def trace(matrix: Any) -> Any:
            return matrix[0, 0] + matrix[1, 1] + matrix[2, 2]

        def divergence(d: Any, a: Any, b: Any) -> Any:
            log = mpmath.log(mpmath.det(b) / mpmath.det(a))
            return ((d.T * b**-1 * d)[0] + trace(b**-1 * a) - 3 + log) / 2

        if kind == "gwd":
            # the square root of a similar matrix has the same trace
            product = mpmath.matrix(2, 2)
            both = a * b
            for i in range(2):
                for j in range(2):
                    product[i, j] = both[i, j]
            flat = mpmath.sqrt(product[0, 0] + product[1, 1] + 2 * mpmath.sqrt(mpmath.det(product)))
            return (d.T * d)[0] + trace(a) + trace(b) - 2 * (flat + mpmath.sqrt(both[2, 2]))
        if kind == "bd":
            mean = (a + b) / 2
            log = mpmath.log(mpmath.det(mean) / mpmath.sqrt(mpmath.det(a) * mpmath.det(b)))
            return (d.T * mean**-1 * d)[0] / 8 + log / 2
        forward = divergence(d, a, b)
        return forward + divergence(-d, b, a) if kind == "jd" else forward


@pytest.mark.parametrize("kind", ["gwd", "kld", "jd", "bd"])
@pytest.mark.parametrize("step", [1e-2, 1e-5, 1e-8])
def test_close_to_equality_no_digits_are_lost(kind: Kind, step: float) -> None:
    """By traces and determinants, the squares of steps of 1e-8 would drown in the rounding of numbers near 1."""
    change = torch.tensor([0.3, -0.2, 0.1, 0.4, -0.3, 0.2, 0.5], dtype=torch.float64)
    pred = TARGET + step * change
    expected = float(by_the_book(kind, pred[0].tolist(), TARGET[0].tolist()))
    assert 0 < expected < 10 * step**2
    # a logarithm near 0 keeps the digits that the step has within a float64 near 1
    tolerance = 1e-9 if kind != "kld" else max(1e-9, 1e-15 / step)
    assert raw(kind, pred, TARGET).item() == pytest.approx(expected, rel=tolerance, abs=0)


def test_the_hellinger_distance_loses_none_either() -> None:
    for step in (1e-5, 1e-8, 1e-11):
        pred = TARGET + step
        distance = raw("bd", pred, TARGET, variance=1 / 12)
        assert torch.allclose(gaussian_box_loss(pred, TARGET, kind="probiou"), distance.sqrt(), rtol=1e-9, atol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("space", ["bev", "3d"])
def test_rigid_motions_and_scale(kind: Kind, space: Any) -> None:
    pred, target = (torch.from_numpy(boxes[:200]) for boxes in adversarial.pairs("jitter"))
    loss = gaussian_box_loss(pred, target, kind=kind, space=space)
    angle = 1.1
    c, s = math.cos(angle), math.sin(angle)
    moved = []
    for boxes in (pred, target):
        x, y = boxes[:, 0], boxes[:, 1]
        rest_ = [boxes[:, 2] - 3, *boxes[:, 3:6].unbind(1), boxes[:, 6] + angle]
        moved.append(torch.stack([c * x - s * y + 5, s * x + c * y - 7, *rest_], dim=1))
    assert torch.allclose(gaussian_box_loss(*moved, kind=kind, space=space), loss, atol=1e-10)
    large = [boxes * torch.tensor([9.0] * 6 + [1.0]) for boxes in (pred, target)]
    scaled = gaussian_box_loss(*large, kind=kind, space=space)
    assert torch.allclose(scaled, loss, atol=1e-10) == (kind != "gwd")
    if kind == "gwd":
        normalised = [
            gaussian_box_loss(*pair, kind=kind, space=space, normalise=True) for pair in ((pred, target), large)
        ]
        assert torch.allclose(*normalised, atol=1e-10)
