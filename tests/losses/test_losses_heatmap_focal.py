"""Heatmap focal loss: closed forms in high precision, the published clamped form, gradients, extremes, compilers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from focal_cases import exact_cases, focal_maps

from bev3d.losses import HeatmapFocalLoss, heatmap_focal_loss, num_pos
from bev3d_ops.reference._focal import focal_loss, focal_slope


def _loss_and_slope(logits: torch.Tensor, heatmap: torch.Tensor, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    logits = logits.clone().requires_grad_()
    loss = heatmap_focal_loss(logits, heatmap, **options)
    return loss.detach(), torch.autograd.grad(loss.sum(), logits)[0]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 3e-6)])
def test_values_and_slopes_in_high_precision(dtype: torch.dtype, tolerance: float, device: torch.device) -> None:
    x, y, expected, slope = torch.tensor(exact_cases(), dtype=torch.float64).T
    for route in (heatmap_focal_loss, _formula_as_loss):
        logits = x.to(device, dtype).requires_grad_()
        loss = route(logits, y.to(device, dtype))
        gradient = torch.autograd.grad(loss.sum(), logits)[0]
        torch.testing.assert_close(loss.detach().cpu().double(), expected, rtol=tolerance, atol=1e-30)
        torch.testing.assert_close(gradient.cpu().double(), slope, rtol=tolerance, atol=1e-30)


def _formula_as_loss(logits: torch.Tensor, heatmap: torch.Tensor) -> torch.Tensor:
    return focal_loss(logits, heatmap, 2.0, 4.0)


def test_equals_the_published_clamped_form_where_that_is_not_clamped() -> None:
    logits, heatmap = focal_maps(2, 3, 16, 16, dtype=torch.float64)
    logits = logits.clamp(-9, 9).requires_grad_()
    p = torch.clamp(torch.sigmoid(logits), 1e-4, 1 - 1e-4)
    is_peak = heatmap.eq(1).double()
    expected = -(torch.log(p) * (1 - p) ** 2 * is_peak + torch.log(1 - p) * p**2 * (1 - heatmap) ** 4 * (1 - is_peak))
    loss = heatmap_focal_loss(logits, heatmap)
    torch.testing.assert_close(loss, expected, rtol=1e-11, atol=1e-12)
    gradients = [torch.autograd.grad(value.sum(), logits)[0] for value in (loss, expected)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 4.0), (1.5, 3.0), (0.5, 4.0), (0.0, 0.0), (3.0, 1.0)])
def test_gradcheck_twice(alpha: float, beta: float) -> None:
    logits, heatmap = focal_maps(2, 2, 3, 4, dtype=torch.float64)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return heatmap_focal_loss(x, heatmap, alpha=alpha, beta=beta)

    assert torch.autograd.gradcheck(loss, logits.requires_grad_())
    assert torch.autograd.gradgradcheck(loss, logits)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_gradcheck_twice_where_the_pass_adds_up(reduction: Any) -> None:
    logits, heatmap = focal_maps(2, 2, 3, 4, dtype=torch.float64)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return heatmap_focal_loss(x, heatmap, reduction=reduction) * 3

    assert torch.autograd.gradcheck(loss, logits.requires_grad_())
    assert torch.autograd.gradgradcheck(loss, logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 4.0), (1.0, 2.5), (0.5, 0.0)])
def test_the_kernel_equals_the_formula_forward_and_backward(dtype: torch.dtype, alpha: float, beta: float) -> None:
    logits, heatmap = focal_maps(3, 5, 67, 41, dtype=dtype)
    logits *= 4
    loss, slope = _loss_and_slope(logits, heatmap, alpha=alpha, beta=beta)
    exact = logits.double(), heatmap.double(), alpha, beta
    tolerance = {"rtol": 2e-6, "atol": 1e-12} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-200}
    torch.testing.assert_close(loss.double(), focal_loss(*exact), **tolerance)
    torch.testing.assert_close(slope.double(), focal_slope(*exact), **tolerance)


def test_a_random_cotangent_is_passed_on() -> None:
    logits, heatmap = focal_maps(2, 3, 8, 9)
    cotangent = torch.randn(2, 3, 8, 9)
    x = logits.requires_grad_()
    (gradient,) = torch.autograd.grad(heatmap_focal_loss(x, heatmap), x, cotangent)
    torch.testing.assert_close(gradient, cotangent * focal_slope(x.detach(), heatmap, 2, 4), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("alpha", [2.0, 0.5])
def test_finite_at_ten_thousand(dtype: torch.dtype, reduction: str, alpha: float) -> None:
    x = torch.tensor([-1e4, 1e4, -1e4, 1e4, 0.0] * 20, dtype=dtype, requires_grad=True)
    y = torch.tensor([1, 1, 0, 0, 0.5] * 20, dtype=dtype)
    loss = heatmap_focal_loss(x, y, alpha=alpha, reduction=reduction)  # type: ignore[arg-type]
    assert torch.isfinite(loss).all()
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    (gradient,) = torch.autograd.grad(loss.sum(), x)
    assert gradient.dtype == dtype
    assert torch.isfinite(gradient).all()
    share = 100 if reduction == "mean" else 1
    assert (gradient[:4] * share).tolist() == pytest.approx([-1, 0, 0, 1], rel=0.01)


def test_nan_and_infinity_are_not_hidden() -> None:
    x = torch.tensor([torch.nan, torch.nan, torch.inf, 0.0])
    y = torch.tensor([0.0, 1.0, 0.0, torch.nan])
    for repeats in (1, 100):  # scalar and vector instructions treat them differently
        loss, slope = _loss_and_slope(x.repeat(repeats), y.repeat(repeats))
        assert torch.isnan(loss).tolist() == [True, True, False, True] * repeats
        assert torch.isnan(slope.view(-1, 4)[:, :2]).all()
        assert (loss[2::4] == torch.inf).all()


def test_autocast_computes_in_float32() -> None:
    logits, heatmap = focal_maps(2, 3, 8, 8)
    expected = heatmap_focal_loss(logits.bfloat16().float(), heatmap)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = heatmap_focal_loss(logits.bfloat16(), heatmap)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_no_positives_empty_and_zero_weights_are_zero_with_the_graph_kept() -> None:
    module = HeatmapFocalLoss()
    x = torch.zeros(0, 3, 8, 8, requires_grad=True)
    for loss in (module(x, x.detach()), heatmap_focal_loss(x, x.detach(), reduction="mean")):
        assert loss == 0
        assert torch.autograd.grad(loss, x)[0].shape == x.shape
    x, heatmap = focal_maps(1, 2, 4, 4)
    x.requires_grad_()
    ignored = module(x, heatmap, weight=torch.zeros(()), avg_factor=num_pos(torch.zeros(3, dtype=torch.bool)))
    assert ignored == 0
    assert torch.autograd.grad(ignored, x)[0].count_nonzero() == 0


def test_non_contiguousfocal_maps() -> None:
    logits, heatmap = focal_maps(2, 6, 8, 10)
    expected, slope = _loss_and_slope(logits[:, ::2].contiguous(), heatmap[:, ::2].contiguous())
    for strided in (
        (logits[:, ::2], heatmap[:, ::2]),
        (logits[:, ::2].contiguous(memory_format=torch.channels_last), heatmap[:, ::2]),
        (logits[:, ::2].contiguous(), heatmap[:1, :1, :1, :1].expand(2, 3, 8, 10)),
    ):
        loss, gradient = _loss_and_slope(*strided)
        assert loss.shape == gradient.shape == (2, 3, 8, 10)
    for strided in ((logits[:, ::2], heatmap[:, ::2]), (logits[:, ::2].contiguous(), heatmap[:, ::2])):
        loss, gradient = _loss_and_slope(*strided)
        assert torch.equal(loss, expected)
        assert torch.equal(gradient, slope)


def test_function_and_module_are_equal() -> None:
    logits, heatmap = focal_maps(2, 3, 8, 8)
    module = HeatmapFocalLoss(alpha=1.5, beta=3)
    loss = heatmap_focal_loss(logits, heatmap, alpha=1.5, beta=3)
    assert torch.equal(loss.sum(), heatmap_focal_loss(logits, heatmap, alpha=1.5, beta=3, reduction="sum"))
    mean = heatmap_focal_loss(logits, heatmap, alpha=1.5, beta=3, reduction="mean")
    torch.testing.assert_close(module(logits, heatmap), mean)
    torch.testing.assert_close(module(logits, heatmap, avg_factor=7.0), loss.sum() / 7)
    weight = torch.rand(2, 1, 8, 8)
    weighted = module(logits, heatmap, weight=weight, avg_factor=torch.tensor(3))
    torch.testing.assert_close(weighted, (loss * weight).sum() / 3)
    torch.testing.assert_close(module(logits, heatmap, weight=torch.tensor(2.0)), 2 * mean)


def test_no_gradient_into_the_heatmap() -> None:
    logits, heatmap = focal_maps(1, 1, 4, 4)
    heatmap.requires_grad_()
    assert not heatmap_focal_loss(logits, heatmap).requires_grad
    with torch.no_grad():
        assert not heatmap_focal_loss(logits.requires_grad_(), heatmap).requires_grad


def test_compiles_as_one_graph() -> None:
    logits, heatmap = focal_maps(2, 3, 8, 8)
    compiled = torch.compile(heatmap_focal_loss, fullgraph=True, backend="aot_eager")
    x = logits.requires_grad_()
    gradients = [torch.autograd.grad(f(x, heatmap).sum(), x)[0] for f in (compiled, heatmap_focal_loss)]
    torch.testing.assert_close(compiled(x, heatmap), heatmap_focal_loss(x, heatmap), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-7)


def test_functorch_transforms() -> None:
    logits, heatmap = focal_maps(4, 3, 5)
    per_sample = torch.func.vmap(torch.func.grad(lambda x, y: heatmap_focal_loss(x, y).sum()))(logits, heatmap)
    torch.testing.assert_close(per_sample, focal_slope(logits, heatmap, 2, 4), rtol=1e-5, atol=1e-7)


def test_num_pos_is_at_least_one() -> None:
    assert num_pos(torch.zeros(3, dtype=torch.bool)) == 1
    assert num_pos(torch.ones(2, 3, dtype=torch.bool), synchronise=True) == 6
    assert num_pos(torch.zeros(0, dtype=torch.bool)).ndim == 0


X = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((X, X[:1]), {}, ValueError, r"heatmap: expected shape \(2, 3\), as logits, got \(1, 3\)"),
        ((X.long(), X), {}, TypeError, "logits: expected a floating-point dtype, got torch.int64"),
        ((X, X.bool()), {}, TypeError, "heatmap: expected a floating-point dtype, got torch.bool"),
        ((X, X), {"alpha": -1.0}, ValueError, "alpha: expected a number >= 0, got -1.0"),
        ((X, X), {"beta": float("nan")}, ValueError, "beta: expected a number >= 0, got nan"),
        ((X, X), {"reduction": "max"}, ValueError, "reduction: expected one of none, mean, sum, got 'max'"),
    ],
)
def test_bad_input(arguments: tuple, options: dict, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        heatmap_focal_loss(*arguments, **options)


def test_a_weight_that_does_not_broadcast() -> None:
    with pytest.raises(ValueError, match="weight: expected a shape that broadcasts"):
        HeatmapFocalLoss()(X, X, weight=torch.ones(4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_a_heatmap_outside_its_range_is_named(dtype: torch.dtype, reduction: Any) -> None:
    logits, heatmap = torch.zeros(300, dtype=dtype), torch.zeros(300, dtype=dtype)
    for wrong in (2.0, -1.0):
        heatmap[137] = wrong
        with pytest.raises(ValueError, match=rf"heatmap.*\[0, 1\].*{wrong:g}"):
            heatmap_focal_loss(logits, heatmap, reduction=reduction)
    heatmap[137] = 1.0
    logits[5] = torch.nan
    assert heatmap_focal_loss(logits, heatmap, reduction="sum").isnan(), "a diverged prediction shows, and is no error"
