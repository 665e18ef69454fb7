"""Heatmap targets against a loop over objects, and the fused focal loss against eager torch, side by side.

Both sides run in turn in one process after a warm-up; the table gives median and least time. Targets are checked to
be equal before they are timed.
"""

from __future__ import annotations

import argparse
import json
import runpy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d.losses import heatmap_focal_loss
from bev3d.targets import HeatmapTargets

LOOP = Path(__file__).resolve().parent.parent / "tests" / "oracles" / "heatmap_loop.py"
Contestants = dict[str, Callable[[], Any]]


def main() -> None:
    """Print a table, or JSON with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=9, help="timed runs of each contestant")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    results = {name: _race(contestants, arguments.repeats) for name, contestants in _cases().items()}
    if arguments.json:
        machine = {"torch": torch.__version__, "threads": torch.get_num_threads()}
        print(json.dumps({"machine": machine, "milliseconds": results}, indent=1))
        return
    print("| case | contestant | median ms | least ms |\n|---|---|---|---|")
    for case, times in results.items():
        for name, (median, least) in times.items():
            print(f"| {case} | {name} | {median:.2f} | {least:.2f} |")


def _cases() -> dict[str, Contestants]:
    cases = {f"targets, 500 objects, 10 x {size}²": _targets(size) for size in (128, 256, 512)}
    for shape in ((2, 10, 128, 128), (4, 10, 512, 512)):
        cases["focal, forward and backward, " + " x ".join(map(str, shape))] = _focal(shape)
    return cases


def _targets(size: int) -> Contestants:
    rng, half = np.random.default_rng(0), size * 0.2
    boxes = np.zeros((500, 9))
    boxes[:, :2] = rng.uniform(-half, half, (500, 2))
    boxes[:, 3:6] = rng.uniform(0.5, (11, 3, 3), (500, 3))
    labels = rng.integers(0, 10, 500)
    grid = {"range_m": (-half, -half, -5.0, half, half, 3.0), "voxel_size_m": (0.2, 0.2, 8.0), "stride": 2}
    generator = HeatmapTargets(tasks=[[str(i) for i in range(10)]], radius="legacy", **grid)  # type: ignore[arg-type]

    paint = runpy.run_path(str(LOOP))["legacy_heatmap"]

    def loop() -> np.ndarray:
        return paint(boxes, labels, 10, (-half, -half), 0.4, (size, size))

    if not np.array_equal(generator([boxes], [labels]).tasks[0].heatmap[0].numpy(), loop()):
        raise RuntimeError("the targets are not those of the loop")
    return {"bev3d": lambda: generator([boxes], [labels]), "loop over objects": loop}


def _focal(shape: tuple[int, ...]) -> Contestants:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).sub(2).requires_grad_()
    heatmap = torch.rand(shape, generator=generator)

    def gradient(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], Tensor]:
        return lambda: torch.autograd.grad(loss(logits, heatmap).sum(), logits)[0]

    return {"bev3d": gradient(heatmap_focal_loss), "clamped, eager": gradient(_clamped)}


def _clamped(logits: Tensor, heatmap: Tensor) -> Tensor:
    p = torch.clamp(torch.sigmoid(logits), 1e-4, 1 - 1e-4)
    positive = heatmap.eq(1).float()
    negative = (1 - heatmap) ** 4 * (1 - positive)
    return -(torch.log(p) * (1 - p) ** 2 * positive + torch.log(1 - p) * p**2 * negative)


def _race(contestants: Contestants, repeats: int) -> dict[str, tuple[float, float]]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for function in contestants.values():
        function()
    for _ in range(repeats):
        for name, function in contestants.items():
            start = time.perf_counter()
            function()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: (statistics.median(values), min(values)) for name, values in times.items()}


if __name__ == "__main__":
    main()
