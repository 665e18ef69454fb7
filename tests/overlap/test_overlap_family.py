"""GIoU, DIoU, CIoU and EIoU with their gradients against a plain statement, autograd, GEOS and differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import shapely
import torch
from oracles import adversarial
from torch import Tensor

from bev3d import overlap
from bev3d.boxes import corners_3d, corners_bev
from bev3d.overlap import giou_3d, giou_bev, iou_3d, iou_bev

Overlap = Callable[[Tensor, Tensor], Tensor]

FORMS = ["giou", "diou", "ciou", "eiou"]
SPACES = {"bev": 2, "3d": 3}
FUNCTIONS: dict[str, Overlap] = {
    **{f"{form}_{space}": getattr(overlap, f"{form}_{space}") for form in FORMS for space in SPACES},
    **{f"iou_{space}": getattr(overlap, f"iou_{space}") for space in SPACES},
    "giou_hull_bev": partial(giou_bev, enclosing="hull"),
    "giou_hull_3d": partial(giou_3d, enclosing="hull"),
}
every_form = pytest.mark.parametrize(("form", "space"), [(form, space) for form in FORMS for space in SPACES])
every_function = pytest.mark.parametrize("name", list(FUNCTIONS))
# CIoU's α is held fixed: its gradient is not that of its value
every_plain_function = pytest.mark.parametrize("name", [name for name in FUNCTIONS if "ciou" not in name])
IDENTICAL = [name for name in adversarial.SETS if name.startswith("identical")]
# sets without two edges on one line, where the derivative is one of several
SMOOTH = ["jitter", "contained", "concentric", "jitter at 10 km", "sizes 1 mm to 50 m", "dyaw 1e-5 to 1e-3"]


def load(name: str, count: int = 2000, dtype: str = "float64") -> tuple[Tensor, Tensor]:
    a, b = (torch.from_numpy(boxes[:count]).clone().requires_grad_() for boxes in adversarial.pairs(name, dtype))
    return a, b


def stated(form: str, dims: int, pred: Tensor, target: Tensor) -> Tensor:
    """The form from corners turned into the target's frame, for autograd; of IoU the library's own."""
    iou = (iou_bev if dims == 2 else iou_3d)(pred, target)
    shift = torch.cat([torch.zeros_like(target[:, :3]), target[:, :3] - pred[:, :3]]).reshape(2, -1, 3)
    c, s = torch.cos(target[:, 6]), torch.sin(target[:, 6])
    turn = torch.stack([c, s, -s, c], dim=-1).reshape(-1, 1, 2, 2)
    points = []
    for boxes, offset in ((pred, shift[0]), (target, shift[1])):
        local = torch.cat([torch.zeros_like(boxes[:, :3]), boxes[:, 3:]], dim=1)
        corners = corners_3d(local) + offset[:, None]
        flat = (turn @ corners[..., :2, None])[..., 0]
        points.append(torch.cat([flat, corners[..., 2:]], dim=-1))
    both = torch.cat(points, dim=1)
    extents = (both.amax(dim=1) - both.amin(dim=1))[:, :dims]
    if form == "giou":
        union = sum(boxes[:, 3 : 3 + dims].prod(-1) for boxes in (pred, target)) / (1 + iou)
        return iou - 1 + union / extents.prod(-1)
    value = iou - (pred - target)[:, :dims].square().sum(-1) / extents.square().sum(-1)
    if form == "ciou":
        v = 4 / math.pi**2 * (target[:, 3] / target[:, 4]).atan().sub((pred[:, 3] / pred[:, 4]).atan()).square()
        value = value - (v / (1 - iou + v)).detach() * v
    if form == "eiou":
        sizes = slice(3, 3 + dims)
        larger = torch.stack([extents, pred[:, sizes], target[:, sizes]]).amax(0)
        value = value - ((pred - target)[:, sizes] / larger).square().sum(-1)
    return value


@every_form
@pytest.mark.parametrize("name", SMOOTH)
def test_value_and_gradient_agree_with_autograd(form: str, space: str, name: str) -> None:
    pred, target = load(name)
    value, expected = FUNCTIONS[f"{form}_{space}"](pred, target), stated(form, SPACES[space], pred, target)
    assert (value - expected).abs().max() <= 1e-9
    actual, wanted = (torch.autograd.grad(v.sum(), (pred, target)) for v in (value, expected))
    size = torch.cat([pred, target], dim=1)[:, [3, 4, 5, 10, 11, 12]].amin(dim=1, keepdim=True).detach()
    # beyond a thousandth CIoU's is bounded on purpose
    size = size * ((pred[:, 3:5].norm(dim=1) / target[:, 3:5].norm(dim=1)).log10().abs() < 3)[:, None]
    assert (size > 0).float().mean() > 0.9
    for one, other in zip(actual, wanted, strict=True):
        # a gradient is about one over the smallest size
        assert ((one - other).abs() * size).quantile(0.999) <= 1e-8
        assert ((one - other).abs() * size).mean() <= 1e-8


def hull_area(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By GEOS, the pair moved to the origin."""
    one, other = a.copy(), b.copy()
    other[:, :2] -= one[:, :2]
    one[:, :2] = 0
    points = np.concatenate([corners_bev(one), corners_bev(other)], axis=1)
    return np.asarray(shapely.area(shapely.convex_hull(shapely.multipoints(points))))


