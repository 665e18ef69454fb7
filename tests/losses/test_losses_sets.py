"""Traps of the losses of sets that the table does not reach."""

from __future__ import annotations

import pytest
import torch

from bev3d.losses import DiceLoss, dice_loss, focal_tversky_loss, jaccard_loss, log_dice_loss, tversky_loss


def test_a_class_without_ground_truth_in_its_three_ways() -> None:
    logits, labels = torch.zeros(1, 3, 10), torch.zeros(1, 10, dtype=torch.int64)
    ignored = dice_loss(logits, labels, empty="ignore", smooth=1e-6)
    assert ignored[0, 1:].tolist() == [0, 0]
    assert dice_loss(logits, labels, empty="ignore", reduction="mean", smooth=1e-6) == ignored[0, 0]
    assert dice_loss(logits, labels, empty="one", reduction="mean", smooth=1e-6) == pytest.approx(
        ignored[0, 0].item() / 3
    )
    assert dice_loss(logits, labels, empty="zero", smooth=1e-6)[0, 1:].min() > 0.999


def test_nothing_over_nothing_is_right_even_without_smoothing() -> None:
    logits = torch.full((1, 2, 5), -1e4, requires_grad=True)
    loss = dice_loss(logits, torch.zeros(1, 2, 5), activation="sigmoid", empty="zero", smooth=0)
    loss.sum().backward()
    assert loss.tolist() == [[0, 0]]
    assert logits.grad.isfinite().all()


def test_half_and_half_of_tversky_is_dice_and_one_and_one_is_jaccard() -> None:
    logits, labels = torch.randn(2, 3, 30, dtype=torch.float64), torch.randint(0, 3, (2, 30))
    torch.testing.assert_close(
        tversky_loss(logits, labels, alpha=0.5, beta=0.5, smooth=0.5), dice_loss(logits, labels, smooth=1.0)
    )
    torch.testing.assert_close(tversky_loss(logits, labels, alpha=1, beta=1), jaccard_loss(logits, labels))


def test_alpha_is_of_false_positives_and_beta_of_false_negatives() -> None:
    labels = torch.tensor([[[1.0, 1, 0, 0]]])
    too_many, too_few = torch.tensor([[[9.0, 9, 9, -9]]]), torch.tensor([[[9.0, -9, -9, -9]]])
    over = tversky_loss(too_many, labels, activation="sigmoid", smooth=0).item()
    under = tversky_loss(too_few, labels, activation="sigmoid", smooth=0).item()
    assert over == pytest.approx(1 - 2 / 2.3, abs=1e-3)
    assert under == pytest.approx(1 - 1 / 1.7, abs=1e-3)


def test_the_squared_denominator_rests_at_soft_labels_and_the_other_does_not() -> None:
    soft = torch.tensor([[[0.3, 0.6, 0.8]]])
    logits = torch.logit(soft).requires_grad_()
    for denominator, rests in (("squared", True), ("sum", False)):
        loss = dice_loss(logits, soft, activation="sigmoid", denominator=denominator)
        (grad,) = torch.autograd.grad(loss.sum(), logits)
        assert (grad.abs().max() < 1e-6) == rests


def test_focal_tversky_takes_the_root_and_log_dice_the_power() -> None:
    logits, labels = torch.randn(2, 3, 30), torch.randint(0, 3, (2, 30))
    torch.testing.assert_close(
        focal_tversky_loss(logits, labels, gamma=2.0), tversky_loss(logits, labels).sqrt(), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        log_dice_loss(logits, labels), -(1 - dice_loss(logits, labels)).log(), rtol=1e-5, atol=1e-6
    )


def test_samples_batch_and_all() -> None:
    logits, labels = torch.randn(4, 3, 5, 5), torch.randint(0, 3, (4, 5, 5))
    assert dice_loss(logits, labels).shape == (4, 3)
    assert dice_loss(logits, labels, over="batch").shape == (3,)
    assert dice_loss(logits, labels, over="all").shape == (1,)
    assert "over='batch'" in repr(DiceLoss(over="batch"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"over": "pixel"}, ValueError, "over.*pixel"),
        ({"empty": "two"}, ValueError, "empty.*two"),
        ({"activation": "relu"}, ValueError, "activation.*relu"),
        ({"denominator": "cubed"}, ValueError, "denominator.*cubed"),
        ({"smooth": -1.0}, ValueError, "smooth.*-1"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        dice_loss(torch.zeros(1, 2, 3), torch.zeros(1, 3, dtype=torch.int64), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.zeros(1, 4, dtype=torch.int64), r"target.*\(1, 3\).*\(1, 4\)"),
        (torch.zeros(1, 3), r"target.*float32 \(1, 3\)"),
        (torch.full((1, 3), 2), r"target.*\[0, 2\).*got 2"),
        (torch.full((1, 2, 3), 1.5), r"target.*\[0, 1\].*1.5"),
    ],
)
def test_bad_labels_are_named(target: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jaccard_loss(torch.zeros(1, 2, 3), target)
