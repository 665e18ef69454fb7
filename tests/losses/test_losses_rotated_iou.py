"""Rotated overlap losses: values, gradients, edge cases."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from oracles import adversarial

from bev3d import overlap
from bev3d.losses import RotatedIouLoss, rotated_iou_loss
from bev3d.overlap import iou_3d

KINDS = ["iou", "giou", "diou", "ciou", "eiou"]
SPACES = ["bev", "3d"]
OVERLAPS = {(kind, space): getattr(overlap, f"{kind}_{space}") for kind in KINDS for space in SPACES}

every_kind = pytest.mark.parametrize(("kind", "space"), list(OVERLAPS))
Kind = Any


def load(
    name: str = "jitter", count: int = 40, dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = (torch.from_numpy(boxes[:count]).to(dtype) for boxes in adversarial.pairs(name))
    return a.requires_grad_(), b


@every_kind
def test_is_one_minus_the_overlap(kind: Kind, space: Kind) -> None:
    pred, target = load("jitter", 500)
    loss = rotated_iou_loss(pred, target, kind=kind, space=space)
    assert loss.shape == (500,)
    assert (loss - (1 - OVERLAPS[kind, space](pred, target))).abs().max() <= 1e-15


def test_closed_forms() -> None:
    pred = torch.tensor([[4.0, 0, 0, 2, 2, 2, 0]])
    target = torch.tensor([[0.0, 0, 0, 2, 2, 2, 0]])
    assert rotated_iou_loss(pred, target).item() == 1
    # enclosing 6 x 2, union 8; the distance 4, the diagonal's square 40 and 44
    assert rotated_iou_loss(pred, target, kind="giou", space="bev").item() == pytest.approx(1 + 4 / 12)
    assert rotated_iou_loss(pred, target, kind="diou", space="bev").item() == pytest.approx(1 + 16 / 40)
    assert rotated_iou_loss(pred, target, kind="diou", space="3d").item() == pytest.approx(1 + 16 / 44)
    shifted = torch.tensor([[1.0, 1, 1, 2, 2, 2, 0]])
    assert rotated_iou_loss(shifted, target).item() == pytest.approx(1 - 1 / 15)


def test_the_yaw_counts() -> None:
    """A strip of 4 x 1 across another one covers a seventh of their union: leaving the yaw out would say all."""
    target = torch.tensor([[0.0, 0, 0, 4, 1, 2, 0]])
    pred = torch.tensor([[0.0, 0, 0, 4, 1, 2, math.pi / 2]])
    assert rotated_iou_loss(pred, target).item() == pytest.approx(1 - 1 / 7, abs=1e-6)


@pytest.mark.parametrize(("kind", "space"), [key for key in OVERLAPS if key[0] != "ciou"])  # its α is held fixed
def test_gradcheck(kind: Kind, space: Kind) -> None:
    pred, target = load(count=10)
    assert torch.autograd.gradcheck(
        lambda p: rotated_iou_loss(p, target, kind=kind, space=space), (pred,), eps=1e-7, atol=1e-5
    )


@every_kind
def test_the_gradient_is_that_of_the_overlap(kind: Kind, space: Kind) -> None:
    pred, target = load(count=200)
    (gradient,) = torch.autograd.grad(rotated_iou_loss(pred, target, kind=kind, space=space).sum(), pred)
    (expected,) = torch.autograd.grad(OVERLAPS[kind, space](pred, target).sum(), pred)
    assert torch.equal(gradient, -expected)
    assert expected.abs().sum() > 0


@every_kind
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_equal_boxes_cost_nothing_and_stay(kind: Kind, space: Kind, dtype: torch.dtype) -> None:
    pred, _ = load("identical", 300, dtype)
    loss = rotated_iou_loss(pred, pred.detach().clone(), kind=kind, space=space)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert loss.abs().max() <= 1e-12
    (gradient,) = torch.autograd.grad(loss.sum(), pred)
    assert gradient.dtype == dtype
    assert gradient.norm(dim=1).max() <= 1e-5


@every_kind
@pytest.mark.parametrize("apart", [0.0, 30.0])
@pytest.mark.parametrize("sizes", [(0, 0, 0), (-3, 2, 1), (2, -1e-3, 1), (-5, -5, -5), (1e-4, 1e-4, 1e-4), (0, 2, 1)])
def test_a_collapsed_box_grows(kind: Kind, space: Kind, apart: float, sizes: tuple[float, ...]) -> None:
    target = torch.tensor([[apart, apart / 2, 0.2, 4, 1.5, 1.6, 0.4]])
    pred = torch.tensor([[0.1, 0, 0, *map(float, sizes), 0.1]], requires_grad=True)
    loss = rotated_iou_loss(pred, target, kind=kind, space=space)
    (gradient,) = torch.autograd.grad(loss.sum(), pred)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(gradient).all()
    for column in range(3, 5 if space == "bev" else 6):
        if sizes[column - 3] <= 1e-3:
            assert gradient[0, column] < 0


def test_the_aspect_does_not_keep_a_collapsed_box_small() -> None:
    """CIoU would rather shorten this one than widen it, with more force than a box that is not collapsed feels."""
    target = torch.tensor([[30.0, 0, 0, 1.5, 4, 1.6, 0.4]])
    pred = torch.tensor([[0.0, 0, 0, 1.4e-3, 1.4e-3, 1, 0.1]], requires_grad=True)
    for space in SPACES:
        loss = rotated_iou_loss(pred, target, kind="ciou", space=space)  # type: ignore[arg-type]
        (gradient,) = torch.autograd.grad(loss.sum(), pred)
        assert (gradient[0, 3:5] < 0).all()


def test_descent_leads_out_of_a_negative_size() -> None:
    target = torch.tensor([[0.5, 0, 0, 4, 2, 1.5, 0.1]])
    pred = torch.tensor([[0.0, 0, 0, -1, -1, -1, 0]], requires_grad=True)
    optimizer = torch.optim.Adam([pred], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        rotated_iou_loss(pred, target, kind="giou").sum().backward()
        optimizer.step()
    assert iou_3d(pred.detach(), target).item() > 0.8


@every_kind
def test_unknown_targets_are_taken_out(kind: Kind, space: Kind) -> None:
    pred, target = load(count=6)
    expected = rotated_iou_loss(pred, target, kind=kind, space=space)
    holes = target.clone()
    holes[1, 2] = holes[4, 6] = float("nan")
    loss = rotated_iou_loss(pred, holes, kind=kind, space=space)
    assert loss[[1, 4]].tolist() == [0, 0]
    rest = [0, 2, 3, 5]
    assert torch.equal(loss[rest], expected[rest])
    (gradient,) = torch.autograd.grad(loss.sum(), pred)
    assert torch.isfinite(gradient).all()
    assert (gradient[[1, 4]] == 0).all()


def test_nan_velocities_do_not_matter() -> None:
    pred, target = load(count=5)
    velocity = torch.full((5, 2), float("nan"), dtype=torch.float64)
    loss = rotated_iou_loss(torch.cat([pred, velocity], 1), torch.cat([target, velocity], 1))
    assert torch.equal(loss, rotated_iou_loss(pred, target))


def test_a_prediction_that_is_not_finite_shows() -> None:
    pred, target = load(count=3)
    broken = pred.detach().clone()
    broken[1, 0] = float("nan")
    assert rotated_iou_loss(broken, target).isnan().tolist() == [False, True, False]


@every_kind
def test_no_boxes_give_0_with_a_graph(kind: Kind, space: Kind) -> None:
    pred, target = torch.zeros(0, 7, requires_grad=True), torch.zeros(0, 7)
    module = RotatedIouLoss(kind, space)
    for loss in (
        module(pred, target),
        module(pred, target, avg_factor=1.0),
        rotated_iou_loss(pred, target, kind=kind, space=space, reduction="mean"),
        rotated_iou_loss(pred, target, kind=kind, space=space, reduction="sum"),
    ):
        assert loss.item() == 0
        assert loss.requires_grad
        loss.backward()


@every_kind
def test_module_equals_function(kind: Kind, space: Kind) -> None:
    pred, target = load(count=12)
    module = RotatedIouLoss(kind, space)
    loss = rotated_iou_loss(pred, target, kind=kind, space=space)
    assert torch.equal(module(pred, target), loss.mean())
    assert torch.equal(rotated_iou_loss(pred, target, kind=kind, space=space, reduction="mean"), loss.mean())
    assert torch.equal(rotated_iou_loss(pred, target, kind=kind, space=space, reduction="sum"), loss.sum())
    weight = torch.linspace(0, 1, 12, dtype=torch.float64)
    assert torch.allclose(module(pred, target, weight=weight, avg_factor=3), (weight * loss).sum() / 3)
    assert kind in repr(module)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_under_autocast(dtype: torch.dtype) -> None:
    pred, target = load(count=20, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = rotated_iou_loss(pred, target, kind="giou")
    assert loss.dtype == torch.float32
    assert torch.equal(loss, rotated_iou_loss(pred, target, kind="giou"))
    (gradient,) = torch.autograd.grad(loss.sum(), pred)
    assert torch.isfinite(gradient).all()


def test_shapes_and_strides() -> None:
    pred, target = load(count=12)
    loss = rotated_iou_loss(pred, target)
    folded = rotated_iou_loss(pred.reshape(3, 4, 7), target.reshape(3, 4, 7))
    assert torch.equal(folded.flatten(), loss)
    strided = torch.stack([pred, pred], dim=-1)[..., 0]
    assert not strided.is_contiguous()
    assert torch.equal(rotated_iou_loss(strided, target), loss)


@every_kind
def test_compiles_without_a_graph_break(kind: Kind, space: Kind) -> None:
    pred, target = load(count=10)

    def step(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return rotated_iou_loss(p, t, kind=kind, space=space).sum()

    torch._dynamo.reset()
    value, expected = torch.compile(step, fullgraph=True, backend="aot_eager")(pred, target), step(pred, target)
    assert torch.allclose(value, expected, atol=1e-12)
    gradients = [torch.autograd.grad(v, pred)[0] for v in (value, expected)]
    assert torch.allclose(*gradients, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((torch.zeros(2, 7), torch.zeros(3, 7)), {}, ValueError, r"target: expected the leading shape of pred, \(2,\)"),
        ((torch.zeros(2, 7), torch.zeros(1, 7)), {}, ValueError, r"target: .*got \(1,\)"),
        ((torch.zeros(2, 6), torch.zeros(2, 7)), {}, ValueError, r"pred: expected shape .*got \(2, 6\)"),
        ((torch.zeros(2, 7), [[0.0] * 7] * 2), {}, TypeError, "target: expected a torch tensor, got list"),
        ((torch.zeros(2, 7), torch.zeros(2, 7, dtype=torch.int64)), {}, TypeError, "target: expected a floating-point"),
        ((torch.zeros(2, 7), torch.zeros(2, 7)), {"kind": "ciou2"}, ValueError, "kind: expected one of iou, log_iou"),
        ((torch.zeros(2, 7), torch.zeros(2, 7)), {"space": "2d"}, ValueError, "space: expected one of bev, 3d"),
        ((torch.zeros(2, 7), torch.zeros(2, 7)), {"reduction": "avg"}, ValueError, "reduction: expected one of"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rotated_iou_loss(*arguments, **options)


def test_module_refuses_wrong_options_at_once() -> None:
    with pytest.raises(ValueError, match=r"kind: expected one of iou, .*alpha_iou, got 'l1'"):
        RotatedIouLoss("l1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="space: expected one of bev, 3d, got '4d'"):
        RotatedIouLoss(space="4d")  # type: ignore[arg-type]


@pytest.mark.parametrize("space", SPACES)
def test_forms_made_of_the_overlaps(space: Kind) -> None:
    pred, target = load("jitter", 200)
    iou = OVERLAPS["iou", space](pred, target).detach()
    eiou = rotated_iou_loss(pred, target, kind="eiou", space=space).detach()
    loss = {
        kind: rotated_iou_loss(pred, target, kind=kind, space=space) for kind in ("log_iou", "alpha_iou", "focal_eiou")
    }
    torch.testing.assert_close(loss["log_iou"].detach(), -iou.clamp(min=1e-6).log(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(loss["alpha_iou"].detach(), 1 - iou**3, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(loss["focal_eiou"].detach(), iou.sqrt().clamp(min=0.1) * eiou, rtol=1e-12, atol=1e-12)
    # the weight of focal EIoU is a constant of the gradient
    (grad,) = torch.autograd.grad(loss["focal_eiou"].sum(), pred)
    weighted = iou.sqrt().clamp(min=0.1) * rotated_iou_loss(pred, target, kind="eiou", space=space)
    torch.testing.assert_close(grad, torch.autograd.grad(weighted.sum(), pred)[0])


@pytest.mark.parametrize("space", SPACES)
def test_the_aspect_term_of_tcyb_is_off_below_an_iou_of_a_half(space: Kind) -> None:
    target = torch.tensor([[0.0, 0, 0, 4, 2, 2, 0], [0.0, 0, 0, 4, 2, 2, 0]], dtype=torch.float64)
    pred = torch.tensor([[3.0, 0, 0, 4, 1, 2, 0], [0.1, 0, 0, 4, 1.9, 2, 0]], dtype=torch.float64)
    tcyb = rotated_iou_loss(pred, target, kind="ciou", space=space, ciou_alpha="tcyb")
    aaai = rotated_iou_loss(pred, target, kind="ciou", space=space)
    diou = rotated_iou_loss(pred, target, kind="diou", space=space)
    assert tcyb[0] == diou[0] != aaai[0]
    assert tcyb[1] == aaai[1] != diou[1]


@pytest.mark.parametrize("kind", ["log_iou", "alpha_iou", "focal_eiou"])
def test_boxes_apart_and_collapsed_are_finite_in_the_further_forms(kind: Kind) -> None:
    target = torch.tensor([[0.0, 0, 0, 4, 2, 2, 0]] * 4)
    pred = torch.tensor(
        [[30.0, 0, 0, 4, 2, 2, 1], [0.0, 0, 0, 0, 0, 0, 0], [0.0, 0, 0, -1, 2, 2, 0], [0.0, 0, 0, 4, 2, 2, 0]],
        requires_grad=True,
    )
    loss = rotated_iou_loss(pred, target, kind=kind)
    (grad,) = torch.autograd.grad(loss.sum(), pred)
    assert loss.isfinite().all()
    assert grad.isfinite().all()
    assert (grad[1, 3:6] < 0).all(), "a step down the gradient makes a collapsed box grow"
    assert grad[2, 3] < 0
    assert loss[3].item() == pytest.approx(0, abs=1e-6)
    assert grad[3].abs().max() < 1e-5
    assert (grad[0].abs().sum() > 0) == (kind == "focal_eiou")


def test_options_out_of_range_are_named() -> None:
    boxes = torch.zeros(1, 7)
    for options, message in (
        ({"kind": "siou"}, "kind.*siou"),
        ({"ciou_alpha": "cvpr"}, "ciou_alpha.*cvpr"),
        ({"power_of_iou": 0.0}, "power_of_iou.*0"),
        ({"focal_gamma": -1.0}, "focal_gamma.*-1"),
    ):
        with pytest.raises(ValueError, match=message):
            rotated_iou_loss(boxes, boxes, **options)  # type: ignore[arg-type]