@pytest.mark.parametrize("name", list(adversarial.SETS))
def test_the_hull_is_that_of_geos(name: str) -> None:
    a, b = adversarial.pairs(name)
    pred, target = torch.from_numpy(a), torch.from_numpy(b)
    hull = hull_area(a, b)
    high = np.maximum(a[:, 2] + a[:, 5] / 2, b[:, 2] + b[:, 5] / 2)
    high -= np.minimum(a[:, 2] - a[:, 5] / 2, b[:, 2] - b[:, 5] / 2)
    for dims, function, iou in ((2, giou_bev, iou_bev(pred, target)), (3, giou_3d, iou_3d(pred, target))):
        union = (a[:, 3 : 3 + dims].prod(1) + b[:, 3 : 3 + dims].prod(1)) / (1 + iou.numpy())
        expected = iou.numpy() - 1 + union / (hull if dims == 2 else hull * high)
        assert np.abs(function(pred, target, enclosing="hull").numpy() - expected).max() <= 1e-9


def test_the_hull_is_never_larger_and_has_no_direction() -> None:
    for name in adversarial.SETS:
        pred, target = (torch.from_numpy(boxes) for boxes in adversarial.pairs(name))
        for function in (giou_bev, giou_3d):
            hull = function(pred, target, enclosing="hull")
            assert (hull >= function(pred, target) - 1e-12).all()
            assert (hull - function(target, pred, enclosing="hull")).abs().max() <= 1e-11
    with pytest.raises(ValueError, match="enclosing: expected one of target, hull, got 'box'"):
        giou_bev(pred, target, enclosing="box")  # type: ignore[arg-type]


@every_plain_function
def test_agrees_with_central_differences(name: str) -> None:
    function, step = FUNCTIONS[name], 1e-6
    pred, target = load("jitter")
    gradient = torch.cat(torch.autograd.grad(function(pred, target).sum(), (pred, target)), dim=1)
    both = torch.cat([pred, target], dim=1).detach()
    for column in range(14):
        moved = torch.zeros_like(both)
        moved[:, column] = step
        high, low = (function(*(both + sign * moved).split(7, dim=1)) for sign in (1, -1))
        error = (gradient[:, column] - (high - low) / (2 * step)).abs()
        # a pair with a kink inside the step differs; they are few
        assert error.quantile(0.99) <= 1e-6
        assert error.median() <= 1e-8


@every_plain_function
def test_gradcheck(name: str) -> None:
    pred, target = load("jitter", 12)
    assert torch.autograd.gradcheck(FUNCTIONS[name], (pred, target), eps=1e-7, atol=1e-5)


