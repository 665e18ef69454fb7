"""Overlap of pairs named by two indices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from oracles import adversarial
from torch import Tensor

from bev3d import overlap
from bev3d.overlap import iou_3d, matched_overlap
from bev3d_ops._overlap_kinds import KINDS


def load(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Boxes, of which some are in several pairs and some in none."""
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.from_numpy(boxes[:60]).to(dtype) for boxes in adversarial.pairs("jitter"))
    index = torch.randint(0, 50, (200,), generator=rng)
    other = torch.where(torch.rand(200, generator=rng) < 0.9, index, torch.randint(0, 50, (200,), generator=rng))
    return a.requires_grad_(), b.requires_grad_(), index, other


def aligned(kind: str, a: Tensor, b: Tensor) -> Tensor:
    if "hull" in kind:
        return getattr(overlap, kind.replace("hull_", ""))(a, b, enclosing="hull")  # type: ignore[no-any-return]
    return getattr(overlap, kind)(a, b)  # type: ignore[no-any-return]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "intersection_bev"])
def test_equals_the_aligned_form_of_gathered_boxes(kind: Any, dtype: torch.dtype) -> None:
    a, b, index_a, index_b = load(dtype)
    value, expected = matched_overlap(a, b, index_a, index_b, kind=kind), aligned(kind, a[index_a], b[index_b])
    # an IoU is found with or without its gradient beside it, and in float32 with float64 inside or without
    assert (value - expected).abs().max() <= torch.finfo(dtype).eps * 20
    cotangent = torch.randn(200, generator=torch.Generator().manual_seed(1)).to(dtype)
    gradients = [torch.autograd.grad(v, (a, b), cotangent) for v in (value, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
        assert (one[50:] == 0).all()
        assert one.abs().sum() > 0
    with torch.no_grad():
        assert (matched_overlap(a, b, index_a, index_b, kind=kind) - value).abs().max() <= torch.finfo(dtype).eps * 20


def test_intersection_is_in_square_metres() -> None:
    square = torch.tensor([[0.0, 0, 0, 2, 2, 2, 0], [1.0, 1, 0, 2, 2, 2, 0]])
    index = torch.tensor([0, 0]), torch.tensor([0, 1])
    assert matched_overlap(square, square, *index, kind="intersection_bev").tolist() == [4, 1]


def test_gradcheck() -> None:
    a, b, index_a, index_b = load()
    arguments = (index_a[:10], index_b[:10])
    assert torch.autograd.gradcheck(lambda p, q: matched_overlap(p, q, *arguments), (a, b), eps=1e-7, atol=1e-5)


def test_shapes_and_types() -> None:
    a, b, index_a, index_b = load()
    expected = matched_overlap(a, b, index_a, index_b)
    assert torch.equal(matched_overlap(a, b, index_a.int(), index_b), expected)
    strided = torch.stack([index_a, index_b], dim=1)
    assert torch.equal(matched_overlap(a, b, strided[:, 0], strided[:, 1]), expected)
    nine = torch.cat([b, torch.full((60, 2), float("nan"), dtype=b.dtype)], dim=1).detach().requires_grad_()
    value = matched_overlap(a, nine, index_a, index_b)
    assert torch.equal(value, expected)
    (gradient,) = torch.autograd.grad(value.sum(), nine)
    assert gradient.shape == (60, 9)
    assert (gradient[:, 7:] == 0).all()
    mixed = matched_overlap(a.float(), b, index_a, index_b)
    assert mixed.dtype == torch.float64


@pytest.mark.parametrize("boxes", [0, 3])
def test_no_pairs(boxes: int) -> None:
    a = torch.zeros(boxes, 7, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    value = matched_overlap(a, torch.zeros(5, 7), none, none)
    assert value.shape == (0,)
    value.sum().backward()
    assert a.grad is not None
    assert (a.grad == 0).all()


def test_what_is_no_box_harms_no_other() -> None:
    a, b, index_a, index_b = load()
    broken = a.detach().clone()
    broken[7, 2] = float("nan")
    broken.requires_grad_()
    value, expected = (matched_overlap(boxes, b, index_a, index_b) for boxes in (broken, a))
    with_it = index_a == 7
    assert with_it.any()
    assert (value[with_it] == 0).all()
    assert torch.equal(value[~with_it], expected[~with_it])
    (gradient,) = torch.autograd.grad(value.sum(), broken)
    assert torch.isfinite(gradient).all()
    assert (gradient[7] == 0).all()


def test_every_run_sums_alike_whatever_the_threads() -> None:
    rng = torch.Generator().manual_seed(3)
    a, b = (torch.from_numpy(boxes).requires_grad_() for boxes in adversarial.pairs("jitter"))
    index = torch.randint(0, 2000, (120_000,), generator=rng)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            value = matched_overlap(a, b, index, index, kind="giou_3d")
            results.append((value.detach(), *torch.autograd.grad(value.sum(), (a, b))))
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_compiles_without_a_graph_break() -> None:
    a, b, index_a, index_b = load()
    torch._dynamo.reset()
    compiled = torch.compile(matched_overlap, fullgraph=True, backend="aot_eager")
    value, expected = compiled(a, b, index_a, index_b), matched_overlap(a, b, index_a, index_b)
    assert torch.allclose(value, expected, atol=1e-12)
    gradients = [torch.autograd.grad(v.sum(), a)[0] for v in (value, expected)]
    assert torch.allclose(*gradients, atol=1e-12)


def test_a_second_derivative_is_refused() -> None:
    a, b, index_a, index_b = load()
    (gradient,) = torch.autograd.grad(matched_overlap(a, b, index_a, index_b).sum(), a, create_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        gradient.sum().backward()


def test_costs_nothing_per_box_that_is_in_no_pair() -> None:
    """A graph through the matrix of all pairs would take 80 GB here."""
    a, b = torch.rand(100_000, 7, requires_grad=True), torch.rand(100_000, 7)
    value = matched_overlap(a, b, torch.arange(100), torch.arange(100))
    (gradient,) = torch.autograd.grad(value.sum(), a)
    assert (value - iou_3d(a[:100], b[:100])).abs().max() <= 2e-5  # in float32
    assert (gradient[100:] == 0).all()


INDEX = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"pred": torch.zeros(3, 6)}, ValueError, r"pred: expected shape .*got \(3, 6\)"),
        ({"pred": torch.zeros(7)}, ValueError, r"pred: expected two dimensions, \(N, 7 or 9\), got \(7,\)"),
        ({"target": [[0.0] * 7]}, TypeError, "target: expected a torch tensor, got list"),
        ({"target": torch.zeros(3, 7, device="meta")}, ValueError, "target: expected the device of pred"),
        ({"pred_index": [0, 1]}, TypeError, "pred_index: expected a torch tensor, got list"),
        ({"pred_index": torch.zeros(2)}, TypeError, "pred_index: expected dtype int64 or int32, got torch.float32"),
        ({"pred_index": torch.zeros(2, requires_grad=True)}, TypeError, "pred_index: expected dtype int64 or int32"),
        ({"pred_index": torch.tensor([True, False])}, TypeError, "pred_index: .*got torch.bool"),
        ({"target_index": INDEX[None]}, ValueError, r"target_index: expected shape \(K,\), got \(1, 2\)"),
        ({"target_index": INDEX[:1]}, ValueError, r"target_index: expected the shape of pred_index \(2,\), got \(1,\)"),
        ({"pred_index": INDEX.to("meta")}, ValueError, "pred_index: expected the device of pred"),
        ({"pred_index": torch.tensor([0, 3])}, IndexError, "pred_index: expected rows 0 to 2 of pred, got 0 to 3"),
        ({"target_index": torch.tensor([-1, 1])}, IndexError, "target_index: expected rows 0 to 2 .*got -1 to 1"),
        ({"kind": "iou"}, ValueError, "kind: expected one of intersection_bev, iou_bev"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {
        "pred": torch.zeros(3, 7),
        "target": torch.zeros(3, 7),
        "pred_index": INDEX,
        "target_index": INDEX,
    }
    with pytest.raises(error, match=message):
        matched_overlap(**{**arguments, **change})
