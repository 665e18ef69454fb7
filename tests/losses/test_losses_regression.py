"""Traps of the regression losses that the table does not reach."""

from __future__ import annotations

import math

import pytest
import torch

from bev3d.losses import (
    balanced_l1_loss,
    focal_l1_loss,
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    laplace_nll_loss,
    smooth_l1_loss,
)


def gradient(function: object, size: float, **options: float) -> float:
    value = torch.tensor([size], dtype=torch.float64, requires_grad=True)
    loss = function(value, torch.zeros(1, dtype=torch.float64), **options)  # type: ignore[operator]
    return float(torch.autograd.grad(loss.sum(), value)[0])


def test_focal_l1_pulls_hardest_with_one_at_its_stated_place() -> None:
    peak = 1 / (math.e * 0.8)
    assert gradient(focal_l1_loss, peak) == pytest.approx(1, abs=1e-12)
    assert gradient(focal_l1_loss, peak * 0.9) < 1
    assert gradient(focal_l1_loss, peak * 1.1) < 1


@pytest.mark.parametrize("beta", [0.25, 1.0, 3.0])
def test_balanced_l1_is_continuous_in_value_and_gradient_for_every_beta(beta: float) -> None:
    below, above = (torch.tensor([beta + step], dtype=torch.float64) for step in (-1e-9, 1e-9))
    zero = torch.zeros(1, dtype=torch.float64)
    jump = balanced_l1_loss(above, zero, beta=beta) - balanced_l1_loss(below, zero, beta=beta)
    assert abs(jump.item()) < 1e-8
    assert gradient(balanced_l1_loss, beta - 1e-9, beta=beta) == pytest.approx(1.5, abs=1e-6)
    assert gradient(balanced_l1_loss, 2 * beta, beta=beta) == pytest.approx(1.5, abs=1e-12)


def test_huber_is_delta_times_smooth_l1() -> None:
    pred, target = torch.randn(50, dtype=torch.float64), torch.randn(50, dtype=torch.float64)
    torch.testing.assert_close(
        huber_loss(pred, target, delta=0.3), 0.3 * smooth_l1_loss(pred, target, beta=0.3), rtol=1e-14, atol=1e-14
    )


def test_smooth_l1_without_a_smooth_part_is_l1() -> None:
    pred, target = torch.randn(50), torch.randn(50)
    torch.testing.assert_close(smooth_l1_loss(pred, target, beta=0), l1_loss(pred, target))


def test_an_unknown_component_masks_itself_and_nothing_else() -> None:
    pred = torch.tensor([[1.0, 2.0]], requires_grad=True)
    loss = l1_loss(pred, torch.tensor([[torch.nan, 0.0]]))
    loss.sum().backward()
    assert loss.tolist() == [[0, 2]]
    assert pred.grad.tolist() == [[0, 1]]


def test_a_scale_below_the_bound_stays_finite_and_can_come_back() -> None:
    for function in (laplace_nll_loss, gaussian_nll_loss):
        scale = torch.tensor([-1e4, -1e4], requires_grad=True)
        loss = function(torch.tensor([1.0, 0.0]), torch.zeros(2), scale)
        (grad,) = torch.autograd.grad(loss.sum(), scale)
        assert loss.isfinite().all()
        assert grad[0] < 0, "an error far above the scale must make it grow"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: l1_loss(torch.zeros(2), torch.zeros(3)), r"target.*\(2,\).*\(3,\)"),
        (lambda: l1_loss(torch.zeros(2), torch.zeros(3, 2)), "target"),
        (lambda: smooth_l1_loss(torch.zeros(2), torch.zeros(2), beta=-1), "beta.*-1"),
        (lambda: huber_loss(torch.zeros(2), torch.zeros(2), delta=0), "delta.*0"),
        (lambda: balanced_l1_loss(torch.zeros(2), torch.zeros(2), alpha=0), "alpha.*0"),
        (lambda: focal_l1_loss(torch.zeros(2), torch.zeros(2), beta=2), "beta.*1/e.*2"),
        (lambda: laplace_nll_loss(torch.zeros(2), torch.zeros(2), torch.zeros(3)), "log_scale"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_a_nan_scale_at_an_unknown_component_leaves_no_nan_behind() -> None:
    pred, scale = torch.zeros(2, requires_grad=True), torch.tensor([torch.nan, 0.0], requires_grad=True)
    loss = laplace_nll_loss(pred, torch.tensor([torch.nan, 1.0]), scale)
    loss.sum().backward()
    assert loss[0] == 0
    assert pred.grad.isfinite().all()
    assert scale.grad.isfinite().all()
