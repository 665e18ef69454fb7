"""Losses, gathering and targets on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from bev3d.bench._case import Case, Limit, ours, peer
from bev3d.bench.cases._inputs import pairs
from bev3d.bench.cuda_cases._inputs import on
from bev3d.bench.usual._eager import eager_corner, eager_focal, eager_gather
from bev3d.losses import corner_loss, heatmap_focal_loss

__all__ = ["CASES"]


def _gradient(loss: Callable[[], Tensor], of: Tensor) -> Callable[[], Tensor]:
    return lambda: torch.autograd.grad(loss(), of)[0]


def _focal(dtype: torch.dtype, device: str, small: bool) -> Case:
    shape = (1, 2, 16, 16) if small else (4, 10, 512, 512)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).sub(2).to(device, dtype).requires_grad_()
    heatmap = torch.rand(shape, generator=generator).to(device)
    target, n = torch.empty_like(heatmap), logits.numel()
    contestants = {
        "bev3d": ours(_gradient(lambda: heatmap_focal_loss(logits, heatmap, reduction="sum"), logits)),
        "eager torch": peer(_gradient(lambda: eager_focal(logits, heatmap).sum(), logits)),
        "a copy of one map": peer(lambda: target.copy_(heatmap)),
    }
    limits = (Limit("bev3d", "share of copying", 0.8),) if not small else ()
    # logits and heatmap in, gradient out
    moved = n * (2 * logits.element_size() + 4)
    name = f"Heatmap focal loss and its gradient, {' x '.join(map(str, shape))}, {str(dtype).split('.')[1]}"
    return Case(name, n, "element", contestants, limits, moved_bytes=moved)


def _corner(device: str, small: bool) -> Case:
    n = 200 if small else 100_000
    a, b = on(device, *pairs(n))
    a.requires_grad_()
    contestants = {
        f"bev3d, {variant}": ours(_gradient(partial(corner_loss, a, b, variant=variant, reduction="sum"), a))
        for variant in ("per_corner", "per_box", "huber_sum")
    }
    contestants["eager torch, per_corner"] = peer(_gradient(lambda: eager_corner(a, b).sum(), a))
    # both boxes in, the gradient of one out
    return Case(f"Corner loss and its gradient, {n:,} boxes, float32", n, "box", contestants, moved_bytes=84 * n)


def _gather(device: str, small: bool) -> Case:
    import bev3d_ops.registered._gather  # noqa: F401 - registers the operation

    batch, channels, side, objects = (2, 4, 16, 8) if small else (4, 10, 256, 500)
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn((batch, channels, side, side), generator=generator).to(device).requires_grad_()
    cells = torch.randint(side * side, (batch, objects), generator=generator).to(device)

    def mine() -> Tensor:
        gathered: Tensor = torch.ops.bev3d.gather_cells(maps.flatten(2), cells)
        return gathered.sum()

    contestants = {
        "bev3d": ours(_gradient(mine, maps)),
        "permuted copy and gather": peer(_gradient(lambda: eager_gather(maps, cells).sum(), maps)),
    }
    name = f"Gathering at {objects} objects of {batch} x {channels} x {side} x {side} and its gradient"
    return Case(name, batch * objects, "object", contestants)


CASES = {
    "focal": partial(_focal, torch.float32),
    "focal-bfloat16": partial(_focal, torch.bfloat16),
    "corner": _corner,
    "gather": _gather,
}
