"""The kernel behind the corner losses: against the plain statement, in any layout, on any thread, with bad input."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from oracles import adversarial

from bev3d.losses import corner_loss
from bev3d_ops.reference._corner import corner_loss as plain_corner_loss
from bev3d_ops.registered._corner import corner_loss as fused_corner_loss

VARIANTS = ["per_box", "per_corner", "huber_sum"]
every_variant = pytest.mark.parametrize(("variant", "flip"), [(v, f) for v in VARIANTS for f in (True, False)])
Variant = Any


def load(name: str = "jitter", count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = (torch.from_numpy(boxes[:count]) for boxes in adversarial.pairs(name))
    return a.requires_grad_(), b


def rounded_like(pred: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return pred.detach().to(dtype).requires_grad_()


@every_variant
@pytest.mark.parametrize("name", ["jitter", "dyaw 1e-5 to 1e-3", "contained", "jitter at 100 km"])
def test_the_plain_statement_gives_the_same_gradients(variant: Variant, flip: bool, name: str) -> None:
    """Away from kinks: where the headings do not tie and no corners meet."""
    pred, target = load(name, 300)
    target = target.clone().requires_grad_()
    fused = corner_loss(pred, target, variant=variant, flip_invariant=flip)
    plain = plain_corner_loss(pred, target, variant, flip)
    torch.testing.assert_close(fused, plain, rtol=1e-9, atol=1e-12)
    weight = torch.linspace(-1, 2, len(plain), dtype=torch.float64)
    for one, other in zip(*(torch.autograd.grad(v, (pred, target), weight) for v in (fused, plain)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@every_variant
def test_float32_is_computed_in_more(variant: Variant, flip: bool) -> None:
    exact, target = load(count=300)
    single, target = rounded_like(exact, torch.float32), target.float()
    double = rounded_like(single, torch.float64)
    losses = [
        corner_loss(pred, target.to(pred.dtype), variant=variant, flip_invariant=flip) for pred in (single, double)
    ]
    assert torch.equal(losses[0], losses[1].float())
    grads = [torch.autograd.grad(v.sum(), pred)[0] for v, pred in zip(losses, (single, double), strict=True)]
    assert torch.equal(grads[0], grads[1].float())


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_second_derivative_is_refused(variant: Variant) -> None:
    pred, target = load(count=4)
    (grad,) = torch.autograd.grad(corner_loss(pred, target, variant=variant).sum(), pred, create_graph=True)
    with pytest.raises(RuntimeError, match="corner_loss can be differentiated once"):
        grad.sum().backward()


@pytest.mark.parametrize("variant", VARIANTS)
def test_threads_change_nothing(variant: Variant) -> None:
    base, other = load(count=2000)
    pred = base.detach().repeat(12, 1).requires_grad_()
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        loss = corner_loss(pred, other.repeat(12, 1), variant=variant)
        results.append((loss, *torch.autograd.grad(loss.sum(), pred)))
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_any_layout_any_columns() -> None:
    pred, target = load(count=30)
    expected = corner_loss(pred, target)
    wide = torch.full((2, 9, 15), math.nan, dtype=torch.float64)
    wide[:, :7] = pred.detach().view(2, 15, 7).transpose(1, 2)
    strided = wide.transpose(1, 2).requires_grad_()  # (2, 15, 9), velocities NaN
    loss = corner_loss(strided, target.view(2, 15, 7))
    assert torch.equal(loss.flatten(), expected)
    (grad,) = torch.autograd.grad(loss.sum(), strided)
    assert torch.equal(grad[..., :7].flatten(0, 1), torch.autograd.grad(expected.sum(), pred)[0])
    assert (grad[..., 7:] == 0).all()
    assert corner_loss(pred[0], target[0]).shape == ()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e200])
def test_what_is_not_finite_or_too_far_stays_in_its_row(variant: Variant, value: float) -> None:
    pred, target = load(count=80)  # more than a block
    expected = corner_loss(pred, target, variant=variant)
    for column in range(7):
        for which in (0, 1):
            boxes = [pred.detach().clone().requires_grad_(), target.clone()]
            with torch.no_grad():
                boxes[which][3, column] = value
            loss = corner_loss(boxes[0], boxes[1], variant=variant)
            others = torch.arange(80) != 3
            assert torch.equal(loss[others], expected[others])
            if value == math.inf:
                assert not torch.isfinite(loss[3])
            (grad,) = torch.autograd.grad(loss[others].sum(), boxes[0])
            assert torch.isfinite(grad[others]).all()


def test_a_yaw_after_many_turns() -> None:
    pred, target = load(count=100)
    far = pred.detach().clone()
    far[::3, 6] += 2 * math.pi * 1e6
    torch.testing.assert_close(corner_loss(far, target), corner_loss(pred, target).detach(), rtol=1e-7, atol=1e-7)


def test_the_operation_names_what_it_cannot_take() -> None:
    boxes = torch.rand(4, 7)
    loss, by_pred, by_target = fused_corner_loss(boxes.requires_grad_(), boxes.detach(), "per_box", True, False)
    assert by_pred.shape == by_target.shape == (0, 7)
    with pytest.raises(RuntimeError, match="expected slopes=True"):
        loss.sum().backward()
    boxes = boxes.detach()
    for arguments, error, message in (
        (
            (boxes.half(), boxes.half(), "per_box"),
            TypeError,
            "expected both float32 or both float64, got torch.float16",
        ),
        ((boxes, boxes.double(), "per_box"), TypeError, "got torch.float32 and torch.float64"),
        ((boxes, boxes[:3], "per_box"), ValueError, r"expected one shape \(N, 7\), got \(4, 7\) and \(3, 7\)"),
        ((boxes, boxes, "l1"), ValueError, "variant: expected one of per_box"),
    ):
        with pytest.raises(error, match=message):
            fused_corner_loss(*arguments, True, False)
    with pytest.raises(ValueError, match=r"target: expected the device of pred \(cpu\), got meta"):
        corner_loss(boxes, boxes.to("meta"))
