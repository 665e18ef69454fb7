"""GIoU and DIoU against closed forms and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from oracles import adversarial, exact_overlap

from bev3d.boxes import corners_3d
from bev3d.overlap import diou_3d, diou_bev, giou_3d, giou_bev, iou_3d, iou_bev


def slow_family(pred: np.ndarray, target: np.ndarray, dims: int) -> tuple[float, float]:
    """GIoU and DIoU of one pair, from corners turned into the target's frame."""
    c, s = math.cos(-target[6]), math.sin(-target[6])
    corners = np.concatenate([corners_3d(pred[None])[0], corners_3d(target[None])[0]]) - target[:3]
    corners[:, :2] = corners[:, :2] @ np.array([[c, s], [-s, c]])
    extents = np.ptp(corners, axis=0)[:dims]
    iou = exact_overlap.iou_bev(pred, target) if dims == 2 else exact_overlap.iou_3d(pred, target)
    content = [np.prod(box[3 : 3 + dims]) for box in (pred, target)]
    union = sum(content) / (1 + iou)
    enclosing = np.prod(extents)
    distance = ((pred - target)[:dims] ** 2).sum()
    return iou - (enclosing - union) / enclosing, iou - distance / (extents**2).sum()


@pytest.mark.parametrize("name", ["jitter", "contained", "vertex on vertex"])
@pytest.mark.parametrize(("dims", "giou", "diou"), [(2, giou_bev, diou_bev), (3, giou_3d, diou_3d)])
def test_agrees_with_a_loop_over_corners(name: str, dims: int, giou, diou) -> None:  # type: ignore[no-untyped-def]
    a, b = (boxes[:300] for boxes in adversarial.pairs(name))
    expected = np.array([slow_family(p, q, dims) for p, q in zip(a, b, strict=True)])
    pred, target = torch.from_numpy(a), torch.from_numpy(b)
    assert np.abs(giou(pred, target).numpy() - expected[:, 0]).max() <= 1e-11
    assert np.abs(diou(pred, target).numpy() - expected[:, 1]).max() <= 1e-11


def test_closed_forms() -> None:
    one = torch.tensor([0.0, 0, 0, 2, 2, 2, 0])
    other = torch.tensor([4.0, 0, 0, 2, 2, 2, 0])
    # enclosing 6 x 2, union 8
    assert giou_bev(one, other).item() == pytest.approx(-(12 - 8) / 12)
    assert diou_bev(one, other).item() == pytest.approx(-16 / (36 + 4))
    assert diou_3d(one, other).item() == pytest.approx(-16 / (36 + 4 + 4))


def test_the_target_gives_the_frame() -> None:
    upright = torch.tensor([0.0, 0, 0, 4, 2, 1, 0.0])
    turned = torch.tensor([0.0, 0, 0, 4, 2, 1, math.pi / 4])
    oblong = torch.tensor([6.0, 0, 0, 4, 2, 1, 0.0])
    assert giou_bev(upright, turned).item() == pytest.approx(giou_bev(turned, upright).item(), abs=1e-6)
    assert giou_bev(oblong, turned).item() != pytest.approx(giou_bev(turned, oblong).item(), abs=1e-3)


@pytest.mark.parametrize("name", list(adversarial.SETS))
def test_bounds(name: str) -> None:
    a, b = (torch.from_numpy(boxes) for boxes in adversarial.pairs(name))
    for giou, diou, iou in ((giou_bev, diou_bev, iou_bev), (giou_3d, diou_3d, iou_3d)):
        for value in (giou(a, b), diou(a, b)):
            assert (value >= -1).all()
            assert (value <= iou(a, b) + 1e-12).all()


def test_equal_boxes_give_1() -> None:
    a, b = (torch.from_numpy(boxes) for boxes in adversarial.pairs("turned by quarters"))
    for function in (giou_bev, giou_3d, diou_bev, diou_3d):
        assert (function(a, b) - 1).abs().max() <= 1e-12
