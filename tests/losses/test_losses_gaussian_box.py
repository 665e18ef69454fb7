"""Boxes as Gaussians beyond the table: rest, blindness, boxes apart and collapsed, options, errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from oracles import adversarial

from bev3d.losses import GaussianBoxLoss, gaussian_box_loss
from bev3d.overlap import iou_3d, iou_bev

KINDS = ["gwd", "kld", "jd", "bd", "kfiou", "probiou"]
SPACES: list[Any] = ["bev", "3d"]
Kind = Any
every_kind = pytest.mark.parametrize("kind", KINDS)
every_space = pytest.mark.parametrize("space", SPACES)
PRED = torch.tensor([[1.2, -0.4, 0.3, 4.4, 1.7, 1.9, 0.9]], dtype=torch.float64)
TARGET = torch.tensor([[0.8, 0.1, 0.1, 3.9, 1.9, 1.6, 0.4]], dtype=torch.float64)


def raw(kind: Kind, pred: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
    """The distance itself."""
    return gaussian_box_loss(pred, target, kind=kind, fun="none", tau=None, **options)


def rest(kind: str, space: str) -> float:
    if kind != "kfiou":
        return 0.0
    return math.exp(1 - (1 / 3 if space == "bev" else 1 / (math.sqrt(32) - 1))) - 1


def gradient(loss: torch.Tensor, pred: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(loss.sum(), pred)[0]


@every_kind
@every_space
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_equal_boxes_rest(kind: Kind, space: Any, dtype: torch.dtype) -> None:
    pred = torch.from_numpy(adversarial.pairs("identical")[0][:300]).to(dtype).requires_grad_()
    loss = gaussian_box_loss(pred, pred.detach().clone(), kind=kind, space=space)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (loss - rest(kind, space)).abs().max() <= (1e-14 if dtype == torch.float64 else 1e-7)
    assert gradient(loss, pred).abs().max() <= 1e-12


@pytest.mark.parametrize("fun", ["sqrt", "log1p_sqrt"])
@pytest.mark.parametrize("kind", ["gwd", "kld", "jd", "bd"])
def test_roots_have_no_infinite_gradient(kind: Kind, fun: Any) -> None:
    pred = TARGET.clone().requires_grad_()
    assert (gradient(gaussian_box_loss(pred, TARGET, kind=kind, fun=fun), pred) == 0).all()
    close = (TARGET + 1e-9).requires_grad_()
    # the cone: close by, the gradient is as large as ever
    assert 0.1 < gradient(gaussian_box_loss(close, TARGET, kind=kind, fun=fun), close).abs().max() < 10


@every_kind
@every_space
def test_what_gaussians_cannot_see(kind: Kind, space: Any) -> None:
    turned = TARGET.clone()
    turned[:, 6] += math.pi
    loss = gaussian_box_loss(turned, TARGET, kind=kind, space=space)
    assert loss.item() == pytest.approx(rest(kind, space), abs=1e-14)
    square = TARGET.clone()
    square[:, 4] = square[:, 3]
    pred = square.clone().requires_grad_()
    for angle in (0.1, 0.7, math.pi / 4):
        twisted = (pred + torch.tensor([0, 0, 0, 0, 0, 0, angle])).detach().requires_grad_()
        loss = gaussian_box_loss(twisted, square, kind=kind, space=space)
        assert loss.item() == pytest.approx(rest(kind, space), abs=1e-14)
        assert gradient(loss, twisted)[0, 6] == 0
    # an elongated one is seen
    twisted = (TARGET + torch.tensor([0, 0, 0, 0, 0, 0, 0.1])).requires_grad_()
    assert gradient(gaussian_box_loss(twisted, TARGET, kind=kind, space=space), twisted)[0, 6] > 1e-3


def test_apart_it_depends_on_the_kind_whether_there_is_a_gradient() -> None:
    for kind in KINDS:
        pred = (TARGET + torch.tensor([40.0, 0, 0, 0, 0, 0, 0])).requires_grad_()
        pull = gradient(gaussian_box_loss(pred, TARGET, kind=kind), pred)[0, 0].item()  # type: ignore[arg-type]
        assert pull < 1e-20 if kind == "probiou" else pull > 1e-4


@every_space
def test_growing_lowers_only_the_divergence_from_the_target(space: Any) -> None:
    pred = (TARGET + torch.tensor([10.0, 4, 3, 0, 0, 0, 0])).requires_grad_()
    forward = gradient(gaussian_box_loss(pred, TARGET, kind="kld", space=space), pred)
    back = gradient(gaussian_box_loss(pred, TARGET, kind="kld", space=space, direction="target_to_pred"), pred)
    assert forward[0, 3].abs() < 1e-3 * back[0, 3].abs()
    assert back[0, 3] < 0
    assert back[0, 4] < 0


@every_kind
@every_space
@pytest.mark.parametrize("apart", [0.0, 30.0])
@pytest.mark.parametrize("sizes", [(0, 0, 0), (-3, 2, 1), (2, -1e-3, 1), (-5, -5, -5), (1e-4, 1e-4, 1e-4), (0, 2, 1)])
def test_a_collapsed_box_grows(kind: Kind, space: Any, apart: float, sizes: tuple[float, ...]) -> None:
    target = torch.tensor([[apart, apart / 2, 0.2, 4, 1.5, 1.6, 0.4]])
    pred = torch.tensor([[0.1, 0, 0, *map(float, sizes), 0.1]], requires_grad=True)
    loss = gaussian_box_loss(pred, target, kind=kind, space=space)
    slopes = gradient(loss, pred)
    assert loss.isfinite().all()
    assert slopes.isfinite().all()
    for column in range(3, 5 if space == "bev" else 6):
        if sizes[column - 3] <= 1e-3:
            assert slopes[0, column] < 0


@every_kind
def test_a_collapsed_size_counts_as_a_thousandth(kind: Kind) -> None:
    """A smaller floor would let divergences, and the gradients of the other sizes, grow with its inverse square."""
    target = torch.tensor([[1.0, 2, 0, 4, 2, 1, 0.3]], dtype=torch.float64)
    pred = torch.tensor([[0.0, 0, 0, 1e-3, 3, 2, 0.2]], dtype=torch.float64)
    collapsed = pred.clone()
    collapsed[:, 3] = -0.5
    options: Any = {} if kind in ("kfiou", "probiou") else {"fun": "none", "tau": None}
    difference = gaussian_box_loss(collapsed, target, kind=kind, **options)
    difference -= gaussian_box_loss(pred, target, kind=kind, **options)
    # the penalty: metres below the thousandth, over the target's smallest size
    assert difference.item() == pytest.approx(0.501, rel=1e-6)


@every_kind
@every_space
def test_descent_leads_out_of_a_negative_size(kind: Kind, space: Any) -> None:
    target = torch.tensor([[0.5, 0, 0, 4, 2, 1.5, 0.1]])
    pred = torch.tensor([[0.0, 0, 0, -1, -1, 1.5, 0]], requires_grad=True)
    optimizer = torch.optim.Adam([pred], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        gaussian_box_loss(pred, target, kind=kind, space=space).sum().backward()
        optimizer.step()
    assert (iou_bev if space == "bev" else iou_3d)(pred.detach(), target).item() > 0.8


@every_kind
@every_space
@pytest.mark.parametrize("name", ["sizes 1 mm to 50 m", "tiny", "strips", "zero size", "jitter at 100 km"])
def test_nasty_boxes_give_finite_results(kind: Kind, space: Any, name: str) -> None:
    pred, target = (torch.from_numpy(boxes[:500]).float() for boxes in adversarial.pairs(name))
    pred.requires_grad_()
    loss = gaussian_box_loss(pred, target, kind=kind, space=space)
    assert loss.isfinite().all()
    assert (loss >= rest(kind, space) - 1e-6).all()
    assert gradient(loss, pred).isfinite().all()


@every_kind
def test_unknown_targets_are_taken_out(kind: Kind) -> None:
    pred, target = (torch.from_numpy(boxes[:6]) for boxes in adversarial.pairs("jitter"))
    pred.requires_grad_()
    expected = gaussian_box_loss(pred, target, kind=kind)
    holes = target.clone()
    holes[1, 2] = holes[4, 6] = float("nan")
    loss = gaussian_box_loss(pred, holes, kind=kind)
    known = [0, 2, 3, 5]
    assert loss[[1, 4]].tolist() == [0, 0]
    assert torch.equal(loss[known], expected[known])
    assert torch.allclose(GaussianBoxLoss(kind)(pred, holes), expected[known].mean())
    slopes = gradient(loss, pred)
    assert slopes.isfinite().all()
    assert (slopes[[1, 4]] == 0).all()


def test_nan_velocities_do_not_matter_and_a_broken_prediction_shows() -> None:
    velocity = torch.full((1, 2), float("nan"), dtype=torch.float64)
    loss = gaussian_box_loss(torch.cat([PRED, velocity], 1), torch.cat([TARGET, velocity], 1))
    assert torch.equal(loss, gaussian_box_loss(PRED, TARGET))
    for column in range(7):
        broken = PRED.clone()
        broken[0, column] = float("inf")
        for kind in KINDS:
            assert gaussian_box_loss(broken, TARGET, kind=kind, space="bev").isnan().all()  # type: ignore[arg-type]


def test_options_do_what_they_say() -> None:
    distance = raw("gwd", PRED, TARGET)
    for fun, wanted in {
        "log1p": distance.log1p(),
        "sqrt": distance.sqrt(),
        "log1p_sqrt": distance.sqrt().log1p(),
        "none": distance,
    }.items():
        options: Any = {"kind": "gwd", "fun": fun}
        assert torch.allclose(gaussian_box_loss(PRED, TARGET, **options, tau=None), wanted, rtol=1e-14)
        assert torch.allclose(gaussian_box_loss(PRED, TARGET, **options, tau=3.0), 1 - 1 / (3 + wanted), rtol=1e-14)
    # the other loss of ProbIoU's authors
    first = gaussian_box_loss(PRED, TARGET, kind="probiou")
    assert torch.allclose(-torch.log(1 - first**2), raw("bd", PRED, TARGET, variance=1 / 12), rtol=1e-12)
    assert "probiou" in repr(GaussianBoxLoss("probiou"))


def test_targets_have_gradients_too() -> None:
    """A teacher's boxes may learn from the student's."""
    for kind in KINDS:
        pair = (PRED.clone().requires_grad_(), TARGET.clone().requires_grad_())
        assert torch.autograd.gradcheck(lambda p, t, kind=kind: gaussian_box_loss(p, t, kind=kind), pair, eps=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((PRED, torch.zeros(3, 7)), {}, ValueError, r"target: expected the leading shape of pred, \(1,\)"),
        ((torch.zeros(2, 6), torch.zeros(2, 7)), {}, ValueError, r"pred: expected shape .*got \(2, 6\)"),
        ((PRED, np.zeros((1, 7))), {}, TypeError, "target: expected a torch tensor, got ndarray"),
        ((PRED, TARGET.long()), {}, TypeError, "target: expected a floating-point dtype, got torch.int64"),
        ((PRED, TARGET), {"kind": "wasserstein"}, ValueError, "kind: expected one of gwd, kld, jd, bd, kfiou, probiou"),
        ((PRED, TARGET), {"space": "2d"}, ValueError, "space: expected one of bev, 3d, got '2d'"),
        ((PRED, TARGET), {"reduction": "avg"}, ValueError, "reduction: expected one of none, mean, sum"),
        ((PRED, TARGET), {"fun": "exp"}, ValueError, "fun: expected one of log1p, sqrt, .* for kind 'kld', got 'exp'"),
        ((PRED, TARGET), {"kind": "kfiou", "fun": "sqrt"}, ValueError, "fun: expected one of exp, ln, linear for kind"),
        ((PRED, TARGET), {"tau": 0.5}, ValueError, "tau: expected None or a number of at least 1, got 0.5"),
        ((PRED, TARGET), {"variance": 0.0}, ValueError, "variance: expected a number above 0, got 0.0"),
        ((PRED, TARGET), {"normalise": True}, ValueError, "normalise: expected False for kind 'kld', got True"),
        (
            (PRED, TARGET),
            {"direction": "both"},
            ValueError,
            "direction: expected one of pred_to_target, target_to_pred",
        ),
        (
            (PRED, TARGET),
            {"kind": "jd", "direction": "target_to_pred"},
            ValueError,
            "direction: expected 'pred_to_target' for kind 'jd'",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gaussian_box_loss(*arguments, **options)
    options.pop("reduction", None)
    if options:
        with pytest.raises(error, match=message):
            GaussianBoxLoss(**options)
