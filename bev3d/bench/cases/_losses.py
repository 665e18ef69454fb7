"""Losses with their gradients, beside eager torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from bev3d.bench._case import Case, Cases, Contestant, Limit, ours, peer
from bev3d.bench.cases._inputs import pairs
from bev3d.bench.usual._eager import eager_corner, eager_focal, eager_gather
from bev3d.losses import corner_loss, heatmap_focal_loss

__all__ = ["CASES", "focal_gradients"]


def _gradient(loss: Callable[[], Tensor], of: Tensor) -> Callable[[], Tensor]:
    return lambda: torch.autograd.grad(loss(), of)[0]


def focal_gradients(shape: tuple[int, ...]) -> dict[str, Contestant]:
    """Sum of the loss over a map and its gradient."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).sub(2).requires_grad_()
    heatmap = torch.rand(shape, generator=generator)
    mine = _gradient(lambda: heatmap_focal_loss(logits, heatmap, reduction="sum"), logits)
    theirs = _gradient(lambda: eager_focal(logits, heatmap).sum(), logits)
    return {
        "bev3d": ours(mine),
        "bev3d, 2 threads": ours(mine, threads=2),
        "eager torch": peer(theirs),
        "eager torch, 2 threads": peer(theirs, threads=2),
    }


def _focal(shape: tuple[int, ...], small: bool) -> Case:
    shape = (1, 2, 16, 16) if small else shape
    n = int(np.prod(shape))
    large = n > 1 << 20 or small
    limits = (
        Limit("bev3d", "times faster", 10, than="eager torch"),
        Limit("bev3d, 2 threads", "times faster", 10, than="eager torch, 2 threads"),
        Limit("bev3d, 2 threads", "GB/s", 18),
        Limit("bev3d, 2 threads", "thread gain", 1.7, than="bev3d"),
    )
    name = f"Heatmap focal loss and its gradient, {' x '.join(map(str, shape))}"
    # both maps are read and the gradient is written
    return Case(name, n, "element", focal_gradients(shape), limits if large else limits[:1], moved_bytes=12 * n)


def _corner(small: bool) -> Case:
    n = 200 if small else 50_000
    a, b = (torch.from_numpy(boxes).float() for boxes in pairs(n))
    a.requires_grad_()
    contestants = {}
    for variant in ("per_corner", "per_box", "huber_sum"):
        run = _gradient(partial(corner_loss, a, b, variant=variant, reduction="sum"), a)
        contestants[f"bev3d, {variant}"] = ours(run)
    mine = _gradient(partial(corner_loss, a, b, variant="per_corner", reduction="sum"), a)
    contestants["bev3d, per_corner, 2 threads"] = ours(mine, threads=2)
    contestants["eager torch, per_corner"] = peer(_gradient(lambda: eager_corner(a, b).sum(), a))
    contestants["eager torch, per_corner, 2 threads"] = peer(contestants["eager torch, per_corner"].run, threads=2)
    return Case(f"Corner loss and its gradient, {n:,} boxes, float32", n, "box", contestants)


def _gather(small: bool) -> Case:
    import bev3d_ops.registered._gather  # noqa: F401 - registers the operation

    batch, channels, side, objects = (2, 4, 16, 8) if small else (4, 10, 256, 500)
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn((batch, channels, side, side), generator=generator).requires_grad_()
    cells = torch.randint(side * side, (batch, objects), generator=generator)

    def mine() -> Tensor:
        return torch.ops.bev3d.gather_cells(maps.flatten(2), cells).sum()

    contestants = {
        "bev3d": ours(_gradient(mine, maps)),
        "permuted copy and gather": peer(_gradient(lambda: eager_gather(maps, cells).sum(), maps)),
    }
    name = f"Gathering at {objects} objects of {batch} x {channels} x {side} x {side} and its gradient"
    return Case(name, batch * objects, "object", contestants)


CASES: Cases = {
    "focal": partial(_focal, (2, 10, 128, 128)),
    "focal-large": partial(_focal, (4, 10, 512, 512)),
    "corner": _corner,
    "gather": _gather,
}
