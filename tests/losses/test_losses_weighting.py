"""Normalisers, learnt weights, and gathered positives beside dense ones."""

from __future__ import annotations

import math

import pytest
import torch

from bev3d.losses import (
    GatheredHeatmapFocalLoss,
    UncertaintyWeighting,
    gathered_heatmap_focal_loss,
    heatmap_focal_loss,
    num_elements,
    num_pos,
    num_pos_per_sample,
    sum_quality,
)


def test_normalisers_are_at_least_one() -> None:
    mask = torch.tensor([[True, True, True], [False, False, False]])
    assert num_pos(mask).item() == 3
    assert num_pos(mask[1]).item() == 1
    assert num_pos_per_sample(mask).tolist() == [[3], [1]]
    assert num_elements(mask).item() == 6
    assert num_elements(mask[:0]).item() == 1
    assert sum_quality(torch.tensor([0.5, 0.75, 1.0])).item() == 2.25
    assert sum_quality(torch.zeros(3)).item() == 1


def test_the_mean_of_means_is_over_samples() -> None:
    loss, mask = torch.tensor([[3.0, 3, 3], [2, 0, 0]]), torch.tensor([[True] * 3, [True, False, False]])
    assert (loss / num_pos_per_sample(mask)).sum().item() / 2 == pytest.approx((3 + 2) / 2)


def test_gathered_positives_equal_dense_ones_where_no_cell_is_shared() -> None:
    torch.manual_seed(0)
    logits, heatmap = torch.randn(2, 3, 6, 7, dtype=torch.float64), torch.rand(2, 3, 6, 7, dtype=torch.float64) * 0.9
    cells, classes = torch.tensor([[0, 9, 41], [3, 4, 5]]), torch.tensor([[0, 1, 2], [2, 2, 0]])
    for b in range(2):
        for m in range(3):
            heatmap[b, classes[b, m]].view(-1)[cells[b, m]] = 1
    mask = torch.ones_like(cells, dtype=torch.bool)
    gathered = gathered_heatmap_focal_loss(logits, heatmap, cells, classes, mask)
    torch.testing.assert_close(gathered, heatmap_focal_loss(logits, heatmap), rtol=1e-12, atol=1e-12)


def test_two_objects_of_a_cell_count_twice_and_no_object_is_no_division_by_zero() -> None:
    logits, heatmap = torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 0.0]]]])
    cells, mask = torch.zeros(1, 2, dtype=torch.int64), torch.ones(1, 2, dtype=torch.bool)
    loss = gathered_heatmap_focal_loss(logits, heatmap, cells, cells, mask)
    assert loss[0, 0, 0].tolist() == pytest.approx([2 * 0.25 * math.log(2), 0.25 * math.log(2)])
    assert GatheredHeatmapFocalLoss()(logits, 0 * heatmap, cells, cells, ~mask).item() == pytest.approx(
        0.5 * math.log(2)
    )


def test_learnt_weights_settle_at_the_size_of_the_terms() -> None:
    weighting = UncertaintyWeighting({"box": "regression", "class": "classification"})
    terms = {"box": torch.tensor(4.0), "class": torch.tensor(0.5)}
    optimiser = torch.optim.Adam(weighting.parameters(), lr=0.05)
    for _ in range(600):
        optimiser.zero_grad()
        weighting(terms).total.backward()
        optimiser.step()
    # 1/2 e^-s 4 + s/2 is least at e^s = 4; e^-s / 2 + s/2 at e^s = 1
    assert weighting.log_variances["box"].item() == pytest.approx(math.log(4), abs=1e-3)
    assert weighting.log_variances["class"].item() == pytest.approx(0, abs=1e-3)
    result = weighting(terms)
    assert result.weights["box"].item() == pytest.approx(1 / 8, abs=1e-3)
    assert not result.terms["box"].requires_grad


def test_a_term_of_zero_does_not_run_away() -> None:
    weighting = UncertaintyWeighting(["a"])
    with torch.no_grad():
        weighting.log_variances["a"].fill_(-1000)
    result = weighting({"a": torch.tensor(0.25)})
    result.total.backward()
    assert result.total.isfinite()
    assert weighting.log_variances["a"].grad < 0, "the weight must be able to fall again"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: UncertaintyWeighting([]), "kinds.*none"),
        (lambda: UncertaintyWeighting({"a": "ranking"}), "kinds.*ranking"),  # type: ignore[dict-item]
        (lambda: UncertaintyWeighting(["a.b"]), "a.b"),
        (lambda: UncertaintyWeighting(["a"])({"b": torch.zeros(())}), r"unknown \['b'\], missing \['a'\]"),
        (lambda: UncertaintyWeighting(["a"])({"a": torch.zeros(2)}), r"terms\['a'\].*\(2,\)"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"cell_index": torch.tensor([[42]])}, ValueError, r"cell_index.*\[0, 42\).*42"),
        ({"class_index": torch.tensor([[3]])}, ValueError, r"class_index.*\[0, 3\).*3"),
        ({"mask": torch.tensor([[1]])}, TypeError, "mask.*bool"),
        ({"heatmap": torch.full((1, 3, 6, 7), 2.0)}, ValueError, "heatmap.*2"),
        ({"heatmap": torch.zeros(1, 3, 6, 6)}, ValueError, "heatmap"),
    ],
)
def test_bad_objects_are_named(change: dict[str, torch.Tensor], error: type[Exception], message: str) -> None:
    given = {
        "logits": torch.zeros(1, 3, 6, 7),
        "heatmap": torch.zeros(1, 3, 6, 7),
        "cell_index": torch.tensor([[0]]),
        "class_index": torch.tensor([[0]]),
        "mask": torch.tensor([[True]]),
        **change,
    }
    with pytest.raises(error, match=message):
        gathered_heatmap_focal_loss(**given)
