"""Traps of the heading losses that the table does not reach."""

from __future__ import annotations

import math

import pytest
import torch

from bev3d.losses import (
    bin_residual_loss,
    direction_loss,
    direction_targets,
    multibin_loss,
    sin_cos_loss,
    sin_difference_loss,
    velocity_loss,
)


def test_sectors_of_two_part_at_a_quarter_and_five_quarters_of_pi() -> None:
    yaw = torch.tensor([0.0, math.pi / 4 + 1e-3, math.pi / 2, math.pi, 5 * math.pi / 4 + 1e-3, -math.pi / 2, torch.nan])
    assert direction_targets(yaw).tolist() == [1, 0, 0, 0, 1, 1, -1]


@pytest.mark.parametrize("bins", [1, 2, 3, 12])
def test_every_yaw_has_a_sector_whatever_its_turns(bins: int) -> None:
    yaw = torch.linspace(-50, 50, 20_001, dtype=torch.float64)
    sector = direction_targets(yaw, bins=bins, offset=0.3)
    assert sector.min() == 0
    assert sector.max() == bins - 1
    inside = torch.remainder(yaw - 0.3, 2 * math.pi) - sector * (2 * math.pi / bins)
    assert inside.min() >= -1e-9
    assert inside.max() <= 2 * math.pi / bins + 1e-9


def test_a_yaw_a_hair_below_the_offset_is_in_the_last_sector() -> None:
    assert direction_targets(torch.tensor([-1e-12]), bins=4, offset=0.0).item() == 3


def test_the_sine_does_not_see_half_a_turn_and_the_direction_does() -> None:
    yaw = torch.tensor([0.3])
    assert sin_difference_loss(yaw, yaw + math.pi).item() == pytest.approx(0, abs=1e-9)
    logits = torch.nn.functional.one_hot(direction_targets(yaw), 2) * 9.0
    assert direction_loss(logits, yaw + math.pi).item() > 8


def test_the_unit_norm_term_is_off_by_default_and_pulls_to_the_circle() -> None:
    vector, target = torch.tensor([[0.0, 0.5]], requires_grad=True), torch.tensor([[0.0, 0.5]])
    assert sin_cos_loss(vector, target).item() == 0
    loss = sin_cos_loss(vector, target, unit_norm_weight=1.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.75**2)
    assert vector.grad[0, 1] < 0


def test_a_collapsed_residual_vector_has_a_finite_gradient() -> None:
    pred = torch.zeros(1, 4, 3, requires_grad=True)
    loss = multibin_loss(pred, torch.tensor([0.1]))
    loss.backward()
    assert loss.isfinite()
    assert pred.grad.isfinite().all()


def test_the_right_bin_and_angle_cost_nothing_but_the_class() -> None:
    yaw = torch.tensor([2.0], dtype=torch.float64)
    pred = torch.zeros(1, 4, 3, dtype=torch.float64)
    for i in range(4):
        away = 2.0 - i * math.pi / 2
        pred[0, i] = torch.tensor([0.0, 3 * math.sin(away), 3 * math.cos(away)])
    assert multibin_loss(pred, yaw).item() == pytest.approx(math.log(4))
    residuals = torch.zeros(1, 12, 2, dtype=torch.float64)
    residuals[0, 4, 1] = (2.0 - 4 * math.pi / 6) / (math.pi / 12)
    assert bin_residual_loss(residuals, yaw).item() == pytest.approx(math.log(12))


def test_a_nan_velocity_leaves_no_nan_behind() -> None:
    pred = torch.ones(2, 2, requires_grad=True)
    velocity_loss(pred, torch.tensor([[torch.nan, 0.0], [torch.nan, torch.nan]]), reduction="mean").backward()
    assert pred.grad.tolist() == [[0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: direction_targets(torch.zeros(2), bins=0), "bins.*0"),
        (lambda: direction_loss(torch.zeros(2, 3), torch.zeros(3)), r"pred.*\(3,\).*\(2, 3\)"),
        (lambda: sin_cos_loss(torch.zeros(2, 3), torch.zeros(2, 3)), r"pred.*\(\.\.\., 2\).*\(2, 3\)"),
        (lambda: sin_cos_loss(torch.zeros(2, 2), torch.zeros(2, 2), unit_norm_weight=-1), "unit_norm_weight.*-1"),
        (lambda: velocity_loss(torch.zeros(2, 3), torch.zeros(2, 3)), r"pred.*vx and vy.*\(2, 3\)"),
        (lambda: velocity_loss(torch.zeros(2, 2), torch.zeros(2, 2), delta=0.0), "delta.*0"),
        (lambda: multibin_loss(torch.zeros(2, 4, 2), torch.zeros(2)), r"pred.*bins, 3.*\(2, 4, 2\)"),
        (lambda: multibin_loss(torch.zeros(2, 4, 3), torch.zeros(3)), r"target.*\(2,\).*\(3,\)"),
        (lambda: multibin_loss(torch.zeros(2, 4, 3), torch.zeros(2), overlap=2), "overlap.*2"),
        (lambda: bin_residual_loss(torch.zeros(2, 4, 2), torch.zeros(2), residual_weight=-1), "residual_weight.*-1"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
