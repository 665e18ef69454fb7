"""Rows of points to groups and back, beside torch's scatter_reduce."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from bev3d.bench._case import Case, Cases, Contestant, Limit, ours, peer
from bev3d.bench.usual._eager import eager_scatter
from bev3d.points import scatter_max, scatter_mean, scatter_sum

__all__ = ["CASES", "rows_and_groups", "scatter_gradients"]

_OURS = {"max": scatter_max, "mean": scatter_mean, "sum": scatter_sum}
_TORCH = {"max": "amax", "mean": "mean", "sum": "sum"}


def rows_and_groups(n: int, device: str = "cpu") -> tuple[Tensor, Tensor, int]:
    """Rows (n, 32), the group of each, and how many groups: a tenth as many."""
    generator, groups = torch.Generator().manual_seed(0), max(1, n // 10)
    values = torch.randn((n, 32), generator=generator).to(device).requires_grad_()
    return values, torch.randint(groups, (n,), generator=generator).to(device), groups


def scatter_gradients(values: Tensor, index: Tensor, groups: int, how: str) -> dict[str, Contestant]:
    """Contestants that reduce and give the gradient of a weighted sum of the result."""
    weights = torch.linspace(-1, 1, groups * values.shape[1]).view(groups, -1).to(values.device)

    def gradient(reduced: Callable[[], Tensor]) -> Callable[[], Tensor]:
        return lambda: torch.autograd.grad(reduced(), values, weights)[0]

    return {
        "bev3d": ours(gradient(lambda: _OURS[how](values, index, groups))),
        "torch scatter_reduce": peer(gradient(lambda: eager_scatter(values, index, groups, _TORCH[how]))),
    }


def _scatter(how: str, small: bool) -> Case:
    n = 500 if small else 300_000
    values, index, groups = rows_and_groups(n)
    contestants = scatter_gradients(values, index, groups, how)
    contestants["bev3d, 2 threads"] = ours(contestants["bev3d"].run, threads=2)
    contestants["torch scatter_reduce, 2 threads"] = peer(contestants["torch scatter_reduce"].run, threads=2)
    limits = (Limit("bev3d, 2 threads", "thread gain", 1.7, than="bev3d"),)
    truth = contestants["torch scatter_reduce"].run().numpy().astype(np.float64)
    # values in, result out; gradient of the result in, gradient of the values out
    moved = 4 * 32 * 2 * (n + groups)
    name = f"Scatter {how} and its gradient, {n:,} x 32 to {groups:,}"
    return Case(name, n, "row", contestants, limits, truth, moved_bytes=moved)


CASES: Cases = {f"scatter-{how}": partial(_scatter, how) for how in ("max", "mean", "sum")}
