"""Traps of the classification losses that the table does not reach."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from bev3d.losses import (
    CrossEntropy,
    cross_entropy,
    distribution_focal_loss,
    focal_loss,
    generalized_focal_loss,
    quality_focal_loss,
    softmax_focal_loss,
    varifocal_loss,
)


def test_an_ignored_batch_is_zero_where_torch_gives_nan() -> None:
    logits, labels = torch.randn(3, 4, requires_grad=True), torch.full((3,), -1)
    assert functional.cross_entropy(logits, labels, ignore_index=-1).isnan()
    loss = CrossEntropy()(logits, labels)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_the_mean_is_over_the_labels_that_count_as_in_torch() -> None:
    logits, labels = torch.randn(9, 4, dtype=torch.float64), torch.tensor([0, -1, 2, 3, -1, 1, 1, 0, -1])
    expected = functional.cross_entropy(logits, labels, ignore_index=-1)
    torch.testing.assert_close(cross_entropy(logits, labels, reduction="mean"), expected)
    torch.testing.assert_close(CrossEntropy()(logits, labels), expected)


def test_alpha_of_a_quarter_weighs_positives_down() -> None:
    logits = torch.zeros(2)
    positive, negative = focal_loss(logits, torch.tensor([1.0, 0.0]))
    assert positive / negative == pytest.approx(1 / 3)


def test_focal_loss_without_focusing_or_weight_is_cross_entropy() -> None:
    logits, labels = 5 * torch.randn(50, dtype=torch.float64), torch.rand(50, dtype=torch.float64)
    expected = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    torch.testing.assert_close(focal_loss(logits, labels, alpha=-1, gamma=0), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.5, 1.0, 2.0])
def test_small_gamma_has_a_finite_gradient_at_certainty(gamma: float) -> None:
    for function in (focal_loss, softmax_focal_loss):
        if function is focal_loss:
            logits = torch.tensor([20.0, 60.0, 200.0, 1e4, -20.0, -200.0], requires_grad=True)
            loss = focal_loss(logits, torch.tensor([1.0, 1, 1, 1, 0, 0]), gamma=gamma)
        else:
            logits = torch.tensor([[20.0, 0], [200.0, 0], [1e4, -1e4]], requires_grad=True)
            loss = softmax_focal_loss(logits, torch.zeros(3, dtype=torch.int64), gamma=gamma)
        (grad,) = torch.autograd.grad(loss.sum(), logits)
        assert loss.isfinite().all()
        assert grad.isfinite().all()


def test_two_classes_of_a_softmax_are_one_sigmoid() -> None:
    x = 4 * torch.randn(30, dtype=torch.float64)
    labels = torch.randint(0, 2, (30,))
    two = softmax_focal_loss(torch.stack([torch.zeros_like(x), x], dim=1), labels)
    torch.testing.assert_close(two, focal_loss(x, labels.double(), alpha=-1))


def test_two_bins_of_the_general_form_are_quality_focal_loss() -> None:
    x, y = 3 * torch.randn(30, dtype=torch.float64), torch.rand(30, dtype=torch.float64)
    two = generalized_focal_loss(torch.stack([torch.zeros_like(x), x], dim=1), y)
    torch.testing.assert_close(two, quality_focal_loss(x, y))


def test_the_last_bin_is_reached_and_nothing_past_it() -> None:
    logits = torch.zeros(1, 17)
    logits[0, 16] = 50
    assert distribution_focal_loss(logits, torch.tensor([16.0])).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="target"):
        distribution_focal_loss(logits, torch.tensor([16.5]))


def test_the_quality_is_a_constant() -> None:
    logits, quality = torch.randn(5, requires_grad=True), torch.rand(5, requires_grad=True)
    for function in (quality_focal_loss, varifocal_loss):
        grads = torch.autograd.grad(function(logits, quality).sum(), [logits, quality], allow_unused=True)
        assert grads[0] is not None
        assert grads[1] is None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cross_entropy(torch.zeros(2, 3), torch.tensor([0, 3])), ValueError, r"target.*\[0, 3\).*got 3"),
        (lambda: cross_entropy(torch.zeros(2, 3), torch.tensor([0.0, 1])), TypeError, r"target.*float32"),
        (lambda: cross_entropy(torch.zeros(2, 3), torch.tensor([0])), ValueError, r"target.*\(2,\).*\(1,\)"),
        (lambda: cross_entropy(torch.zeros(3), torch.tensor([0])), ValueError, r"pred.*\(B, C, ...\)"),
        (
            lambda: cross_entropy(torch.zeros(1, 3), torch.tensor([0]), label_smoothing=2),
            ValueError,
            "label_smoothing.*2",
        ),
        (lambda: focal_loss(torch.zeros(2), torch.tensor([0.0, 1.5])), ValueError, r"target.*\[0, 1\].*1.5"),
        (lambda: focal_loss(torch.zeros(2), torch.zeros(3)), ValueError, r"target.*\(2,\).*\(3,\)"),
        (lambda: focal_loss(torch.zeros(2), torch.zeros(2), gamma=-1), ValueError, "gamma.*-1"),
        (lambda: focal_loss(torch.zeros(2), torch.zeros(2), alpha=2), ValueError, "alpha.*2"),
        (lambda: softmax_focal_loss(torch.zeros(2, 1), torch.tensor([0, 0])), ValueError, "two classes"),
        (lambda: softmax_focal_loss(torch.zeros(1, 3), torch.tensor([0]), alpha=[1, 2]), ValueError, "alpha.*3.*2"),
        (lambda: quality_focal_loss(torch.zeros(2), torch.tensor([0.0, -0.1])), ValueError, "target.*-0.1"),
        (lambda: distribution_focal_loss(torch.zeros(2, 1), torch.zeros(2)), ValueError, "pred.*two bins"),
        (lambda: distribution_focal_loss(torch.zeros(2, 5), torch.zeros(3)), ValueError, r"target.*\(2,\).*\(3,\)"),
    ],
)
def test_bad_input_is_named(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]
