"""Heatmap targets on a GPU."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from bev3d.bench._case import Case, ours, peer
from bev3d.bench._peers import legacy_heatmap
from bev3d.targets import HeatmapTargets

__all__ = ["CASES"]

CELL_M = 0.4


def _targets(side: int, device: str, small: bool) -> Case:
    n, side, batch = (20, 32, 2) if small else (500, side, 4)
    rng, half = np.random.default_rng(0), side * CELL_M / 2
    boxes = np.zeros((batch, n, 9))
    boxes[..., :2] = rng.uniform(-half, half, (batch, n, 2))
    boxes[..., 3:6], boxes[..., 6] = rng.uniform(0.5, (11, 3, 3), (batch, n, 3)), rng.uniform(-3, 3, (batch, n))
    labels = rng.integers(0, 10, (batch, n))
    grid: dict[str, Any] = {
        "range_m": (-half, -half, -5.0, half, half, 3.0), "voxel_size_m": (CELL_M / 2, CELL_M / 2, 8.0), "stride": 2,
    }  # fmt: skip
    generator = HeatmapTargets(tasks=[[str(i) for i in range(10)]], radius="legacy", **grid)
    on_device = list(torch.from_numpy(boxes).to(device)), list(torch.from_numpy(labels).to(device))

    def loop() -> torch.Tensor:
        maps = [
            legacy_heatmap(some, label, 10, (-half, -half), CELL_M, (side, side))
            for some, label in zip(boxes, labels, strict=True)
        ]
        return torch.from_numpy(np.stack(maps)).to(device)

    contestants = {
        "bev3d, heatmap and regression": ours(
            lambda: generator(*on_device), read=lambda made: made.tasks[0].heatmap.cpu().numpy()
        ),
        "loop over objects on the host, heatmap only, moved": peer(loop),
    }
    name = f"Heatmap targets, {batch} x {n} objects, 10 x {side} x {side}"
    return Case(name, batch * n, "object", contestants, truth=loop().cpu().numpy())


CASES = {f"heatmap-{side}": partial(_targets, side) for side in (128, 512)}
