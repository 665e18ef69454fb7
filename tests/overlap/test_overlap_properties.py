"""What holds for any two boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import adversarial, exact_overlap

from bev3d.overlap import diou_bev, giou_3d, giou_bev, iou_3d, iou_bev, pairwise_iou_3d, pairwise_iou_bev

coordinate = st.floats(-20, 20)
size = st.floats(1e-3, 30)
yaw = st.floats(-10, 10)
box = st.tuples(coordinate, coordinate, coordinate, size, size, size, yaw)
quick = settings(max_examples=150, deadline=None)


def tensor(*boxes: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(boxes, dtype=torch.float64)


@quick
@given(box, box)
def test_agrees_with_clipping(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    assert abs(iou_bev(tensor(a), tensor(b)).item() - exact_overlap.iou_bev(a, b)) <= 1e-12
    assert abs(pairwise_iou_3d(tensor(a), tensor(b)).item() - exact_overlap.iou_3d(a, b)) <= 1e-12


@quick
@given(box, box)
def test_is_symmetric(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    for function in (iou_bev, iou_3d, pairwise_iou_bev, pairwise_iou_3d):
        there, back = function(tensor(a), tensor(b)), function(tensor(b), tensor(a))
        assert there.item() == pytest.approx(back.item(), abs=1e-12)


@quick
@given(box, box, yaw, coordinate, coordinate)
def test_is_invariant_under_rigid_motion(
    a: tuple[float, ...], b: tuple[float, ...], turn: float, dx: float, dy: float
) -> None:
    before = tensor(a, b)
    after = before.clone()
    c, s = math.cos(turn), math.sin(turn)
    after[:, 0] = c * before[:, 0] - s * before[:, 1] + dx
    after[:, 1] = s * before[:, 0] + c * before[:, 1] + dy
    after[:, 6] += turn
    for function in (iou_bev, iou_3d, giou_bev, giou_3d, diou_bev):
        moved, still = function(after[:1], after[1:]), function(before[:1], before[1:])
        # the motion itself rounds the corners by 1e-14 m, beside sizes of 1e-3 m
        assert moved.item() == pytest.approx(still.item(), abs=1e-10)


@quick
@given(box, st.floats(0, 1), st.floats(0, 1))
def test_falls_as_the_boxes_part(a: tuple[float, ...], near: float, far: float) -> None:
    near, far = sorted((near, far))
    base = tensor(a).numpy()
    values = [
        iou_bev(tensor(a), torch.from_numpy(adversarial.moved(base, base[:, 3] * part, base[:, 4] * part))).item()
        for part in (near, far)
    ]
    assert values[1] <= values[0] + 1e-12
    expected = (1 - near) ** 2
    assert values[0] == pytest.approx(expected / (2 - expected), abs=1e-9)


@quick
@given(box, st.floats(1, 3), st.floats(1, 3))
def test_of_a_box_within_a_box_is_the_ratio_of_areas(a: tuple[float, ...], along: float, across: float) -> None:
    b = (*a[:3], a[3] * along, a[4] * across, a[5], a[6])
    assert iou_bev(tensor(a), tensor(b)).item() == pytest.approx(1 / (along * across), abs=1e-12)


def test_lengths_and_widths_may_be_swapped_with_a_quarter_turn() -> None:
    a, b = (torch.from_numpy(boxes) for boxes in adversarial.pairs("jitter"))
    swapped = b.clone()
    swapped[:, 3], swapped[:, 4] = b[:, 4], b[:, 3]
    swapped[:, 6] += math.pi / 2
    assert (iou_3d(a, swapped) - iou_3d(a, b)).abs().max() <= 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_millions_of_pairs_stay_in_bounds(dtype: type) -> None:
    rng = np.random.default_rng(7)
    for scale in (1e-3, 1.0, 1e3):
        a = adversarial.boxes(rng, 700, low=1e-3, high=20, spread=6) * scale
        a[:, 6] = rng.choice([0, np.pi / 2, np.pi, 1e-9, 0.3], 700) + rng.choice([0, 1e-16, 1e-8, 1e-4], 700)
        a[::3, :2] = np.round(a[::3, :2] / scale) * scale
        a[::3, 3:6] = np.ceil(a[::3, 3:6] / scale) * scale
        a = a.astype(dtype)
        for function in (pairwise_iou_bev, pairwise_iou_3d):
            value = function(a, a)
            assert value.dtype == dtype
            assert ((value >= 0) & (value <= 1)).all()  # false of NaN too
            assert np.abs(np.diag(value) - 1).max() <= 1e-6


def test_aligned_millions_stay_in_bounds() -> None:
    rng = np.random.default_rng(8)
    names = list(adversarial.SETS)
    a, b = (torch.from_numpy(np.concatenate([adversarial.pairs(name)[k] for name in names])) for k in (0, 1))
    for _ in range(20):
        noise = torch.from_numpy(rng.choice([0, 1e-16, 1e-12, 1e-8, 1e-5, 1e-2], a.shape) * rng.normal(size=a.shape))
        for function in (iou_bev, iou_3d):
            value = function(a, b + noise)
            assert ((value >= 0) & (value <= 1)).all()