@every_function
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradients_are_finite_and_bounded(name: str, dtype: str) -> None:
    for set_name in adversarial.SETS:
        pred, target = load(set_name, dtype=dtype)
        value = FUNCTIONS[name](pred, target)
        assert torch.isfinite(value).all()
        sizes = torch.cat([pred[:, 3:6], target[:, 3:6]], dim=1).detach().double()
        smallest = torch.where(sizes > 0, sizes, torch.inf).amin(dim=1)
        largest = sizes.amax(dim=1)
        for gradient in torch.autograd.grad(value.sum(), (pred, target)):
            assert torch.isfinite(gradient).all(), set_name
            assert (gradient[:, :6].double().norm(dim=1) * smallest).max() <= 20, set_name
            assert (gradient[:, 6].double().abs() * smallest / largest).max() <= 20, set_name


@every_function
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("set_name", IDENTICAL)
def test_equal_boxes_are_at_rest(name: str, set_name: str, dtype: str) -> None:
    assert_at_rest(name, set_name, dtype)


# to the aspect and the sizes, length and width exchanged are another shape
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name[:4] not in ("ciou", "eiou")])
def test_boxes_turned_by_quarters_are_at_rest(name: str) -> None:
    assert_at_rest(name, "turned by quarters", "float64")


def assert_at_rest(name: str, set_name: str, dtype: str) -> None:
    pred, target = load(set_name, dtype=dtype)
    value = FUNCTIONS[name](pred, target)
    assert (value - 1).abs().max() <= 1e-6
    for gradient in torch.autograd.grad(value.sum(), (pred, target)):
        assert gradient.norm(dim=1).max() <= 1e-5


def test_thin_boxes_across_each_other_have_bounded_size_terms() -> None:
    """With the enclosing extents alone as divisors the terms of these reach 1e9."""
    pred = torch.tensor([[0.0, 0, 0, 30, 1e-3, 1, 0], [0, 0, 0, 1e-4, 40, 1, 0.2]], requires_grad=True)
    target = torch.tensor([[0.0, 0, 0, 30, 1e-3, 1, math.pi / 2], [0, 0, 0, 40, 1e-4, 1, 0.2]])
    for name in ("eiou_bev", "eiou_3d"):
        value = FUNCTIONS[name](pred, target)
        assert ((value >= -4) & (value <= 1)).all()
        (gradient,) = torch.autograd.grad(value.sum(), pred)
        assert gradient.abs().max() <= 1e4


def test_the_aspect_pulls_towards_the_targets() -> None:
    target = torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0.3]], dtype=torch.float64)
    pred = torch.tensor([[20.0, 0, 0, 3, 3, 1.5, 0.3]], dtype=torch.float64, requires_grad=True)
    gradients = [
        torch.autograd.grad(FUNCTIONS[name](pred, target).sum(), pred)[0][0] for name in ("ciou_bev", "diou_bev")
    ]
    aspect = gradients[0] - gradients[1]
    assert aspect[3] > 0
    assert aspect[4] < 0
    assert (aspect[[0, 1, 2, 5, 6]] == 0).all()
    # v = 4/π² (atan 2 - π/4)², α = v / (1 + v), dv/dl = -8/π² (atan 2 - π/4) w / (l² + w²)
    angle = math.atan(2) - math.pi / 4
    v = 4 / math.pi**2 * angle**2
    assert aspect[3].item() == pytest.approx(v / (1 + v) * 8 / math.pi**2 * angle * 3 / 18, rel=1e-12)


def test_the_aspect_of_a_vanishing_box_stays_bounded() -> None:
    target = torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0]], dtype=torch.float64)
    for size in (1e-2, 1e-6, 1e-12, 1e-30, 0.0):
        pred = torch.tensor([[0.0, 0, 0, size, size, 1.5, 0]], dtype=torch.float64, requires_grad=True)
        value = FUNCTIONS["ciou_bev"](pred, target)
        (gradient,) = torch.autograd.grad(value.sum(), pred)
        assert torch.isfinite(value).all()
        assert gradient.abs().max() <= 1300 / math.hypot(4, 2)
