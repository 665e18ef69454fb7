"""Heatmap targets and their loss, beside the per-object loop and eager torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d.bench._peers import legacy_heatmap
from bev3d.bench._race import Case, Cases, Contestants
from bev3d.losses import heatmap_focal_loss
from bev3d.targets import HeatmapTargets

__all__ = ["TARGET_CASES"]


def _targets(size: int) -> Case:
    rng, half = np.random.default_rng(0), size * 0.2
    boxes = np.zeros((500, 9))
    boxes[:, :2] = rng.uniform(-half, half, (500, 2))
    boxes[:, 3:6] = rng.uniform(0.5, (11, 3, 3), (500, 3))
    labels = rng.integers(0, 10, 500)
    grid: dict[str, Any] = {
        "range_m": (-half, -half, -5.0, half, half, 3.0),
        "voxel_size_m": (0.2, 0.2, 8.0),
        "stride": 2,
    }
    generator = HeatmapTargets(tasks=[[str(i) for i in range(10)]], radius="legacy", **grid)

    def loop() -> np.ndarray:
        return legacy_heatmap(boxes, labels, 10, (-half, -half), 0.4, (size, size))

    if not np.array_equal(generator([boxes], [labels]).tasks[0].heatmap[0].numpy(), loop()):
        raise RuntimeError("the targets are not those of the loop")
    contestants: Contestants = {"bev3d": lambda: generator([boxes], [labels]), "loop over objects": loop}
    return Case(f"Heatmap targets, 500 objects, 10 x {size} x {size}", 500, "object", contestants)


def _focal(shape: tuple[int, ...]) -> Case:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).sub(2).requires_grad_()
    heatmap = torch.rand(shape, generator=generator)

    def gradient(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], Tensor]:
        return lambda: torch.autograd.grad(loss(logits, heatmap).sum(), logits)[0]

    contestants: Contestants = {"bev3d": gradient(heatmap_focal_loss), "clamped, eager": gradient(_clamped)}
    size = " x ".join(map(str, shape))
    return Case(f"Heatmap focal loss and its gradient, {size}", logits.numel(), "element", contestants)


def _clamped(logits: Tensor, heatmap: Tensor) -> Tensor:
    p = torch.clamp(torch.sigmoid(logits), 1e-4, 1 - 1e-4)
    positive = heatmap.eq(1).float()
    negative = (1 - heatmap) ** 4 * (1 - positive)
    return -(torch.log(p) * (1 - p) ** 2 * positive + torch.log(1 - p) * p**2 * negative)


TARGET_CASES: Cases = (
    *(partial(_targets, size) for size in (128, 256, 512)),
    *(partial(_focal, shape) for shape in ((2, 10, 128, 128), (4, 10, 512, 512))),
)
