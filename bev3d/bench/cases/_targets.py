"""Heatmap targets, beside the loop over objects."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bev3d.bench._case import Case, Cases, Contestant, Limit, ours, peer
from bev3d.bench._peers import legacy_heatmap
from bev3d.bench.usual._target_loop import target_loop
from bev3d.targets import HeatmapTargets

__all__ = ["CASES", "heatmap_contestants"]

CELL_M = 0.4


def heatmap_contestants(n: int, side: int) -> dict[str, Contestant]:
    """Contestants that make the targets of n objects on 10 maps."""
    rng, half = np.random.default_rng(0), side * CELL_M / 2
    boxes = np.zeros((n, 9))
    boxes[:, :2] = rng.uniform(-half, half, (n, 2))
    boxes[:, 3:6], boxes[:, 6] = rng.uniform(0.5, (11, 3, 3), (n, 3)), rng.uniform(-3, 3, n)
    labels = rng.integers(0, 10, n)
    grid: dict[str, Any] = {
        "range_m": (-half, -half, -5.0, half, half, 3.0),
        "voxel_size_m": (CELL_M / 2, CELL_M / 2, 8.0),
        "stride": 2,
        "max_objects": max(n, 500),
    }
    generator = HeatmapTargets(tasks=[[str(i) for i in range(10)]], radius="legacy", **grid)
    low = (-half, -half)
    return {
        "bev3d, heatmap and regression": ours(
            lambda: generator([boxes], [labels]), read=lambda made: made.tasks[0].heatmap[0].numpy()
        ),
        "loop over objects, both": peer(
            lambda: target_loop(boxes, labels, 10, low, CELL_M, side), read=lambda made: made["heatmap"]
        ),
        "loop over objects, heatmap only": peer(lambda: legacy_heatmap(boxes, labels, 10, low, CELL_M, (side, side))),
    }


def _targets(side: int, small: bool) -> Case:
    n, side = (20, 32) if small else (500, side)
    contestants = heatmap_contestants(n, side)
    truth = contestants["loop over objects, heatmap only"].run()
    limits = (
        Limit("bev3d, heatmap and regression", "times faster", 20, than="loop over objects, both"),
        Limit("bev3d, heatmap and regression", "error", 0),
    )
    return Case(f"Heatmap targets, {n} objects, 10 x {side} x {side}", n, "object", contestants, limits, truth)


CASES: Cases = {f"heatmap-{side}": partial(_targets, side) for side in (128, 256, 512)}
