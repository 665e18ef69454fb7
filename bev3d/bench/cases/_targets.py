"""Heatmap targets, beside the loop over objects."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from bev3d.bench._case import Case, Cases, Contestant, Limit, greatest_error, ours, peer
from bev3d.bench._peers import legacy_heatmap
from bev3d.bench.usual._published_targets import collated, numpy_key_frame, torch_key_frame
from bev3d.bench.usual._target_loop import key_frame_loop, target_loop
from bev3d.targets import HeatmapTargets

__all__ = ["CASES", "heatmap_contestants"]

CELL_M = 0.4


def heatmap_contestants(n: int, side: int) -> dict[str, Contestant]:
    """Contestants that make the targets of n objects on 10 maps."""
    half = side * CELL_M / 2
    boxes, labels = _objects(n, half, 0)
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


def _objects(n: int, half: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 9) in a square of twice ``half`` metres, and their classes."""
    rng = np.random.default_rng(seed)
    boxes = np.zeros((n, 9))
    boxes[:, :2] = rng.uniform(-half, half, (n, 2))
    boxes[:, 3:6], boxes[:, 6] = rng.uniform(0.5, (11, 3, 3), (n, 3)), rng.uniform(-3, 3, n)
    return boxes, rng.integers(0, 10, n)


def _targets(side: int, small: bool) -> Case:
    n, side = (20, 32) if small else (500, side)
    contestants = heatmap_contestants(n, side)
    truth = contestants["loop over objects, heatmap only"].run()
    limits = (
        Limit("bev3d, heatmap and regression", "times faster", 20, than="loop over objects, both"),
        Limit("bev3d, heatmap and regression", "error", 0),
    )
    return Case(f"Heatmap targets, {n} objects, 10 x {side} x {side}", n, "object", contestants, limits, truth)


# the tasks of CenterPoint on nuScenes: classes of each
_TASKS = (1, 2, 2, 1, 2, 2)


def _key_frames(samples: int, small: bool) -> Case:
    """Frames of 40 boxes, 512 x 512 cells over 4."""
    side, cell, each, slots = (16, 0.8, 5, 20) if small else (128, 0.8, 40, 500)
    names = [str(c) for c in range(sum(_TASKS))]
    ends = np.cumsum([0, *_TASKS])
    half = side * cell / 2
    generator = HeatmapTargets(
        tasks=[names[i:j] for i, j in pairwise(ends)],
        range_m=(-half, -half, -5.0, half, half, 3.0),
        voxel_size_m=(cell / 4, cell / 4, 8.0),
        stride=4,
        radius="legacy",
        max_objects=slots,
    )
    frames = [_objects(each, half, seed) for seed in range(samples)]
    boxes, labels = [frame[0] for frame in frames], [frame[1] for frame in frames]

    where: dict[str, Any] = {
        "tasks": _TASKS, "low": (-half, -half), "cell": cell, "side": side, "slots": slots,
    }  # fmt: skip
    tensors = [(torch.from_numpy(b).float(), torch.from_numpy(c)) for b, c in frames]

    def loop() -> list[Any]:
        return [key_frame_loop(*frame, **where) for frame in frames]

    contestants = {
        "bev3d": ours(
            lambda: generator(boxes, labels), read=lambda made: [task.heatmap[0].numpy() for task in made.tasks]
        ),
        "loop over tasks and objects": peer(loop, read=lambda made: [task["heatmap"].numpy() for task in made[0]]),
        "loop as CenterPoint has it, NumPy": peer(
            lambda: [numpy_key_frame(*frame, **where) for frame in frames],
            read=lambda made: [task["heatmap"] for task in made[0]],
        ),
        "the same, and its tensors": peer(
            lambda: collated([numpy_key_frame(*frame, **where) for frame in frames]),
            read=lambda made: [task["heatmap"][0].numpy() for task in made],
        ),
        "loop as mmdet3d has it, torch": peer(
            lambda: [torch_key_frame(*frame, **where) for frame in tensors],
            read=lambda made: [task["heatmap"].numpy() for task in made[0]],
        ),
    }
    limits = (
        Limit("bev3d", "ms", float(samples)),
        # the loop that is in use; the lean one is ours, and in the table for what it says of us
        Limit("bev3d", "times faster", 20, than="the same, and its tensors"),
        Limit("bev3d", "error", 0),
    )
    truth = [task["heatmap"].numpy() for task in loop()[0]]
    frame_words = "A key frame" if samples == 1 else f"{samples} key frames in one call"
    name = f"{frame_words} of {each} objects: 6 tasks, 10 x {side} x {side}"
    return Case(name, samples, "frame", contestants, limits, truth, _greatest_of_all)


def _greatest_of_all(answer: list[np.ndarray], truth: list[np.ndarray]) -> float:
    return max(greatest_error(*pair) for pair in zip(answer, truth, strict=True))


CASES: Cases = {
    **{f"heatmap-{side}": partial(_targets, side) for side in (128, 256, 512)},
    "heatmap-key-frame": partial(_key_frames, 1),
    "heatmap-key-frames": partial(_key_frames, 8),
}
