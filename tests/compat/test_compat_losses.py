"""Legacy numbers, from their published formulas element by element in NumPy; and that what is said to be wrong is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bev3d import compat
from bev3d.losses import corner_loss, focal_loss, gathered_heatmap_focal_loss, heatmap_focal_loss
from bev3d.overlap import iou_3d, pairwise_iou_bev

RNG = np.random.default_rng(0)


def heatmaps(spread: float = 2.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    logits = torch.from_numpy(RNG.normal(0, spread, (2, 3, 6, 7)))
    heatmap = torch.from_numpy(RNG.random((2, 3, 6, 7)) * 0.95)
    cells, classes = torch.from_numpy(RNG.integers(0, 42, (2, 5))), torch.from_numpy(RNG.integers(0, 3, (2, 5)))
    mask = torch.tensor([[True] * 4 + [False], [True, True, False, False, False]])
    for b, m in mask.nonzero().tolist():
        heatmap[b, classes[b, m]].view(-1)[cells[b, m]] = 1
    return logits, heatmap, cells, classes, mask


def clamp(x: float) -> float:
    return min(max(1 / (1 + math.exp(-x)), 1e-4), 1 - 1e-4)


def dense(logits: torch.Tensor, heatmap: torch.Tensor, eps: float = 0.0) -> tuple[float, float, int]:
    positive = negative = 0.0
    number = 0
    for x, y in zip(logits.flatten().tolist(), heatmap.flatten().tolist(), strict=True):
        p = clamp(x)
        if y == 1:
            positive += math.log(p + eps) * (1 - p) ** 2
            number += 1
        else:
            negative += math.log(1 - p + eps) * p**2 * (1 - y) ** 4
    return positive, negative, number


def test_openpcdet_heatmap() -> None:
    logits, heatmap, *_ = heatmaps(6.0)
    positive, negative, number = dense(logits, heatmap)
    assert compat.openpcdet_heatmap_focal_loss(logits, heatmap).item() == pytest.approx(
        -(positive + negative) / number, rel=1e-12
    )
    nothing = heatmap * 0.9
    _, negative, _ = dense(logits, nothing)
    assert compat.openpcdet_heatmap_focal_loss(logits, nothing).item() == pytest.approx(-negative, rel=1e-12)


def test_mmdet3d_heatmap() -> None:
    logits, heatmap, *_ = heatmaps(6.0)
    positive, negative, number = dense(logits, heatmap, 1e-12)
    loss = compat.mmdet3d_gaussian_focal_loss(logits, heatmap, avg_factor=float(number))
    assert loss.item() == pytest.approx(-(positive + negative) / number, rel=1e-12)
    assert compat.mmdet3d_gaussian_focal_loss(logits, heatmap).item() == pytest.approx(
        -(positive + negative) / logits.numel(), rel=1e-12
    )


def test_centerpoint_fast_focal() -> None:
    logits, heatmap, cells, classes, mask = heatmaps(6.0)
    cells[0, 1], classes[0, 1] = cells[0, 0], classes[0, 0]  # shared: it counts twice
    _, negative, _ = dense(logits, heatmap)
    positive = 0.0
    for b, m in mask.nonzero().tolist():
        p = clamp(logits[b, classes[b, m]].flatten()[cells[b, m]].item())
        positive += math.log(p) * (1 - p) ** 2
    actual = compat.centerpoint_fast_focal_loss(logits, heatmap, cells, classes, mask)
    assert actual.item() == pytest.approx(-(positive + negative) / 6, rel=1e-12)


def test_within_the_clamp_the_legacy_heatmaps_equal_ours() -> None:
    logits, heatmap, cells, classes, mask = heatmaps(1.0)
    number = (heatmap == 1).sum()
    ours = heatmap_focal_loss(logits, heatmap).sum() / number
    torch.testing.assert_close(compat.openpcdet_heatmap_focal_loss(logits, heatmap), ours)
    ours = gathered_heatmap_focal_loss(logits, heatmap, cells, classes, mask, reduction="mean")
    torch.testing.assert_close(compat.centerpoint_fast_focal_loss(logits, heatmap, cells, classes, mask), ours)


def test_past_the_clamp_they_have_no_gradient_and_in_half_precision_no_value() -> None:
    logits, heatmap = torch.full((1, 1, 1, 2), 12.0, requires_grad=True), torch.tensor([[[[0.0, 1.0]]]])
    (legacy,) = torch.autograd.grad(compat.openpcdet_heatmap_focal_loss(logits, heatmap), logits)
    (ours,) = torch.autograd.grad(heatmap_focal_loss(logits, heatmap).sum(), logits)
    assert legacy.abs().max() == 0
    assert ours[0, 0, 0, 0] > 0.5
    half = compat.openpcdet_heatmap_focal_loss(logits.detach().bfloat16(), heatmap.bfloat16())
    assert not half.isfinite()


@pytest.mark.parametrize("which", ["centerpoint", "openpcdet"])
def test_regression(which: str) -> None:
    maps, target = torch.from_numpy(RNG.normal(size=(2, 4, 6, 7))), torch.from_numpy(RNG.normal(size=(2, 5, 4)))
    _, _, cells, _, mask = heatmaps()
    expected = np.zeros(4)
    for b, m in mask.nonzero().tolist():
        expected += np.abs(maps[b, :, cells[b, m] // 7, cells[b, m] % 7].numpy() - target[b, m].numpy())
    function, divisor = {
        "centerpoint": (compat.centerpoint_reg_loss, 6 + 1e-4),
        "openpcdet": (compat.openpcdet_reg_loss, 6),
    }[which]
    np.testing.assert_allclose(function(maps, target, cells, mask).numpy(), expected / divisor, rtol=1e-12)
    target[0, 0, 3] = torch.nan
    assert function(maps, target, cells, mask)[3].isnan(), "their NaN stays"


def boxes(count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    a = np.column_stack([RNG.normal(0, 2, (count, 3)), RNG.uniform(0.5, 4, (count, 3)), RNG.uniform(-7, 7, count)])
    b = a + RNG.normal(0, 0.4, a.shape) * [1, 1, 1, 0.3, 0.3, 0.3, 2]
    b[:, 3:6] = np.abs(b[:, 3:6]) + 0.1
    return torch.from_numpy(a), torch.from_numpy(b)


def test_openpcdet_corners() -> None:
    a, b = boxes()
    expected = []
    for one, other in zip(a.numpy(), b.numpy(), strict=True):
        signs = [(i, j, k) for i in (1, -1) for j in (1, -1) for k in (1, -1)]

        def corner(box: np.ndarray, sign: tuple[int, int, int], extra: float = 0.0) -> np.ndarray:
            x, y, z = (s * size / 2 for s, size in zip(sign, box[3:6], strict=True))
            c, s = math.cos(box[6] + extra), math.sin(box[6] + extra)
            return box[:3] + np.array([c * x - s * y, s * x + c * y, z])

        total = 0.0
        for sign in signs:
            d = min(np.linalg.norm(corner(one, sign) - corner(other, sign, e)) for e in (0.0, math.pi))
            total += d * d / 2 if d < 1 else d - 0.5
        expected.append(total / 8)
    actual = compat.openpcdet_corner_loss(a, b)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-12)
    torch.testing.assert_close(actual, corner_loss(a, b, variant="per_corner"), rtol=1e-9, atol=1e-9)


def test_a_quarter_turn_is_perfect_to_the_overlap_without_yaw() -> None:
    a = torch.tensor([[0.0, 0, 0, 4.6, 1.9, 1.6, 0]], dtype=torch.float64)
    b = a.clone()
    b[0, 6] = math.pi / 2
    assert compat.axis_aligned_iou_3d(a, b).item() == pytest.approx(1, abs=1e-12)
    assert iou_3d(a, b).item() == pytest.approx(0.26, abs=0.01)


def test_without_yaw_both_overlaps_are_the_truth() -> None:
    a, b = boxes()
    a[:, 6], b[:, 6] = 0, 0
    torch.testing.assert_close(compat.axis_aligned_iou_3d(a, b), iou_3d(a, b), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(compat.nearest_bev_iou(a, b), pairwise_iou_bev(a, b), rtol=1e-9, atol=1e-9)


def test_nearest_bev_rounds_to_quarter_turns_and_jumps() -> None:
    a = torch.tensor([[0.0, 0, 0, 4, 2, 1, math.radians(yaw)] for yaw in (0, 44, 46, 90, 134, 136, -44)])
    against = compat.nearest_bev_iou(a, a[:1])[:, 0]
    assert against.tolist() == pytest.approx([1, 1, 1 / 3, 1 / 3, 1 / 3, 1, 1])


def test_openpcdet_sigmoid_focal() -> None:
    logits = torch.from_numpy(RNG.normal(0, 3, (2, 5, 3)))
    target = torch.from_numpy((RNG.random((2, 5, 3)) < 0.3).astype(float))
    weights = torch.from_numpy(RNG.random((2, 5)))
    ours = focal_loss(logits, target) * weights[..., None]
    torch.testing.assert_close(compat.openpcdet_sigmoid_focal_loss(logits, target, weights), ours)
    sure = torch.full((1, 1, 1), 200.0, requires_grad=True)
    one = torch.ones(1, 1, 1)
    (grad,) = torch.autograd.grad(compat.openpcdet_sigmoid_focal_loss(sure, one, one[0], gamma=0.5).sum(), sure)
    assert not grad.isfinite().all()
