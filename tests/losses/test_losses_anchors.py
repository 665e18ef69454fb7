"""Traps of centre-ness, mining, harmonising and seesaw that the table does not reach."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from bev3d.boxes import corners_3d
from bev3d.losses import (
    GhmClassificationLoss,
    MultiboxLoss,
    SeesawLoss,
    centerness_loss,
    centerness_target,
    ghm_classification_loss,
    hard_negative_mining,
    multibox_loss,
    seesaw_loss,
)


def test_centerness_by_hand() -> None:
    box = torch.tensor([10.0, 0, 1, 4, 2, 2, 0])
    points = torch.tensor([[10.0, 0, 1], [11.0, 0, 1], [11.0, 0.5, 1.5], [12.0, 0, 1], [13.0, 0, 1]])
    # a quarter from one end: 1 to 3 along each axis
    expected = [1, (1 / 3) ** (1 / 3), 1 / 3, 0, 0]
    assert centerness_target(points, box).tolist() == pytest.approx(expected)


def test_centerness_turns_with_the_box_and_is_zero_at_its_corners() -> None:
    box = torch.tensor([3.0, -2, 1, 4, 2, 1.5, 0.7], dtype=torch.float64)
    assert centerness_target(corners_3d(box), box).max() <= 1e-4
    c, s = math.cos(0.7), math.sin(0.7)
    point = box[:3] + torch.tensor([c * 1.0, s * 1.0, 0])
    assert centerness_target(point, box).item() == pytest.approx((1 / 3) ** (1 / 3))


@pytest.mark.parametrize("broken", [0.0, -1.0, math.nan, math.inf])
def test_centerness_of_a_broken_box_is_zero(broken: float) -> None:
    box = torch.tensor([0.0, 0, 0, broken, 2, 2, 0])
    assert centerness_target(torch.zeros(3), box).item() == 0


def test_centerness_loss_rests_at_its_target_not_at_zero() -> None:
    logit = torch.logit(torch.tensor(0.3)).requires_grad_()
    loss = centerness_loss(logit, torch.tensor(0.3))
    loss.backward()
    assert abs(logit.grad.item()) < 1e-6
    assert loss.item() > 0.6


def test_mining_keeps_the_hardest_of_each_sample_and_none_without_positives() -> None:
    loss = torch.tensor([[0.1, 0.9, 0.5, 0.7, 0.3, 0.2], [9.0, 8, 7, 6, 5, 4]])
    positive = torch.tensor([[True, False, False, False, False, False], [False] * 6])
    kept = hard_negative_mining(loss, positive, ratio=2)
    assert kept.tolist() == [[True, True, False, True, False, False], [False] * 6]
    ignored = torch.zeros_like(positive)
    ignored[0, 1] = True
    assert hard_negative_mining(loss, positive, ratio=2, ignored=ignored)[0].nonzero().flatten().tolist() == [0, 2, 3]


def test_mining_asks_for_no_more_negatives_than_there_are() -> None:
    positive = torch.tensor([[True, True, False]])
    assert hard_negative_mining(torch.rand(1, 3), positive).all()


def test_multibox_is_divided_by_the_positives() -> None:
    logits, boxes = torch.zeros(1, 10, 2), torch.zeros(1, 10, 7)
    labels = torch.tensor([[1, 1, 0, 0, 0, 0, 0, 0, 0, 0]])
    # two positives and six negatives of ln 2 each
    assert MultiboxLoss()(logits, labels, boxes, boxes).item() == pytest.approx(4 * math.log(2))
    assert multibox_loss(logits, labels, boxes, boxes).count_nonzero() == 8


def test_harmonised_bins_weigh_the_same() -> None:
    logits = torch.cat([torch.full((90,), -6.0), torch.full((10,), 1.0)]).double()
    labels = torch.zeros(100, dtype=torch.float64)
    entropy = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    weight = ghm_classification_loss(logits, labels) / entropy
    assert weight[:90].sum() == pytest.approx(weight[90:].sum().item(), rel=1e-5)


def test_the_moving_average_remembers_in_training_and_rests_in_evaluation() -> None:
    module = GhmClassificationLoss(momentum=0.75)
    logits, labels = torch.zeros(8), torch.zeros(8)
    module(logits, labels)
    assert module.density[5].item() == pytest.approx(2)
    module.eval()
    module(logits, labels)
    assert module.density[5].item() == pytest.approx(2)
    assert "density" in module.state_dict()


def test_seesaw_without_its_factors_is_cross_entropy() -> None:
    logits, labels = 3 * torch.randn(20, 6, dtype=torch.float64), torch.randint(0, 6, (20,))
    counts = torch.rand(6) * 1000
    loss = seesaw_loss(logits, labels, counts, p=0, q=0)
    torch.testing.assert_close(loss, functional.cross_entropy(logits, labels, reduction="none"))


def test_seesaw_spares_rare_classes_only_where_the_frequent_one_is_right() -> None:
    logits, counts = torch.zeros(1, 2, requires_grad=True), torch.tensor([1000.0, 1.0])
    frequent = torch.autograd.grad(seesaw_loss(logits, torch.tensor([0]), counts).sum(), logits)[0]
    rare = torch.autograd.grad(seesaw_loss(logits, torch.tensor([1]), counts).sum(), logits)[0]
    assert 0 < frequent[0, 1] < 0.01
    assert rare[0, 0].item() == pytest.approx(0.5)


def test_seesaw_counts_what_it_has_seen_and_saves_it() -> None:
    module = SeesawLoss(3)
    module(torch.randn(4, 3), torch.tensor([0, 0, 2, -1]))
    module(torch.randn(1, 3), torch.tensor([0]))
    assert module.class_counts.tolist() == [3, 0, 1]
    module.eval()
    module(torch.randn(1, 3), torch.tensor([1]))
    assert module.state_dict()["class_counts"].tolist() == [3, 0, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: centerness_target(torch.zeros(2), torch.zeros(7)), ValueError, r"points.*\(2,\)"),
        (lambda: centerness_target(torch.zeros(3), torch.zeros(6)), ValueError, r"boxes.*\(6,\)"),
        (lambda: centerness_loss(torch.zeros(2), torch.tensor([0.0, 2])), ValueError, "target.*2"),
        (lambda: hard_negative_mining(torch.zeros(2, 3), torch.zeros(2, 3)), TypeError, "positive.*bool"),
        (
            lambda: hard_negative_mining(torch.zeros(2, 3), torch.zeros(2, 2, dtype=torch.bool)),
            ValueError,
            r"positive.*\(2, 3\).*\(2, 2\)",
        ),
        (
            lambda: hard_negative_mining(torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool), ratio=-1),
            ValueError,
            "ratio.*-1",
        ),
        (lambda: ghm_classification_loss(torch.zeros(2), torch.zeros(2), bins=0), ValueError, "bins.*0"),
        (
            lambda: ghm_classification_loss(torch.zeros(2), torch.zeros(2), density=torch.ones(3)),
            ValueError,
            r"density.*\(10,\).*\(3,\)",
        ),
        (lambda: GhmClassificationLoss(momentum=1), ValueError, "momentum.*1"),
        (
            lambda: seesaw_loss(torch.zeros(1, 3), torch.tensor([0]), torch.ones(2)),
            ValueError,
            r"class_counts.*\(3,\).*\(2,\)",
        ),
        (lambda: seesaw_loss(torch.zeros(1, 3), torch.tensor([0]), torch.ones(3), p=-1), ValueError, "p:.*-1"),
        (lambda: SeesawLoss(0), ValueError, "classes.*0"),
    ],
)
def test_bad_input_is_named(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]
