"""Shapes, dtypes, devices and boxes that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from oracles import adversarial

from bev3d.overlap import (
    ciou_3d,
    ciou_bev,
    diou_3d,
    diou_bev,
    eiou_3d,
    eiou_bev,
    giou_3d,
    giou_bev,
    iou_3d,
    iou_bev,
    pairwise_intersection_bev,
    pairwise_iou_3d,
    pairwise_iou_bev,
)

ENCLOSING = [giou_bev, giou_3d, diou_bev, diou_3d, ciou_bev, ciou_3d, eiou_bev, eiou_3d]
ALIGNED = [iou_bev, iou_3d, *ENCLOSING]
LEAST = {ciou_bev: -2, ciou_3d: -2, eiou_bev: -3, eiou_3d: -4}
PAIRWISE = [pairwise_iou_bev, pairwise_iou_3d, pairwise_intersection_bev]

Function = Callable[[Any, Any], Any]


def named(function: Function) -> str:
    return function.__name__


def broken_boxes() -> torch.Tensor:
    """Boxes that are none, one after the other."""
    good = torch.tensor([1.0, 2, 0, 4, 2, 1.5, 0.3], dtype=torch.float64)
    rows = []
    for column in range(7):
        for value in (float("nan"), float("inf"), -float("inf")):
            row = good.clone()
            row[column] = value
            rows.append(row)
    for column in (3, 4):
        for value in (0.0, -0.0, -2.0):
            row = good.clone()
            row[column] = value
            rows.append(row)
    return torch.stack(rows)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_is_no_box_overlaps_nothing(dtype: torch.dtype) -> None:
    broken = broken_boxes().to(dtype)
    good = torch.tensor([[1.0, 2, 0, 4, 2, 1.5, 0.3]], dtype=dtype)
    for first, second in ((broken, good), (good, broken), (broken, broken)):
        for function in PAIRWISE:
            assert (function(first, second) == 0).all()
        for function in (iou_bev, iou_3d):
            assert (function(first, second) == 0).all()
            tracked = function(first.clone().requires_grad_(), second)
            assert (tracked == 0).all()
            tracked.sum().backward()
        unknown = ~(torch.isfinite(first) & torch.isfinite(second)).all(dim=1)
        for function in ENCLOSING:
            value = function(first, second)
            assert (value[unknown] == -1).all()
            assert ((value >= LEAST.get(function, -1)) & (value <= 0)).all()
            tracked = first.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(function(tracked, second).sum(), tracked)
            assert torch.isfinite(gradient).all()
            if len(first) == len(unknown):
                assert (gradient[unknown] == 0).all()
    # and they leave their neighbours alone
    mixed = torch.cat([broken[:5], good, broken[5:]])
    assert iou_bev(mixed, mixed)[5].item() == pytest.approx(1)
    assert pairwise_iou_3d(mixed, mixed)[5, 5].item() == pytest.approx(1)


def test_extreme_but_finite_boxes_give_finite_numbers() -> None:
    values = [0.0, 1e-300, 1e-30, 1.0, 1e30, 1e300, -1e300]
    rng = np.random.default_rng(2)
    a, b = (torch.from_numpy(rng.choice(values, (3000, 7))) for _ in range(2))
    for function in ALIGNED:
        tracked = a.clone().requires_grad_()
        value = function(tracked, b)
        assert torch.isfinite(value).all()
        assert torch.isfinite(function(a, b)).all()
        assert ((value >= LEAST.get(function, -1)) & (value <= 1)).all()
        (gradient,) = torch.autograd.grad(value.sum(), tracked)
        assert torch.isfinite(gradient).all()
    for function in (pairwise_iou_bev, pairwise_iou_3d):
        value = function(a[:500], b[:500])
        assert ((value >= 0) & (value <= 1)).all()


@pytest.mark.parametrize("function", ALIGNED, ids=named)
def test_aligned_shapes_and_dtypes(function: Function) -> None:
    a = torch.from_numpy(adversarial.boxes(np.random.default_rng(0), 12)).reshape(3, 4, 7)
    nine = torch.cat([a, torch.full((3, 4, 2), float("nan"), dtype=a.dtype)], dim=-1)
    assert function(a, nine).shape == (3, 4)
    assert (function(nine, nine) - 1).abs().max() < 1e-12
    assert function(a[0, 0], nine[0, 0]).shape == ()
    assert function(a[:, :1], a[:1]).shape == (3, 4)
    assert function(a[:0], a[:0]).shape == (0, 4)
    assert function(a.float(), a).dtype == torch.float64
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        value = function(a.to(dtype), a.to(dtype))
        assert value.dtype == dtype
        assert (value == 1).all()
    strided = torch.cat([a, a], dim=-1)[..., ::2]
    assert function(strided, strided.contiguous()).shape == (3, 4)
    assert torch.equal(function(a.transpose(0, 1), a.transpose(0, 1)), function(a, a).T)


@pytest.mark.parametrize("function", PAIRWISE, ids=named)
def test_pairwise_shapes_and_dtypes(function: Function) -> None:
    a = adversarial.boxes(np.random.default_rng(0), 12, spread=5)
    matrix = function(a, a[:5])
    assert isinstance(matrix, np.ndarray)
    assert matrix.shape == (12, 5)
    assert matrix.dtype == np.float64
    assert function(a.astype(np.float32), a.astype(np.float32)).dtype == np.float32
    assert function(a[:0], a).shape == (0, 12)
    assert function(a, a[:0]).shape == (12, 0)
    half = torch.from_numpy(a).half()
    assert function(half, half).dtype == torch.float16
    as_tensor = function(torch.from_numpy(a).requires_grad_(), torch.from_numpy(a[:5]))
    assert not as_tensor.requires_grad
    assert np.array_equal(as_tensor.numpy(), matrix)
    assert np.array_equal(function(np.asfortranarray(a), a[:5]), matrix)
    frozen = a.copy()
    frozen.flags.writeable = False
    assert np.array_equal(function(frozen, a[:5]), matrix)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 129, 200])
def test_every_pair_is_in_its_place_whatever_their_number(count: int, dtype: torch.dtype) -> None:
    a, b = (torch.from_numpy(boxes[:count]).to(dtype) for boxes in adversarial.pairs("jitter"))
    for function in (iou_3d, giou_bev):
        tracked = a.clone().requires_grad_()
        value = function(tracked, b)
        (gradient,) = torch.autograd.grad(value.sum(), tracked)
        for i in {0, count // 2, count - 1}:
            alone = a[i].clone().requires_grad_()
            single = function(alone, b[i])
            assert torch.equal(single, value[i])
            assert torch.equal(torch.autograd.grad(single, alone)[0], gradient[i])
            assert torch.equal(function(a, b)[i], function(a[i], b[i]))


@pytest.mark.parametrize("function", [iou_3d, eiou_3d], ids=named)
def test_many_pairs_in_several_threads_give_the_same(function: Function) -> None:
    a, b = (torch.from_numpy(boxes).repeat(60, 1) for boxes in adversarial.pairs("jitter"))
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            tracked = a.clone().requires_grad_()
            value = function(tracked, b)
            results.append((function(a, b), value.detach(), *torch.autograd.grad(value.sum(), tracked)))
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_float32_beyond_its_range_is_computed_in_float64() -> None:
    box = torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0.3]])
    for scale in (1e-14, 1e13):
        scaled = torch.cat([box[:, :3], box[:, 3:6] * scale, box[:, 6:]], dim=1)
        half = scaled.clone()
        half[:, 3] /= 2
        assert iou_3d(half, scaled).item() == pytest.approx(0.5, abs=1e-6)
    turned = box.clone()
    turned[:, 6] += 2 * np.pi * 100
    shifted = box.clone()
    shifted[:, 0] += 1
    expected = iou_3d(box.double(), shifted.double()).item()
    assert iou_3d(turned, shifted).item() == pytest.approx(expected, abs=1e-4)
    mixed = torch.cat([box, turned, scaled])
    assert (iou_3d(mixed, mixed) == 1).all()


def test_many_rows_in_several_threads_give_the_same() -> None:
    rng = np.random.default_rng(4)
    a, b = adversarial.boxes(rng, 1500, spread=60), adversarial.boxes(rng, 900, spread=60)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = pairwise_iou_bev(a, b)
        torch.set_num_threads(3)
        assert np.array_equal(pairwise_iou_bev(a, b), one)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("function", [*ALIGNED, *PAIRWISE], ids=named)
def test_wrong_arguments_are_named(function: Function) -> None:
    good = torch.zeros(3, 7)
    first, second = ("pred", "target") if function in ENCLOSING else ("a", "b")
    with pytest.raises(ValueError, match=rf"{first}: expected shape \(\.\.\., 7\) or \(\.\.\., 9\), got \(3, 5\)"):
        function(torch.zeros(3, 5), good)
    with pytest.raises(TypeError, match=f"{second}: expected a floating-point dtype, got torch.int64"):
        function(good, torch.zeros(3, 7, dtype=torch.int64))
    with pytest.raises(TypeError, match=f"{second}: expected a .*ensor.*, got (list|ndarray)"):
        function(good, [[0.0] * 7] if function in PAIRWISE else good.numpy())
    with pytest.raises(ValueError, match=f"{second}: expected the device of {first}"):
        function(good, torch.zeros(3, 7, device="meta"))


@pytest.mark.parametrize("function", ALIGNED, ids=named)
def test_shapes_that_do_not_broadcast_are_refused(function: Function) -> None:
    with pytest.raises(ValueError, match=r"broadcast to \(3,\) .*got \(4,\)"):
        function(torch.zeros(3, 7), torch.zeros(4, 7))


@pytest.mark.parametrize("function", PAIRWISE, ids=named)
def test_pairwise_wants_two_dimensions_and_one_kind(function: Function) -> None:
    with pytest.raises(ValueError, match=r"b: expected two dimensions, \(N, 7 or 9\), got \(7,\)"):
        function(torch.zeros(3, 7), torch.zeros(7))
    with pytest.raises(TypeError, match="b: expected a Tensor as a, got ndarray"):
        function(torch.zeros(3, 7), np.zeros((3, 7)))


def test_compiles_without_a_graph_break() -> None:
    a, b = (torch.from_numpy(boxes[:50]).requires_grad_() for boxes in adversarial.pairs("jitter"))
    for function in (iou_3d, giou_3d, ciou_bev, eiou_3d):
        torch._dynamo.reset()
        compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
        value, expected = compiled(a, b), function(a, b)
        assert torch.allclose(value, expected, atol=1e-12)
        gradients = [torch.autograd.grad(v.sum(), a)[0] for v in (value, expected)]
        assert torch.allclose(*gradients, atol=1e-12)
