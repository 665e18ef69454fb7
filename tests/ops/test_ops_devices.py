"""Tensors on different devices are refused before a kernel sees them; "meta" stands for the other device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from bev3d_ops import _sparse_check as sparse
from bev3d_ops.reference._focal import check_maps
from bev3d_ops.reference._heatmap import check_objects

MAPS = [torch.zeros(2, 4), torch.zeros(2, 4)]
OBJECTS = [torch.zeros(2, 4, 4), torch.zeros(3).long(), torch.zeros(3, 2).long(), torch.zeros(3).long()]
PAIRS = [torch.zeros(5).int(), torch.zeros(5).int(), torch.tensor([0, 2, 5])]
ROWS = torch.zeros(6, 3)
WEIGHT, BIAS = torch.zeros(4, 2, 1, 1, 3), torch.zeros(4)


def _conv(features: Tensor, weight: Tensor, bias: Tensor, *pairs: Tensor) -> None:
    sparse.check_conv(features, weight, bias, *pairs)


def _weight_grad(features: Tensor, grad: Tensor, *pairs: Tensor) -> None:
    sparse.check_weight_grad(features, grad, *pairs, [2, 1, 1])


CHECKS: list[tuple[Callable[..., Any], list[Tensor]]] = [
    (check_maps, MAPS),
    (check_objects, OBJECTS),
    (sparse.check_pairs, PAIRS),
    (_conv, [ROWS, WEIGHT, BIAS, *PAIRS]),
    (_weight_grad, [ROWS, torch.zeros(6, 4), *PAIRS]),
    (sparse.check_pool_grad, [ROWS, torch.zeros(6, 3).int(), *PAIRS]),
]
PLACES = [pytest.param(c, a, k, id=f"{c.__name__}-{k}") for c, a in CHECKS for k in range(len(a))]


@pytest.mark.parametrize(("check", "args", "place"), PLACES)
def test_another_device_is_named(check: Callable[..., Any], args: list[Tensor], place: int) -> None:
    check(*args)
    mixed = [value.to("meta") if k == place else value for k, value in enumerate(args)]
    with pytest.raises(ValueError, match=r": expected the device of .*(cpu|meta)\), got (cpu|meta)"):
        check(*mixed)
