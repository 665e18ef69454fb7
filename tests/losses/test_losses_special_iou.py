"""ODIoU, RDIoU, MGIoU and the target of an IoU head beyond the table: closed forms, invariance, collapse, errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from oracles import adversarial, exact_overlap

from bev3d.losses import Mgiou3dLoss, OdiouLoss, RdiouLoss, iou_quality_target, mgiou_3d_loss, odiou_loss, rdiou_loss
from bev3d.overlap import iou_3d

Loss = Callable[..., torch.Tensor]
LOSSES: list[Loss] = [odiou_loss, rdiou_loss, mgiou_3d_loss]
every_loss = pytest.mark.parametrize("function", LOSSES, ids=lambda function: function.__name__)
CUBE = torch.tensor([[0.0, 0, 0, 2, 2, 2, 0]], dtype=torch.float64)
CAR = torch.tensor([[3.0, -2, 0.4, 4, 2, 1.5, 0.7]], dtype=torch.float64)


def moved(box: torch.Tensor, **changes: float) -> torch.Tensor:
    result = box.clone()
    for name, change in changes.items():
        result[:, ["x", "y", "z", "l", "w", "h", "yaw"].index(name)] += change
    return result


def gradient(loss: torch.Tensor, pred: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(loss.sum(), pred)[0]


def load(name: str = "jitter", count: int = 100) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = (torch.from_numpy(boxes[:count]) for boxes in adversarial.pairs(name))
    return a.requires_grad_(), b


def test_odiou_in_closed_form() -> None:
    # a third of the union; 1² over 3² + 2² + 2²
    assert odiou_loss(moved(CUBE, x=1), CUBE).item() == pytest.approx(1 - 1 / 3 + 1 / 17, rel=1e-14)
    turned = odiou_loss(moved(CUBE, yaw=math.pi / 2), CUBE).item()
    assert turned == pytest.approx(1.25, rel=1e-14)
    assert odiou_loss(moved(CUBE, yaw=math.pi / 2), CUBE, gamma=0.0).item() == pytest.approx(0, abs=1e-14)
    assert odiou_loss(moved(CAR, yaw=math.pi), CAR).item() == pytest.approx(0, abs=1e-14)


def test_odiou_encloses_the_height() -> None:
    """With the shared height in c², as published, boxes far above each other cost as much as one likes."""
    above = torch.cat([moved(CUBE, z=z) for z in (3.0, 30.0, 300.0)])
    loss = odiou_loss(above, CUBE.expand(3, 7))
    expected = [1 + z**2 / (8 + (z + 2) ** 2) for z in (3.0, 30.0, 300.0)]
    assert loss.tolist() == pytest.approx(expected, rel=1e-13)
    assert (loss < 2).all()


def test_odiou_turns_boxes_that_are_apart() -> None:
    pred = moved(CUBE, x=40, yaw=0.4).requires_grad_()
    without = gradient(odiou_loss(pred, CUBE, gamma=0.0), pred)[0, 6].item()
    assert abs(without) < 0.03, "a quotient of distances hardly turns a box"
    slope = gradient(odiou_loss(pred, CUBE), pred)[0, 6].item()
    assert slope - without == pytest.approx(1.25 * math.sin(0.4), rel=1e-12)


def test_odiou_loses_no_digits_at_small_angles() -> None:
    # 1 - cos(1e-9) is 0 in float64, so that only a large gamma shows
    loss = odiou_loss(moved(CUBE, yaw=1e-9), CUBE, gamma=1e16)
    assert loss.item() == pytest.approx(1e16 * 1e-18 / 2, rel=1e-6)


def test_rdiou_in_closed_form() -> None:
    # the rotation's intervals share half: 1/2 over 3/2; 1/4 over 3 · 1² + (3/2)²
    half = math.pi / 6
    assert rdiou_loss(moved(CAR, yaw=half), CAR).item() == pytest.approx(1 - 1 / 3 + 0.25 / 5.25, rel=1e-13)
    assert rdiou_loss(moved(CUBE, yaw=math.pi / 2), CUBE).item() == pytest.approx(1 + 1 / 7, rel=1e-13)
    assert rdiou_loss(moved(CAR, yaw=math.pi), CAR).item() == pytest.approx(0, abs=1e-13)
    # half a length ahead, along the heading
    ahead = moved(CAR, x=2 * math.cos(0.7), y=2 * math.sin(0.7))
    assert rdiou_loss(ahead, CAR).item() == pytest.approx(1 - 1 / 3 + 0.25 / 5.25, rel=1e-13)
    assert rdiou_loss(moved(CAR, l=4), CAR).item() == pytest.approx(1 / 2, rel=1e-13)


def test_mgiou_in_closed_form() -> None:
    # along x a third; the other two are equal
    assert mgiou_3d_loss(moved(CUBE, x=1), CUBE).item() == pytest.approx((1 - 1 / 3) / 3 / 2, rel=1e-14)
    # apart: a gap of 2 in 6
    assert mgiou_3d_loss(moved(CUBE, x=4), CUBE).item() == pytest.approx((1 + 1 / 3) / 3 / 2, rel=1e-14)
    # by 45 degrees: four of the six normals see 2 in 2 √2
    turned = mgiou_3d_loss(moved(CUBE, yaw=math.pi / 4), CUBE).item()
    assert turned == pytest.approx(4 / 6 * (1 - 1 / math.sqrt(2)) / 2, rel=1e-13)


def test_mgiou_is_symmetric_and_does_not_jump_at_equal_yaws() -> None:
    pred, target = load()
    assert torch.allclose(mgiou_3d_loss(pred, target), mgiou_3d_loss(target, pred), atol=1e-13)
    shifted = moved(CAR, x=1.5, z=0.7, h=1)
    turned = mgiou_3d_loss(moved(shifted, yaw=1e-9), CAR)
    assert torch.allclose(mgiou_3d_loss(shifted, CAR), turned, atol=1e-8)


@every_loss
def test_rigid_motions_and_scale(function: Loss) -> None:
    pred, target = load()
    angle = 1.1
    c, s = math.cos(angle), math.sin(angle)
    changed = []
    for boxes in (pred.detach(), target):
        x, y = boxes[:, 0], boxes[:, 1]
        turned = torch.stack([c * x - s * y + 5, s * x + c * y - 7, boxes[:, 2] + 1], dim=1)
        changed.append(torch.cat([3 * turned, 3 * boxes[:, 3:6], boxes[:, 6:] + angle], dim=1))
    assert torch.allclose(function(*changed), function(pred, target), atol=1e-10)


@every_loss
@pytest.mark.parametrize("name", ["sizes 1 mm to 50 m", "tiny", "strips", "abutting", "zero size", "jitter at 100 km"])
def test_nasty_boxes_give_finite_results(function: Loss, name: str) -> None:
    pred, target = load(name, 500)
    loss = function(pred, target)
    assert loss.isfinite().all()
    assert (loss >= -1e-9).all()
    assert gradient(loss, pred).isfinite().all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_equal_boxes_rest(function: Loss, dtype: torch.dtype) -> None:
    pred = load("identical", 300)[0].detach().to(dtype).requires_grad_()
    loss = function(pred, pred.detach().clone())
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert loss.abs().max() <= 1e-12
    assert gradient(loss, pred).abs().max() <= 1e-5


@every_loss
@pytest.mark.parametrize("apart", [0.0, 30.0])
@pytest.mark.parametrize(
    "sizes", [(0, 0, 0), (-3, 2, 1), (2, -1e-3, 1), (-5, -5, -5), (1e-4, 1e-4, 1e-4), (-4, 1.5, 1.6)]
)
def test_a_collapsed_box_grows(function: Loss, apart: float, sizes: tuple[float, ...]) -> None:
    target = torch.tensor([[apart, apart / 2, 0.2, 4, 1.5, 1.6, 0.4]])
    pred = torch.tensor([[0.1, 0, 0, *map(float, sizes), 0.1]], requires_grad=True)
    loss = function(pred, target)
    slopes = gradient(loss, pred)
    assert slopes.isfinite().all()
    assert loss.item() > 0.2, "a collapsed box is not for nothing"
    for column in range(3, 6):
        if sizes[column - 3] <= 1e-3:
            assert slopes[0, column] < 0


@every_loss
def test_descent_leads_out_of_a_negative_size(function: Loss) -> None:
    target = torch.tensor([[0.5, 0, 0, 4, 2, 1.5, 0.1]])
    pred = torch.tensor([[0.0, 0, 0, -1, -1, -1, 0]], requires_grad=True)
    optimizer = torch.optim.Adam([pred], lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        function(pred, target).sum().backward()
        optimizer.step()
    assert iou_3d(pred.detach(), target).item() > 0.8


@every_loss
def test_unknown_targets_are_taken_out(function: Loss) -> None:
    pred, target = load(count=6)
    expected = function(pred, target)
    holes = target.clone()
    holes[1, 2] = holes[4, 6] = float("nan")
    loss = function(pred, holes)
    assert loss[[1, 4]].tolist() == [0, 0]
    known = [0, 2, 3, 5]
    assert torch.allclose(loss[known], expected[known], rtol=0, atol=1e-15)
    module = {odiou_loss: OdiouLoss, rdiou_loss: RdiouLoss, mgiou_3d_loss: Mgiou3dLoss}[function]()
    assert torch.allclose(module(pred, holes), expected[known].mean())
    slopes = gradient(loss, pred)
    assert slopes.isfinite().all()
    assert (slopes[[1, 4]] == 0).all()
    broken = pred.detach().clone()
    broken[1, 5] = float("inf")
    assert function(broken, target).isnan().tolist() == [False, True, False, False, False, False]


@pytest.mark.parametrize("space", ["bev", "3d"])
def test_iou_quality_is_the_true_overlap(space: Any) -> None:
    pred, target = load()
    quality = iou_quality_target(pred, target, space=space)
    expected = exact_overlap.each(
        exact_overlap.iou_bev if space == "bev" else exact_overlap.iou_3d, pred.detach().numpy(), target.numpy()
    )
    assert np.abs(quality.numpy() - expected).max() <= 1e-12
    assert torch.equal(iou_quality_target(pred, target, mode="centred", space=space), 2 * quality - 1)
    assert not quality.requires_grad


def test_iou_quality_sees_the_yaw() -> None:
    strip = torch.tensor([[0.0, 0, 0, 4, 1, 2, 0]])
    quality = iou_quality_target(moved(strip, yaw=math.pi / 2), strip)
    assert quality.item() == pytest.approx(1 / 7, abs=1e-6)
    assert iou_quality_target(strip, strip, mode="centred").item() == pytest.approx(1, abs=1e-6)


def test_iou_quality_of_what_is_unknown_or_broken() -> None:
    pred, target = load(count=5)
    pred, target = pred.detach().half(), target.clone().half()
    pred[0, 3], pred[1, 4] = float("nan"), -1.0
    target[2, 5] = float("nan")
    quality = iou_quality_target(pred, target)
    assert quality.dtype == torch.float32
    assert quality[:2].tolist() == [0, 0]
    assert quality.isnan().tolist() == [False, False, True, False, False]
    assert iou_quality_target(pred, target, mode="centred")[:2].tolist() == [-1, -1]
    assert iou_quality_target(torch.zeros(0, 7), torch.zeros(0, 9)).shape == (0,)


@every_loss
@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((CUBE, torch.zeros(3, 7)), {}, ValueError, r"target: expected the leading shape of pred, \(1,\)"),
        ((torch.zeros(2, 6), torch.zeros(2, 7)), {}, ValueError, r"pred: expected shape .*got \(2, 6\)"),
        ((CUBE, CUBE.tolist()), {}, TypeError, "target: expected a torch tensor, got list"),
        ((CUBE, CUBE.long()), {}, TypeError, "target: expected a floating-point dtype, got torch.int64"),
        ((CUBE, CUBE), {"reduction": "avg"}, ValueError, "reduction: expected one of none, mean, sum"),
    ],
)
def test_wrong_arguments_are_named(
    function: Loss, arguments: Any, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(*arguments, **options)


def test_wrong_options_are_named() -> None:
    for make in (lambda: odiou_loss(CUBE, CUBE, gamma=-1.0), lambda: OdiouLoss(gamma=-1.0)):
        with pytest.raises(ValueError, match=r"gamma: expected a number of at least 0, got -1.0"):
            make()
    with pytest.raises(ValueError, match="mode: expected one of iou, centred, got 'giou'"):
        iou_quality_target(CUBE, CUBE, mode="giou")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="space: expected one of bev, 3d, got '2d'"):
        iou_quality_target(CUBE, CUBE, space="2d")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="target: expected the leading shape of pred"):
        iou_quality_target(CUBE, CUBE.expand(2, 7))
