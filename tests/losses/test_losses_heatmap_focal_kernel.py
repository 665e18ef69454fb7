"""The heatmap focal loss as registered operation: precision, memory, threads, what it is made of."""

from __future__ import annotations

import platform
import re
import threading
from functools import partial
from typing import Any

import numba
import pytest
import torch
from focal_cases import exact_cases, focal_maps
from oracles.host_kernels import host_launch

from bev3d.losses import heatmap_focal_loss
from bev3d_ops.cpu import _focal_kernel as kernel
from bev3d_ops.cuda import _focal as cuda
from bev3d_ops.reference._focal import focal_loss, focal_slope
from bev3d_ops.registered._focal import heatmap_focal_map, heatmap_focal_sums


def _loss_and_slope(logits: torch.Tensor, heatmap: torch.Tensor, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    logits = logits.clone().requires_grad_()
    loss = heatmap_focal_loss(logits, heatmap, **options)
    return loss.detach(), torch.autograd.grad(loss.sum(), logits)[0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_cuda_kernel_on_the_host_in_high_precision(dtype: torch.dtype) -> None:
    exact = [case for case in exact_cases() if case[0] == float(torch.tensor(case[0], dtype=dtype))]
    assert max(abs(case[0]) for case in exact) >= 1e3
    x, y, expected, slope = torch.tensor(exact, dtype=torch.float64).T
    x, y = x.to(dtype), y.to(torch.promote_types(dtype, torch.float32))
    tolerance = {"rtol": 1e-13 if dtype == torch.float64 else 3e-6, "atol": 1e-30}
    for actual in (cuda.focal_map(host_launch, x, y, 2.0, 4.0, True), heatmap_focal_map(x, y, 2.0, 4.0, True)):
        torch.testing.assert_close(actual[0].double(), expected, **tolerance)
        torch.testing.assert_close(actual[1].double(), slope, **tolerance)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86 instructions")
def test_the_loop_is_made_of_vector_instructions() -> None:
    line = numba.types.float32[::1]
    for function, arguments in (
        (kernel._evaluate_2_4, (line,) * 4),
        (kernel._add_up_2_4, (line,) * 3 + (numba.types.float32[:, ::1],)),
    ):
        again = numba.njit(arguments, error_model="numpy", fastmath=kernel._FAST)(function.py_func)
        (assembly,) = again.inspect_asm().values()
        divisions = re.findall(r"\bv?div([ps])s\b.*", assembly)
        assert "p" in divisions
        assert len(re.findall(r"\bv?fn?madd\w*ps|\bv?mulps", assembly)) > 20


@pytest.mark.parametrize("groups", [1, 3])
def test_sums_of_groups_and_what_the_operation_refuses(groups: int) -> None:
    logits, heatmap = focal_maps(3, 2, 50, 70)
    x = logits.requires_grad_()
    sums, slope = heatmap_focal_sums(x, heatmap, 2.0, 4.0, groups, True)
    expected = focal_loss(x.detach().double(), heatmap.double(), 2, 4).reshape(groups, -1).sum(1)
    torch.testing.assert_close(sums.detach().double(), expected, rtol=2e-7, atol=0)
    assert not slope.requires_grad
    factors = torch.arange(1.0, groups + 1)
    (gradient,) = torch.autograd.grad(sums, x, factors)
    assert torch.equal(gradient, slope * factors.view(-1, 1, 1, 1))
    without, none = heatmap_focal_sums(x, heatmap, 2.0, 4.0, groups, False)
    assert torch.equal(without, sums)
    assert none.numel() == 0
    with pytest.raises(RuntimeError, match="slope=False"):
        without.sum().backward()
    for function in (heatmap_focal_sums, partial(cuda.focal_sums, host_launch)):
        with pytest.raises(ValueError, match="groups: expected a divisor of 21000 elements, got 4096"):
            function(x.detach(), heatmap, 2.0, 4.0, 4096, True)
        with pytest.raises(ValueError, match=r"heatmap: expected shape \(3, 2, 50, 70\), as logits"):
            function(x.detach(), heatmap[0], 2.0, 4.0, 1, True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_cuda_kernel_reads_maps_that_start_anywhere(dtype: torch.dtype) -> None:
    logits, heatmap = focal_maps(4099)
    logits = logits.to(dtype)
    for start in range(4):
        x, y = logits[start:], heatmap[start:]
        expected = heatmap_focal_map(x, y, 2.0, 4.0, True)
        for one, other in zip(cuda.focal_map(host_launch, x, y, 2.0, 4.0, True), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=2e-6, atol=1e-9)


def test_sums_are_right_where_float32_would_lose_them() -> None:
    x, y = torch.full((1 << 22,), -1.0), torch.zeros(1 << 22)
    expected = focal_loss(x[:1].double(), y[:1].double(), 2, 4)[0] * x.numel()
    for total in (heatmap_focal_loss(x, y, reduction="sum"), cuda.focal_sums(host_launch, x, y, 2.0, 4.0, 1, False)[0]):
        assert float(total) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_any_number_of_threads_gives_the_same_bits(reduction: str) -> None:
    logits, heatmap = focal_maps((1 << 19) + 1234)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(_loss_and_slope(logits, heatmap, reduction=reduction))
    for loss, slope in results[1:]:
        assert torch.equal(loss, results[0][0])
        assert torch.equal(slope, results[0][1])


def test_two_python_threads_at_once() -> None:
    logits, heatmap = focal_maps(1 << 18)
    expected = heatmap_focal_loss(logits, heatmap)
    results: list[torch.Tensor] = []
    workers = [threading.Thread(target=lambda: results.append(heatmap_focal_loss(logits, heatmap))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 4
    assert all(torch.equal(result, expected) for result in results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_a_second_backward_pass_gives_the_same(dtype: torch.dtype, reduction: Any) -> None:
    logits, heatmap = focal_maps(2, 3, 40, 50)
    x = logits.to(dtype).requires_grad_()
    for factor in (1.0, 0.37):
        loss = heatmap_focal_loss(x, heatmap, reduction=reduction).sum() * factor
        first, second = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(2))
        assert first.data_ptr() != second.data_ptr()
        assert torch.equal(first, second)
        share = factor / x.numel() if reduction == "mean" else factor
        expected = focal_slope(x.detach().double(), heatmap.double(), 2, 4) * share
        torch.testing.assert_close(first.double(), expected, rtol=2 * torch.finfo(dtype).eps + 2e-6, atol=1e-7)


def test_a_gradient_that_is_changed_in_place_changes_nothing_else() -> None:
    logits, heatmap = focal_maps(2, 3, 8, 8)
    loss = heatmap_focal_loss(logits.requires_grad_(), heatmap, reduction="sum")
    (first,) = torch.autograd.grad(loss, logits, retain_graph=True)
    expected = first.clone()
    first.fill_(7)
    assert torch.equal(torch.autograd.grad(loss, logits)[0], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_under_a_loss_scale_are_rounded_once(dtype: torch.dtype) -> None:
    x = torch.linspace(-5, 4, 500).to(dtype).requires_grad_()
    y = torch.rand(500, generator=torch.Generator().manual_seed(0)) / 2
    with torch.autocast("cpu", dtype=dtype):
        loss = heatmap_focal_loss(x, y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss * 4096, x)
    expected = (focal_slope(x.detach().double(), y.double(), 2, 4) * 4096).to(dtype)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(gradient, expected, rtol=1.01 * torch.finfo(dtype).eps, atol=0)
    assert gradient.count_nonzero() == 500  # those of the first would be 0 if the slope were kept in half precision
