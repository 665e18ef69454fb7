"""Gradients of the overlap: right, finite everywhere, and 0 where the boxes are equal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from oracles import adversarial

from bev3d.overlap import (
    ciou_3d,
    ciou_bev,
    diou_3d,
    diou_bev,
    eiou_3d,
    eiou_bev,
    giou_3d,
    giou_bev,
    iou_3d,
    iou_bev,
)
from bev3d_ops.reference._intersection import intersection_area

Overlap = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

ENCLOSING: list[Overlap] = [giou_bev, giou_3d, diou_bev, diou_3d, ciou_bev, ciou_3d, eiou_bev, eiou_3d]
FUNCTIONS: list[Overlap] = [iou_bev, iou_3d, *ENCLOSING]


def named(function: Overlap) -> str:
    return function.__name__


def load(name: str, count: int = 2000, dtype: str = "float64") -> tuple[torch.Tensor, torch.Tensor]:
    a, b = (torch.from_numpy(boxes[:count]).clone().requires_grad_() for boxes in adversarial.pairs(name, dtype))
    return a, b


@pytest.mark.parametrize(
    ("name", "size"),
    [("jitter", 1e-5), ("jitter at 100 km", 1e-5), ("contained", 1e-5), ("concentric", 1e-5), ("strips", 1e-7)],
)
def test_area_agrees_with_central_differences(name: str, size: float) -> None:
    a, b = (boxes[:, [0, 1, 3, 4, 6]] for boxes in load(name))
    gradients = torch.autograd.grad(intersection_area(a, b).sum(), (a, b))
    with torch.no_grad():
        for k in range(10):
            own, column = (a, b)[k // 5], k % 5
            step = torch.zeros_like(own)
            step[:, column] = size
            one, other = ((a + sign * step, b) if k < 5 else (a, b + sign * step) for sign in (1, -1))
            # taken from the very numbers that were used: far from the origin the step is rounded
            width = (one[k // 5] - other[k // 5])[:, column]
            expected = (intersection_area(*one) - intersection_area(*other)) / width
            error = (gradients[k // 5][:, column] - expected).abs() / a[:, 2:4].amax(dim=1).clamp(min=1)
            # a pair with a kink inside the step differs; they are few
            assert error.quantile(0.97) <= 1e-4
            assert error.median() <= 1e-6


def test_a_box_with_itself_is_stationary() -> None:
    """One tensor as both arguments: its gradient is the sum of both."""
    a, _ = load("identical")
    for function in FUNCTIONS:
        assert torch.autograd.grad(function(a, a).sum(), a)[0].norm(dim=1).max() <= 1e-5


def test_apart_only_the_enclosing_forms_pull() -> None:
    pred = torch.tensor([[10.0, 3, 0, 4, 2, 1.5, 0.3]], requires_grad=True)
    target = torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0.0]])
    for function in (iou_bev, iou_3d):
        value = function(pred, target)
        assert value.item() == 0
        assert (torch.autograd.grad(value.sum(), pred)[0] == 0).all()
    for function in ENCLOSING:
        value = function(pred, target)
        assert value.item() < 0
        gradient = torch.autograd.grad(value.sum(), pred)[0][0]
        # ascent leads back to the target
        assert gradient[0] < 0
        assert gradient[1] < 0


def test_values_do_not_depend_on_whether_a_gradient_is_tracked() -> None:
    for name in ("jitter", "strips", "zero size"):
        a, b = load(name)
        for function in FUNCTIONS:
            with torch.no_grad():
                compiled = function(a, b)
            assert (compiled - function(a, b)).abs().max() <= 1e-12


def test_zero_length_has_the_gradient_of_growing() -> None:
    pred = torch.tensor([[0.0, 0, 0, 0, 2, 2, 0.2]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.0, 0, 0, 4, 2, 2, 0.2]], dtype=torch.float64)
    value = iou_bev(pred, target)
    assert value.item() == 0
    gradient = torch.autograd.grad(value.sum(), pred)[0]
    assert gradient[0, 3].item() == pytest.approx(1 / 4, abs=1e-12)


def test_a_second_derivative_is_refused_not_wrong() -> None:
    a, b = load("jitter", 3)
    (gradient,) = torch.autograd.grad(iou_bev(a, b).sum(), a, create_graph=True)
    with pytest.raises(RuntimeError, match=r"differentiated once only"):
        gradient.sum().backward()


def test_descent_finds_the_target() -> None:
    rng = np.random.default_rng(5)
    target = torch.from_numpy(adversarial.boxes(rng, 20, low=1.5, high=5))
    pred = target.clone()
    pred[:, :3] += torch.from_numpy(rng.normal(0, 0.3, (20, 3)))
    pred[:, 6] += torch.from_numpy(rng.normal(0, 0.2, 20))
    pred.requires_grad_()
    optimizer = torch.optim.Adam([pred], lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 150)
    for _ in range(150):
        optimizer.zero_grad()
        (1 - diou_3d(pred, target)).sum().backward()
        optimizer.step()
        schedule.step()
    assert iou_3d(pred.detach(), target).mean() > 0.98
