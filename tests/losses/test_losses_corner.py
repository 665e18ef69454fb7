"""Corner losses: values against plain loops, gradients, edge cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from oracles import adversarial

from bev3d.boxes import corners_3d
from bev3d.losses import CornerLoss, corner_loss

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
VARIANTS = ["per_box", "per_corner", "huber_sum"]
every_variant = pytest.mark.parametrize(("variant", "flip"), [(v, f) for v in VARIANTS for f in (True, False)])
Variant = Any


def load(
    name: str = "jitter", count: int = 40, dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = (torch.from_numpy(boxes[:count]).to(dtype) for boxes in adversarial.pairs(name))
    return a.requires_grad_(), b


def huber(value: float) -> float:
    return value * value / 2 if abs(value) <= 1 else abs(value) - 0.5


def slow(pred: np.ndarray, target: np.ndarray, variant: str, flip: bool) -> float:
    """The definition, one corner after the other."""
    turned = target.copy()
    turned[6] += math.pi
    own = corners_3d(pred[None])[0]
    candidates = [corners_3d(box[None])[0] for box in ((target, turned) if flip else (target,))]
    if variant == "huber_sum":
        return min(sum(huber(value) for value in (own - other).ravel()) for other in candidates)
    distances = [[math.dist(p, q) for p, q in zip(own, other, strict=True)] for other in candidates]
    if variant == "per_box":
        return min(sum(row) for row in distances)
    return sum(huber(min(column)) for column in zip(*distances, strict=True)) / 8


@every_variant
def test_equals_the_definition(variant: Variant, flip: bool) -> None:
    pred, target = load(count=200)
    pred = pred.detach()
    pred[::2, 6] += math.pi
    loss = corner_loss(pred, target, variant=variant, flip_invariant=flip)
    expected = [slow(p, t, variant, flip) for p, t in zip(pred.numpy(), target.numpy(), strict=True)]
    assert np.abs(loss.numpy() - expected).max() <= 1e-11


def test_closed_forms() -> None:
    target = torch.tensor([[0.0, 0, 0, 4, 2, 2, 0.3]])
    moved = torch.tensor([[3.0, 4, 0, 4, 2, 2, 0.3]])
    # every corner moves by 5
    assert corner_loss(moved, target).item() == pytest.approx(40, rel=1e-6)
    assert corner_loss(moved, target, variant="huber_sum").item() == pytest.approx(8 * (2.5 + 3.5), rel=1e-6)
    only_heading = corner_loss(moved, target, variant="per_corner", flip_invariant=False)
    assert only_heading.item() == pytest.approx(4.5, rel=1e-6)
    turned = target + torch.tensor([0, 0, 0, 0, 0, 0, math.pi])
    assert corner_loss(turned, target).item() == pytest.approx(0, abs=1e-5)
    # without it, every corner is off by the diagonal of the footprint
    diagonal = math.hypot(4, 2)
    assert corner_loss(turned, target, flip_invariant=False).item() == pytest.approx(8 * diagonal, rel=1e-6)


@every_variant
def test_gradcheck(variant: Variant, flip: bool) -> None:
    pred, target = load(count=10)
    target.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p, t: corner_loss(p, t, variant=variant, flip_invariant=flip), (pred, target), eps=1e-6, atol=1e-5
    )


@every_variant
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, dtype) for name in ("identical", "tiny") for dtype in DTYPES),
        # beyond float16
        *(("identical at 100 km", dtype) for dtype in DTYPES if dtype != torch.float16),
    ],
)
def test_equal_boxes_cost_nothing_and_stay(variant: Variant, flip: bool, name: str, dtype: torch.dtype) -> None:
    pred, _ = load(name, 200, dtype)
    target = pred.detach().clone().requires_grad_()
    loss = corner_loss(pred, target, variant=variant, flip_invariant=flip)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (loss == 0).all()
    assert all((grad == 0).all() for grad in torch.autograd.grad(loss.sum(), (pred, target)))


@every_variant
def test_far_boxes_lose_no_digits(variant: Variant, flip: bool) -> None:
    pred, target = (boxes.detach().float() for boxes in load("jitter at 100 km", 300))
    loss = corner_loss(pred, target, variant=variant, flip_invariant=flip)
    exact = corner_loss(pred.double(), target.double(), variant=variant, flip_invariant=flip)
    assert ((loss - exact).abs() / exact.clamp(min=1e-2)).max() <= 1e-4


@every_variant
@pytest.mark.parametrize("shift", [0.0, 20.0])
@pytest.mark.parametrize("turn", [0.0, 1.0, math.pi])
@pytest.mark.parametrize("sizes", [(0, 0, 0), (-3, 2, 1), (2, -1e-3, 1), (-5, -5, -5), (-4, -1.5, -1.6)])
def test_a_collapsed_box_grows(
    variant: Variant, flip: bool, shift: float, turn: float, sizes: tuple[float, ...]
) -> None:
    target = torch.tensor([[shift, shift / 2, 0.2, 4, 1.5, 1.6, 0.4]])
    pred = torch.tensor([[0.0, 0, 0, *map(float, sizes), 0.4 + turn]], requires_grad=True)
    loss = corner_loss(pred, target, variant=variant, flip_invariant=flip)
    (gradient,) = torch.autograd.grad(loss.sum(), pred)
    assert torch.isfinite(gradient).all()
    assert loss.item() > 0.1
    for k in range(3):
        if sizes[k] <= 0:
            assert gradient[0, 3 + k] < 0


@every_variant
def test_unknown_targets_are_taken_out(variant: Variant, flip: bool) -> None:
    pred, target = load(count=6)
    holes = target.clone()
    holes[1, 2] = holes[4, 6] = float("nan")
    loss = corner_loss(pred, holes, variant=variant, flip_invariant=flip)
    expected = corner_loss(pred, target, variant=variant, flip_invariant=flip)
    assert loss[[1, 4]].tolist() == [0, 0]
    assert torch.equal(loss[[0, 2, 3, 5]], expected[[0, 2, 3, 5]])
    (gradient,) = torch.autograd.grad(loss.sum(), pred)
    assert torch.isfinite(gradient).all()
    assert (gradient[[1, 4]] == 0).all()


def test_a_prediction_that_is_not_finite_shows() -> None:
    pred, target = load(count=3)
    for column in range(7):
        broken = pred.detach().clone()
        broken[1, column] = float("nan")
        for variant in VARIANTS:
            loss = corner_loss(broken, target, variant=variant)  # type: ignore[arg-type]
            assert loss.isfinite().tolist() == [True, False, True]


@every_variant
def test_no_boxes_give_0_with_a_graph(variant: Variant, flip: bool) -> None:
    pred, target = torch.zeros(0, 9, requires_grad=True), torch.zeros(0, 7)
    for loss in (
        CornerLoss(variant, flip)(pred, target),
        corner_loss(pred, target, variant=variant, flip_invariant=flip, reduction="mean"),
    ):
        assert loss.item() == 0
        loss.backward()


@every_variant
def test_module_equals_function(variant: Variant, flip: bool) -> None:
    pred, target = load(count=12)
    module = CornerLoss(variant, flip)
    loss = corner_loss(pred, target, variant=variant, flip_invariant=flip)
    assert torch.equal(module(pred, target), loss.mean())
    weight = torch.linspace(0, 1, 12, dtype=torch.float64)
    assert torch.allclose(module(pred, target, weight=weight, avg_factor=3), (weight * loss).sum() / 3)
    assert variant in repr(module)


@pytest.mark.parametrize("variant", VARIANTS)
def test_under_autocast_and_in_half(variant: Variant) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        pred, target = load(count=20, dtype=dtype)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = corner_loss(pred, target, variant=variant)
        assert loss.dtype == torch.float32
        assert torch.equal(loss, corner_loss(pred, target, variant=variant))
        assert torch.isfinite(torch.autograd.grad(loss.sum(), pred)[0]).all()


def test_the_paper_is_above_its_code_at_one_metre() -> None:
    """Choosing a heading by corner can only lower the distances: 1/8 of the sum bounds the mean from above."""
    pred, target = load(count=500)
    pred = pred.detach()
    pred[:, 6] += torch.linspace(0, 6, 500, dtype=torch.float64)
    by_corner = corner_loss(pred, target, variant="per_corner")
    by_box = corner_loss(pred, target, variant="per_box")
    assert (by_corner <= by_box / 8 + 1e-12).all()


@every_variant
def test_compiles_without_a_graph_break(variant: Variant, flip: bool) -> None:
    pred, target = load(count=10)

    def step(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return corner_loss(p, t, variant=variant, flip_invariant=flip).sum()

    target.requires_grad_()
    value = torch.compile(step, fullgraph=True, backend="aot_eager")(pred, target)
    assert torch.allclose(value, step(pred, target))
    for one, other in zip(*(torch.autograd.grad(v, (pred, target)) for v in (value, step(pred, target))), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((torch.zeros(2, 7), torch.zeros(3, 7)), {}, ValueError, r"target: expected the leading shape of pred, \(2,\)"),
        ((torch.zeros(2, 6), torch.zeros(2, 7)), {}, ValueError, r"pred: expected shape .*got \(2, 6\)"),
        ((np.zeros((2, 7)), torch.zeros(2, 7)), {}, TypeError, "pred: expected a torch tensor, got ndarray"),
        ((torch.zeros(2, 7), torch.zeros(2, 7)), {"variant": "l1"}, ValueError, "variant: expected one of per_box"),
        ((torch.zeros(2, 7), torch.zeros(2, 7)), {"reduction": "avg"}, ValueError, "reduction: expected one of"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        corner_loss(*arguments, **options)


def test_module_refuses_a_wrong_variant_at_once() -> None:
    with pytest.raises(ValueError, match=r"variant: expected one of .*, got 'l1'"):
        CornerLoss("l1")  # type: ignore[arg-type]
