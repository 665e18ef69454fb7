"""The sum of named losses: values, names, schedules, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bev3d.losses import CompositeLoss, GatherRegressionLoss, HeatmapFocalLoss, heatmap_focal_loss


def _square(pred: Tensor, target: Tensor) -> Tensor:
    return ((pred - target) ** 2).mean()


def _parts(pred: Tensor) -> dict[str, Tensor]:
    return {"first": pred.sum(), "second": 2 * pred.sum()}


X = torch.tensor([1.0, 2.0], requires_grad=True)
ZERO = torch.zeros(2)


def test_total_terms_and_weights() -> None:
    composite = CompositeLoss({"square": (_square, 3.0), "parts": (_parts, 0.5)})
    total, terms, weights = composite({"square": (X, ZERO), "parts": {"pred": X}})
    assert {name: value.item() for name, value in terms.items()} == {
        "square": 2.5,
        "parts/first": 3.0,
        "parts/second": 6.0,
    }
    assert weights == {"square": 3.0, "parts": 0.5}
    assert total.item() == 3 * 2.5 + 0.5 * 9
    assert not any(value.requires_grad for value in terms.values())
    assert torch.autograd.grad(total, X)[0].tolist() == [3 * 1 + 1.5, 3 * 2 + 1.5]


def test_a_list_is_one_input_per_task() -> None:
    composite = CompositeLoss({"square": (_square, 2.0), "parts": (_parts, 1.0)})
    total, terms, _ = composite({"square": [(X, ZERO), (2 * X, ZERO)], "parts": [(X,), {"pred": X}]})
    assert terms["square/0"].item() == 2.5
    assert terms["square/1"].item() == 10.0
    assert terms["parts/1/second"].item() == 6.0
    assert len(terms) == 6
    assert total.item() == 2 * 12.5 + 18


def test_schedules_get_the_step() -> None:
    composite = CompositeLoss({"square": (_square, lambda step: min(1.0, step / 100))})
    for step, weight in ((0, 0.0), (50, 0.5), (200, 1.0)):
        total, terms, weights = composite({"square": (X, ZERO)}, step=step)
        assert weights["square"] == weight
        assert total.item() == pytest.approx(2.5 * weight)
        assert terms["square"].item() == 2.5


def test_real_losses_and_their_gradient() -> None:
    logits, heatmap = torch.randn(1, 2, 4, 5, requires_grad=True), torch.rand(1, 2, 4, 5)
    maps, targets = {"height": torch.randn(1, 1, 4, 5, requires_grad=True)}, {"height": torch.zeros(1, 3, 1)}
    places = {"cell_index": torch.tensor([[3, 7, 0]]), "mask": torch.tensor([[True, True, False]])}
    composite = CompositeLoss(
        {"heatmap": (HeatmapFocalLoss(), 1.0), "regression": (GatherRegressionLoss({"height": 1.0}), 0.25)}
    )
    total, terms, _ = composite(
        {
            "heatmap": {"pred": logits, "target": heatmap, "avg_factor": 2.0},
            "regression": {"pred": maps, "target": targets, **places, "avg_factor": 2.0},
        }
    )
    height = (maps["height"].view(-1)[3].abs() + maps["height"].view(-1)[7].abs()) / 2
    expected = heatmap_focal_loss(logits, heatmap, reduction="sum") / 2 + 0.25 * height
    torch.testing.assert_close(total, expected)
    assert set(terms) == {"heatmap", "regression/height"}
    total.backward()
    assert logits.grad is not None


def test_parameters_of_losses_are_registered() -> None:
    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, pred: Tensor) -> Tensor:
            return self.scale * pred.sum()

    composite = CompositeLoss({"learned": (Learned(), 1.0)})
    assert len(list(composite.parameters())) == 1
    composite({"learned": (X,)}).total.backward()
    assert next(composite.parameters()).grad is not None
    X.grad = None


@pytest.mark.parametrize(
    ("inputs", "error", "text"),
    [
        (
            {"square": (X, ZERO), "sqare": (X,)},
            ValueError,
            r"exactly square; unknown \['sqare'\], missing \[\]",
        ),
        ({}, ValueError, r"unknown \[\], missing \['square'\]"),
        ({"square": X}, TypeError, r"inputs\['square'\]: expected a tuple or a mapping of arguments, .* got Tensor"),
        ({"square": []}, ValueError, "expected at least one term, got empty lists"),
    ],
)
def test_bad_inputs(inputs: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        CompositeLoss({"square": (_square, 1.0)})(inputs)


@pytest.mark.parametrize(
    ("loss", "error", "text"),
    [
        (lambda pred: pred, ValueError, r"loss 'bad': expected a reduced, 0-dim tensor, got shape \(2,\)"),
        (lambda pred: 1.0, TypeError, "loss 'bad': expected a tensor, got float"),
        (lambda pred: {"part": pred}, ValueError, "loss 'bad/part': expected a reduced"),
    ],
)
def test_losses_that_return_something_else(loss: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        CompositeLoss({"bad": (loss, 1.0)})({"bad": (X,)})


@pytest.mark.parametrize(
    ("losses", "error", "text"),
    [
        ({}, ValueError, "losses: expected at least one named loss"),
        ({"a/b": (_square, 1.0)}, ValueError, "losses: expected names without '/' and '.', got 'a/b'"),
        ({"a": _square}, TypeError, r"losses\['a'\]: expected a pair \(loss, weight\)"),
        ({"a": ("square", 1.0)}, TypeError, r"losses\['a'\]: expected a pair"),
        ({"a": (_square, "1")}, TypeError, r"losses\['a'\]: expected a number or a schedule as weight, got '1'"),
        ({"a": (_square, float("inf"))}, ValueError, r"losses\['a'\]: expected a finite weight, got inf"),
    ],
)
def test_bad_losses(losses: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        CompositeLoss(losses)


def test_a_schedule_that_is_not_finite() -> None:
    composite = CompositeLoss({"a": (_square, lambda step: float("nan"))})
    with pytest.raises(ValueError, match="expected a finite weight, got nan"):
        composite({"a": (X, ZERO)})
