"""IoU's way back keeps the boxes: what may still be done to them in between."""

from __future__ import annotations

import pytest
import torch

from bev3d.overlap import iou_3d, iou_bev


def boxes(columns: int = 7) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    values = torch.rand((90, columns), generator=rng, dtype=torch.float64)
    values[:, 3:6] += 1
    return values


def gradient(target: torch.Tensor) -> torch.Tensor:
    pred = (boxes() + 0.1).requires_grad_()
    (found,) = torch.autograd.grad(iou_3d(pred, target).sum(), pred)
    return found


def test_velocities_may_change_between_the_passes() -> None:
    pred, target = (boxes() + 0.1).requires_grad_(), boxes(9)
    target[:, :7] = boxes()
    value = iou_3d(pred, target)
    target[:, 7:] = 5
    (found,) = torch.autograd.grad(value.sum(), pred)
    assert torch.equal(found, gradient(boxes()))


def test_targets_made_in_inference_mode() -> None:
    with torch.inference_mode():
        target = boxes()
    torch.testing.assert_close(gradient(target), gradient(boxes()), rtol=1e-12, atol=1e-14)


def test_a_box_that_changes_between_the_passes_is_an_error() -> None:
    pred, target = boxes().requires_grad_(), boxes()
    value = iou_bev(pred, target)
    target[0, 0] = 3
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.sum().backward()


def test_every_cotangent() -> None:
    pred, target = (boxes() + 0.1).requires_grad_(), boxes()
    value = iou_bev(pred, target)
    whole = torch.autograd.grad(value.sum(), pred, retain_graph=True)[0]
    factors = torch.linspace(-2, 2, 180, dtype=torch.float64)[::2]
    torch.testing.assert_close(
        torch.autograd.grad(value, pred, factors, retain_graph=True)[0], factors[:, None] * whole
    )
    factors = factors.clone()
    factors[5] = torch.nan
    found = torch.autograd.grad(value, pred, factors)[0]
    assert found[5].isnan().all()
    assert found.isnan().any(1).sum() == 1
