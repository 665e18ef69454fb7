"""A pair whose target is unknown changes no mean: one rule for all losses of boxes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bev3d import losses
from bev3d.losses import multibox_loss

MODULES = [
    losses.RotatedIouLoss(),
    losses.CornerLoss(),
    losses.GaussianBoxLoss(),
    losses.OdiouLoss(),
    losses.RdiouLoss(),
    losses.Mgiou3dLoss(),
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: type(module).__name__)
def test_unknown_pairs_do_not_dilute_the_mean(module: nn.Module) -> None:
    target = torch.tensor([[0, 0, 0, 4, 2, 1.5, 0], [5, 5, 0, 4, 2, 1.5, torch.nan]], dtype=torch.float64)
    pred = target.nan_to_num(0.3) + 0.4
    assert_same(module(pred, target), module(pred[:1], target[:1]))
    function, options = module.function, module.options
    assert_same(function(pred, target, reduction="mean", **options), module(pred, target))


def test_in_images_too() -> None:
    target = torch.tensor([[0, 0, 2, 2], [torch.nan, 0, 1, 1]], dtype=torch.float64)
    pred = torch.tensor([[1.0, 0, 3, 2], [0, 0, 1, 1]], dtype=torch.float64)
    module = losses.BoxIouLoss2d()
    assert_same(module(pred, target), module(pred[:1], target[:1]))


def test_multibox_refuses_a_negative_beta() -> None:
    with pytest.raises(ValueError, match=r"beta: expected at least 0, got -1"):
        multibox_loss(
            torch.zeros(1, 2, 2), torch.zeros(1, 2).long(), torch.zeros(1, 2, 4), torch.zeros(1, 2, 4), beta=-1
        )


def assert_same(one: Tensor, other: Tensor) -> None:
    assert one.item() > 0
    torch.testing.assert_close(one, other, rtol=1e-12, atol=0)
