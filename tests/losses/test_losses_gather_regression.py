"""Regression by name at object cells: against a loop, masks and NaN, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bev3d.losses import GatherRegressionLoss, gather_regression_loss

SIZES = {"offset": 2, "height": 1, "velocity": 2}
WEIGHTS = {"offset": 1.0, "height": 0.5, "velocity": 0.2}
B, M, H, W = 2, 6, 5, 7


def _batch(dtype: torch.dtype = torch.float64, device: str | torch.device = "cpu") -> dict[str, Any]:
    """Some slots free, some velocities NaN, two slots in one cell."""
    generator = torch.Generator().manual_seed(1)
    maps = {name: torch.randn(B, size, H, W, generator=generator, dtype=torch.float64) for name, size in SIZES.items()}
    targets = {name: torch.randn(B, M, size, generator=generator, dtype=torch.float64) for name, size in SIZES.items()}
    targets["velocity"][0, 0] = torch.nan
    targets["velocity"][1, 1, 0] = torch.nan
    cell_index = torch.randint(0, H * W, (B, M), generator=generator)
    cell_index[0, 1] = cell_index[0, 2]
    mask = torch.tensor([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]], dtype=torch.bool)
    move = {"device": device, "dtype": dtype}
    return {
        "maps": {name: value.to(**move).requires_grad_() for name, value in maps.items()},
        "targets": {name: value.to(**move) for name, value in targets.items()},
        "cell_index": cell_index.to(device),
        "mask": mask.to(device),
    }


def _loop(batch: dict[str, Any], name: str, loss: str) -> np.ndarray:
    prediction, target = batch["maps"][name].detach().cpu().numpy(), batch["targets"][name].cpu().numpy()
    result = np.zeros(target.shape)
    for b, m, c in np.ndindex(result.shape):
        if not batch["mask"][b, m] or np.isnan(target[b, m, c]):
            continue
        row, column = divmod(int(batch["cell_index"][b, m]), W)
        error = abs(prediction[b, c, row, column] - target[b, m, c])
        if loss == "smooth_l1":
            error = error * error * 4.5 if error < 1 / 9 else error - 1 / 18
        result[b, m, c] = WEIGHTS[name] * error
    return result


@pytest.mark.parametrize("loss", ["l1", "smooth_l1"])
def test_equals_a_loop(loss: Any, device: torch.device) -> None:
    batch = _batch(device=device)
    terms = gather_regression_loss(**batch, weights=WEIGHTS, loss=loss)
    sums = gather_regression_loss(**batch, weights=WEIGHTS, loss=loss, reduction="sum")
    means = gather_regression_loss(**batch, weights=WEIGHTS, loss=loss, reduction="mean")
    assert list(terms) == list(WEIGHTS)
    counted = {"offset": 16, "height": 8, "velocity": 13}
    for name, term in terms.items():
        expected = _loop(batch, name, loss)
        np.testing.assert_allclose(term.detach().cpu().numpy(), expected, rtol=1e-13, atol=1e-15)
        assert sums[name].item() == pytest.approx(expected.sum())
        assert means[name].item() == pytest.approx(expected.sum() / counted[name])


@pytest.mark.parametrize("loss", ["l1", "smooth_l1"])
def test_gradcheck(loss: Any) -> None:
    batch = _batch()
    maps = batch.pop("maps")

    def total(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        terms = gather_regression_loss(dict(zip(SIZES, values, strict=True)), **batch, weights=WEIGHTS, loss=loss)
        return tuple(terms.values())

    assert torch.autograd.gradcheck(total, tuple(maps.values()))


def test_what_does_not_count_has_no_part_even_where_it_is_not_finite() -> None:
    batch = _batch()
    with torch.no_grad():
        for value in batch["maps"].values():
            free = torch.ones(B, H * W, dtype=torch.bool)
            for b in range(B):
                free[b, batch["cell_index"][b][batch["mask"][b]]] = False
            value.copy_(torch.where(free.view(B, 1, H, W), torch.nan, value))
    for value in batch["targets"].values():
        value[~batch["mask"]] = torch.inf
    terms = gather_regression_loss(**batch, weights=WEIGHTS, reduction="sum")
    gradients = torch.autograd.grad(sum(terms.values()), list(batch["maps"].values()))  # type: ignore[arg-type]
    assert all(torch.isfinite(term) for term in terms.values())
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    velocity = gradients[2].flatten(2)
    shared = batch["cell_index"][0] == batch["cell_index"][0, 0]
    if int((shared & batch["mask"][0]).sum()) == 1:  # the object whose velocity is NaN is alone in its cell
        assert velocity[0, :, batch["cell_index"][0, 0]].count_nonzero() == 0


def test_no_objects_is_exactly_zero_with_the_graph_kept() -> None:
    batch = _batch(torch.float32)
    empty = {**batch, "cell_index": batch["cell_index"][:, :0], "mask": batch["mask"][:, :0]}
    empty["targets"] = {name: value[:, :0] for name, value in batch["targets"].items()}
    unused = {**batch, "mask": torch.zeros_like(batch["mask"])}
    module = GatherRegressionLoss(WEIGHTS)
    for case in (empty, unused):
        renamed = {
            "pred": case["maps"],
            "target": case["targets"],
            "cell_index": case["cell_index"],
            "mask": case["mask"],
        }
        for terms in (
            gather_regression_loss(**case, weights=WEIGHTS, reduction="mean"),
            gather_regression_loss(**case, weights=WEIGHTS, reduction="sum"),
            module(**renamed),
            module(**renamed, avg_factor=1.0),
        ):
            total = sum(terms.values())
            assert total == 0
            gradients = torch.autograd.grad(total, list(batch["maps"].values()))  # type: ignore[arg-type]
            assert all(gradient.count_nonzero() == 0 for gradient in gradients)


def test_all_velocities_unknown_is_zero() -> None:
    batch = _batch(torch.float32)
    batch["targets"]["velocity"].fill_(torch.nan)
    terms = gather_regression_loss(**batch, weights={"velocity": 1.0}, reduction="mean")
    assert terms["velocity"] == 0


def test_only_what_is_weighted_is_computed() -> None:
    batch = _batch()
    batch["maps"]["quality"] = torch.zeros(B, 1, H, W)
    assert list(gather_regression_loss(**batch, weights={"height": 1.0})) == ["height"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    batch = _batch(dtype)
    batch["targets"] = {name: value.float() for name, value in batch["targets"].items()}
    batch["maps"]["height"] = (batch["maps"]["height"].detach() * 1e4).to(dtype).requires_grad_()
    terms = gather_regression_loss(**batch, weights=WEIGHTS, reduction="sum")
    assert all(term.dtype == torch.float32 and torch.isfinite(term) for term in terms.values())
    gradients = torch.autograd.grad(sum(terms.values()), list(batch["maps"].values()))  # type: ignore[arg-type]
    assert all(gradient.dtype == dtype and torch.isfinite(gradient).all() for gradient in gradients)


def test_a_callable_loss_and_non_contiguous_maps() -> None:
    batch = _batch()
    strided = {
        name: value.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1) for name, value in batch["maps"].items()
    }
    terms = gather_regression_loss(**{**batch, "maps": strided}, weights=WEIGHTS, loss=lambda p, t: (p - t) ** 2)
    plain = gather_regression_loss(**batch, weights=WEIGHTS)
    for name, term in terms.items():
        torch.testing.assert_close(term, plain[name] ** 2 / WEIGHTS[name])


def test_module_and_function_are_equal() -> None:
    batch = _batch()
    module = GatherRegressionLoss(WEIGHTS, loss="smooth_l1")
    arguments = batch["maps"], batch["targets"]
    places = {"cell_index": batch["cell_index"], "mask": batch["mask"]}
    mean = gather_regression_loss(**batch, weights=WEIGHTS, loss="smooth_l1", reduction="mean")
    total = gather_regression_loss(**batch, weights=WEIGHTS, loss="smooth_l1", reduction="sum")
    for name, value in module(*arguments, **places).items():
        torch.testing.assert_close(value, mean[name])
    for name, value in module(*arguments, **places, avg_factor=torch.tensor(8)).items():
        torch.testing.assert_close(value, total[name] / 8)
    ignore = torch.ones(B, M)
    ignore[1] = 0
    first = {**batch, "mask": batch["mask"] & torch.tensor([[True], [False]])}
    expected = gather_regression_loss(**first, weights=WEIGHTS, loss="smooth_l1", reduction="mean")
    for name, value in module(*arguments, **places, weight=ignore).items():
        torch.testing.assert_close(value, expected[name])
    for name, value in module(*arguments, **places, weight=2 * torch.ones(B, M)).items():
        torch.testing.assert_close(value, 2 * mean[name])


def test_compiles_as_one_graph() -> None:
    batch = _batch(torch.float32)
    module = torch.compile(GatherRegressionLoss(WEIGHTS), fullgraph=True, backend="aot_eager")
    arguments = (batch["maps"], batch["targets"]), {"cell_index": batch["cell_index"], "mask": batch["mask"]}
    for name, value in module(*arguments[0], **arguments[1]).items():
        torch.testing.assert_close(value, GatherRegressionLoss(WEIGHTS)(*arguments[0], **arguments[1])[name])


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (
            {"weights": {"speed": 1.0}},
            ValueError,
            r"expected names of maps \(offset, height, velocity\), got speed",
        ),
        ({"weights": [1.0, 2.0]}, TypeError, "weights: expected a mapping by name, got list"),
        (
            {"targets": {"offset": torch.zeros(B, M, 2)}},
            ValueError,
            r"expected names of targets \(offset\), got height",
        ),
        ({"cell_index": torch.zeros(B, M)}, TypeError, "cell_index: expected int64, got torch.float32"),
        ({"mask": torch.ones(B, M)}, TypeError, "mask: expected bool, got torch.float32"),
        ({"mask": torch.ones(B, M - 1, dtype=torch.bool)}, ValueError, r"mask: expected \(B, M\) as cell_index"),
        ({"loss": "l3"}, ValueError, "loss: expected one of l1, smooth_l1, got 'l3'"),
        ({"loss": lambda p, t: (p - t).sum()}, ValueError, r"loss: expected an element-wise loss of shape \(2, 6, 2\)"),
        ({"reduction": "max"}, ValueError, "reduction: expected one of"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        gather_regression_loss(**{**_batch(), "weights": WEIGHTS, **change})


def test_shapes_that_do_not_fit() -> None:
    batch = _batch()
    wrong_target = {**batch, "targets": batch["targets"] | {"height": torch.zeros(B, M, 2)}}
    with pytest.raises(ValueError, match=r"targets\['height'\]: expected shape \(2, 6, 1\), got \(2, 6, 2\)"):
        gather_regression_loss(**wrong_target, weights=WEIGHTS)
    wrong_map = {**batch, "maps": batch["maps"] | {"height": torch.zeros(B + 1, 1, H, W)}}
    with pytest.raises(ValueError, match=r"maps\['height'\]: expected shape \(2, C, H, W\), got \(3, 1, 5, 7\)"):
        gather_regression_loss(**wrong_map, weights=WEIGHTS)
    with pytest.raises(ValueError, match=r"weight: expected shape \(2, 6\), got \(2,\)"):
        GatherRegressionLoss(WEIGHTS)(
            batch["maps"], batch["targets"], cell_index=batch["cell_index"], mask=batch["mask"], weight=torch.ones(2)
        )


@pytest.mark.parametrize(
    ("where", "value", "error", "text"),
    [
        ("maps", torch.zeros(B), ValueError, r"maps\['height'\]: expected shape \(2, C, H, W\), got \(2,\)"),
        ("maps", torch.zeros(B, 1, H, W, dtype=torch.int64), TypeError, r"maps\['height'\]: expected a floating-point"),
        (
            "maps",
            torch.zeros(B, 1, H, W, device="meta"),
            ValueError,
            r"maps\['height'\]: expected the device of cell_index",
        ),
        (
            "targets",
            torch.zeros(B, M, 1, device="meta"),
            ValueError,
            r"targets\['height'\]: expected the device of cell_",
        ),
    ],
)
def test_maps_and_targets_that_do_not_fit(where: str, value: Any, error: type[Exception], text: str) -> None:
    batch = _batch()
    with pytest.raises(error, match=text):
        gather_regression_loss(**{**batch, where: batch[where] | {"height": value}}, weights=WEIGHTS)


def test_a_mask_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mask: expected the device of cell_index \(cpu\), got meta"):
        gather_regression_loss(
            **{**_batch(), "mask": torch.ones(B, M, dtype=torch.bool, device="meta")}, weights=WEIGHTS
        )


def test_targets_that_are_not_finite_show_but_in_their_slot_only() -> None:
    batch = _batch()
    batch["mask"] = torch.ones(B, M, dtype=torch.bool)
    expected = gather_regression_loss(**batch, weights={"height": 1.0})["height"]
    batch["targets"]["height"][0, 2] = float("inf")
    loss = gather_regression_loss(**batch, weights={"height": 1.0})["height"]
    assert loss[0, 2].item() == float("inf")
    others = torch.ones(B, M, dtype=torch.bool)
    others[0, 2] = False
    assert torch.equal(loss[others], expected[others])


def test_an_index_outside_the_map_is_an_error_where_the_slot_counts_and_free_where_it_does_not() -> None:
    maps, targets = {"height": torch.randn(1, 1, 3, 4)}, {"height": torch.zeros(1, 2, 1)}
    index, mask = torch.tensor([[0, 12]]), torch.tensor([[True, False]])
    free = gather_regression_loss(maps, targets, index, mask, weights={"height": 1.0})
    assert free["height"][0, 1] == 0
    with pytest.raises(ValueError, match=r"cell_index.*\[0, 12\).*\[12\]"):
        gather_regression_loss(maps, targets, index, torch.ones_like(mask), weights={"height": 1.0})
