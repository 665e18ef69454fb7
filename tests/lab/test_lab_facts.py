"""What is known of the losses without a laboratory must come out of it."""

from __future__ import annotations

import math

import pytest
import torch
from lab_cases import LOSSES, TARGET, boxes, changed

import bev3d.losses
from bev3d import UserError
from bev3d.lab import all_losses
from bev3d.lab._descend import descend, gradient
from bev3d.lab._fields import gradient_fields
from bev3d.lab._losses import absent_losses, choose_losses, encoded_difference

GAUSSIANS = ("gwd", "kld", "jd", "bd", "kfiou", "probiou")
APART = boxes(changed(x=2.5, y=0.3, yaw=0.4), changed(x=-2.4, y=1.5, yaw=-2))
TARGETS = boxes(TARGET, TARGET)


@pytest.mark.parametrize("name", ["iou", "log_iou", "alpha_iou"])
def test_overlap_alone_never_moves_boxes_that_are_apart(name: str) -> None:
    trace = descend(LOSSES[name], APART, TARGETS, rate=0.1, steps=50)
    assert torch.equal(trace.final, APART)


@pytest.mark.parametrize("name", ["giou", "diou", "ciou", "eiou", "odiou", "rdiou", "mgiou", *GAUSSIANS[:5], "corner"])
def test_others_bring_them_nearer(name: str) -> None:
    before = APART[:, :2].norm(dim=1)
    trace = descend(LOSSES[name], APART, TARGETS, rate=0.1, steps=50)
    assert bool((trace.final[:, :2].norm(dim=1) < before).all())


@pytest.mark.parametrize("name", GAUSSIANS)
def test_gaussians_do_not_see_how_squares_are_turned(name: str) -> None:
    square = boxes(changed(l=1, yaw=0.5))
    slope = gradient(LOSSES[name], square, boxes(changed(l=1)))
    assert abs(float(slope[0, 6])) < 1e-12
    assert abs(float(gradient(LOSSES["iou"], square, boxes(changed(l=1)))[0, 6])) > 0.1
    assert abs(float(gradient(LOSSES[name], boxes(changed(yaw=0.5)), boxes(TARGET))[0, 6])) > 1e-3


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_half_a_turn_costs_only_where_it_says_so(name: str) -> None:
    loss = LOSSES[name].function(boxes(changed(yaw=math.pi), TARGET), TARGETS, "bev")
    difference = float(loss[0] - loss[1])
    assert difference > 0.5 if name in ("smooth_l1", "corner_heading") else abs(difference) < 1e-9


def test_diou_makes_a_box_that_is_apart_larger_and_eiou_does_not() -> None:
    away = {
        name: gradient(LOSSES[name], boxes(changed(x=4)), boxes(TARGET))[0, 3:5] for name in ("diou", "eiou", "giou")
    }
    assert float(away["diou"][0]) < 0
    assert float(away["giou"][0]) < 0
    wide = gradient(LOSSES["eiou"], boxes(changed(x=4, l=4)), boxes(TARGET))[0, 3]
    assert float(wide) > 0


@pytest.mark.parametrize("name", ["smooth_l1", "sine_l1"])
def test_l1_of_the_encoded_box_does_not_know_the_scale(name: str) -> None:
    pred = boxes(changed(x=0.7, y=-0.2, z=0.1, l=3, w=0.6, h=2, yaw=0.9))
    scale = torch.tensor([7.0] * 6 + [1], dtype=torch.float64)
    small, large = (LOSSES[name].function(pred * by, boxes(TARGET) * by, "bev") for by in (1, scale))
    torch.testing.assert_close(small, large, rtol=1e-12, atol=0)


def test_the_encoding_is_that_of_anchor_heads() -> None:
    pred, target = boxes([3.0, -1, 0.5, 4, 1, 2, 1.5]), boxes([0.0, 1, 0, 4, 3, 1, 0.5])
    expected = [3 / 5, -2 / 5, 0.5, 0, -math.log(3), math.log(2)]
    for sine, turn in ((False, 1.0), (True, math.sin(1))):
        torch.testing.assert_close(encoded_difference(pred, target, sine=sine), boxes([*expected, turn]))


@pytest.mark.parametrize("size", [0.0, -0.5])
def test_l1_has_a_way_back_from_a_size_that_is_not_positive(size: float) -> None:
    slope = gradient(LOSSES["smooth_l1"], boxes(changed(l=size)), boxes(TARGET))
    assert bool(slope.isfinite().all())
    assert float(slope[0, 3]) < 0


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_rests_at_the_target_and_pulls_finitely(name: str) -> None:
    fields = gradient_fields(LOSSES[name], 5, 9)
    assert abs(fields["place"]).max() < 100
    rest = gradient(LOSSES[name], boxes(TARGET), boxes(TARGET))
    # the smallest steps of rounding are enough for losses with a cone at the target
    assert float(rest.abs().max()) < 1e-6


def test_every_kind_takes_part_and_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"iou", "log_iou", "giou", "diou", "ciou", "eiou", *GAUSSIANS, "odiou", "rdiou", "mgiou"} <= set(LOSSES)
    assert absent_losses() == []
    monkeypatch.delattr(bev3d.losses, "gaussian_box_loss")
    monkeypatch.delattr(bev3d.losses, "odiou_loss")
    assert set(LOSSES) - set(all_losses()) == {*GAUSSIANS, "odiou"}
    assert absent_losses() == [*GAUSSIANS, "odiou"]


def test_losses_are_chosen_by_name_in_one_order() -> None:
    assert list(choose_losses(("smooth_l1", "iou"))) == ["iou", "smooth_l1"]
    with pytest.raises(UserError, match=r"losses: expected names among iou, .*, got 'iuo'"):
        choose_losses(("iuo",))
