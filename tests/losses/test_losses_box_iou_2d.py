"""Traps of the overlap losses in two dimensions that the table does not reach."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bev3d.losses import box_iou_loss_2d

KINDS = ["iou", "log_iou", "giou", "diou", "ciou", "eiou", "focal_eiou", "alpha_iou", "siou"]
every_kind = pytest.mark.parametrize("kind", KINDS)


def gradient(kind: str, pred: list[float], target: list[float], **options: str) -> Tensor:
    box = torch.tensor([pred], dtype=torch.float64, requires_grad=True)
    loss = box_iou_loss_2d(box, torch.tensor([target], dtype=torch.float64), kind=kind, **options)  # type: ignore[arg-type]
    return torch.autograd.grad(loss.sum(), box)[0][0]


def test_the_gradient_of_ciou_is_that_with_its_weight_held() -> None:
    """Central differences of DIoU + a v with a at the point itself; for focal EIoU with the weight at the point."""
    pred, target = [0.1, 0.2, 2.3, 1.1], [0.0, 0.0, 2.0, 1.5]

    def parts(box: list[float]) -> tuple[float, float, float, float]:
        value = torch.tensor([box], dtype=torch.float64)
        goal = torch.tensor([target], dtype=torch.float64)
        iou = 1 - box_iou_loss_2d(value, goal, kind="iou").item()
        w, h = box[2] - box[0], box[3] - box[1]
        v = 4 / math.pi**2 * (math.atan(2.0 / 1.5) - math.atan(w / h)) ** 2
        return (
            box_iou_loss_2d(value, goal, kind="diou").item(),
            v,
            iou,
            box_iou_loss_2d(value, goal, kind="eiou").item(),
        )

    _, v, iou, _ = parts(pred)
    weight = v / (1 - iou + v)
    for k in range(4):
        up, down = list(pred), list(pred)
        up[k] += 1e-6
        down[k] -= 1e-6
        a, b = parts(up), parts(down)
        assert gradient("ciou", pred, target)[k].item() == pytest.approx(
            ((a[0] + weight * a[1]) - (b[0] + weight * b[1])) / 2e-6, abs=1e-7
        )
        assert gradient("focal_eiou", pred, target)[k].item() == pytest.approx(
            math.sqrt(iou) * (a[3] - b[3]) / 2e-6, abs=1e-7
        )


def test_too_wide_a_box_is_made_narrower_by_the_aspect_term() -> None:
    """The sign that is printed wrongly: concentric, too wide and too low, the width must fall and the height rise."""
    extra = gradient("ciou", [-3, -0.5, 3, 0.5], [-1, -1, 1, 1]) - gradient("diou", [-3, -0.5, 3, 0.5], [-1, -1, 1, 1])
    assert extra[2] > 0
    assert extra[3] < 0


def test_the_two_weights_of_ciou_differ_below_an_iou_of_a_half() -> None:
    pred, target = torch.tensor([[0.0, 0, 4, 1]]), torch.tensor([[0.0, 0, 1, 4]])
    assert box_iou_loss_2d(pred, target, kind="ciou") > box_iou_loss_2d(pred, target, kind="diou")
    torch.testing.assert_close(
        box_iou_loss_2d(pred, target, kind="ciou", ciou_alpha="tcyb"), box_iou_loss_2d(pred, target, kind="diou")
    )


@every_kind
def test_a_collapsed_or_turned_box_has_a_finite_loss_and_grows(kind: str) -> None:
    for size in (0.0, -0.5):
        grad = gradient(kind, [1 - size / 2, 1 - size / 2, 1 + size / 2, 1 + size / 2], [0, 0, 2, 2])
        assert grad.isfinite().all()
        assert grad[0] > 0, "a step down the gradient moves the left side left"
        assert grad[2] < 0


@every_kind
def test_boxes_apart_learn_where_the_kind_says_so(kind: str) -> None:
    grad = gradient(kind, [5, 5, 6, 6], [0, 0, 1, 1])
    assert (grad.abs().sum() > 0) == (kind not in ("iou", "log_iou", "alpha_iou"))


@every_kind
def test_both_without_extent_is_finite(kind: str) -> None:
    assert gradient(kind, [1, 1, 1, 1], [1, 1, 1, 1]).isfinite().all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: box_iou_loss_2d(torch.zeros(2, 5), torch.zeros(2, 5)), ValueError, r"pred.*4.*\(2, 5\)"),
        (lambda: box_iou_loss_2d(torch.zeros(2, 4), torch.zeros(3, 4)), ValueError, r"target.*\(2, 4\).*\(3, 4\)"),
        (lambda: box_iou_loss_2d(torch.zeros(2, 4), torch.zeros(2, 4), kind="niou"), ValueError, "kind.*niou"),  # type: ignore[arg-type]
        (lambda: box_iou_loss_2d(torch.zeros(2, 4), torch.zeros(2, 4), ciou_alpha="x"), ValueError, "ciou_alpha"),  # type: ignore[arg-type]
        (lambda: box_iou_loss_2d(torch.zeros(2, 4), torch.zeros(2, 4), focal_gamma=0), ValueError, "focal_gamma.*0"),
        (lambda: box_iou_loss_2d(torch.zeros(2, 4), torch.zeros(2, 4).int()), TypeError, "target.*int32"),
    ],
)
def test_bad_input_is_named(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]
