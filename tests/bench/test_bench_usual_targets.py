"""The published loops, restated, make the targets of the generator: a race against something else shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from bev3d.bench.usual._published_targets import collated, numpy_key_frame, torch_key_frame
from bev3d.bench.usual._target_loop import key_frame_loop
from bev3d.targets import HeatmapTargets

TASKS, CELL_M, SIDE, SLOTS = (1, 2, 2), 0.8, 48, 30
HALF_M = SIDE * CELL_M / 2
WHERE = (TASKS, (-HALF_M, -HALF_M), CELL_M, SIDE, SLOTS)


def _frame() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    boxes = rng.normal(size=(40, 9))
    boxes[:, :2] = rng.uniform(-HALF_M, HALF_M, (40, 2))
    boxes[:, 3:6], boxes[:, 6] = rng.uniform(0.5, (11, 3, 3), (40, 3)), rng.uniform(-3, 3, 40)
    return boxes.astype(np.float32).astype(np.float64), rng.integers(0, sum(TASKS), 40)


def _torch(boxes: np.ndarray, labels: np.ndarray, *where: Any) -> list[dict[str, torch.Tensor]]:
    return torch_key_frame(torch.from_numpy(boxes).float(), torch.from_numpy(labels), *where)


@pytest.mark.parametrize("loop", [key_frame_loop, numpy_key_frame, _torch])
def test_a_loop_makes_the_generators_targets(loop: Callable[..., list[dict[str, Any]]]) -> None:
    boxes, labels = _frame()
    names = [str(c) for c in range(sum(TASKS))]
    ends = np.cumsum([0, *TASKS])
    generator = HeatmapTargets(
        tasks=[names[i:j] for i, j in pairwise(ends)],
        range_m=(-HALF_M, -HALF_M, -10.0, HALF_M, HALF_M, 10.0),
        voxel_size_m=(CELL_M / 4, CELL_M / 4, 20.0),
        stride=4,
        radius="legacy",
        max_objects=SLOTS,
    )
    made = generator([boxes], [labels])
    kept = (boxes[:, 3:5] > 0).all(axis=1) & (np.abs(boxes[:, :2]) < HALF_M).all(axis=1)
    assert kept.all()
    for ours, theirs, (first, last) in zip(made.tasks, loop(boxes.copy(), labels, *WHERE), pairwise(ends), strict=True):
        assert np.array_equal(np.asarray(theirs["heatmap"]), ours.heatmap[0].numpy())
        count = int(ours.mask.sum())
        assert np.asarray(theirs["mask"]).sum() == count == ((labels >= first) & (labels < last)).sum() > 3
        values = torch.cat(list(ours.regression.values()), dim=2)[0, :count].numpy()
        expected = np.column_stack([ours.cell_index[0, :count].numpy(), values])
        found = np.column_stack([np.asarray(theirs["cell_index"]), np.asarray(theirs["regression"])])[:count]
        # the published loops sort a task's boxes by class
        order, other = np.lexsort(expected[:, [3, 0]].T), np.lexsort(found[:, [3, 0]].T)
        np.testing.assert_allclose(found[other], expected[order], rtol=1e-5, atol=2e-5)


def test_collated_are_the_samples_one_behind_the_other() -> None:
    boxes, labels = _frame()
    frames = [numpy_key_frame(boxes.copy(), labels, *WHERE), numpy_key_frame(boxes[:9].copy(), labels[:9], *WHERE)]
    made = collated(frames)
    assert len(made) == len(TASKS)
    for t, task in enumerate(made):
        for name, value in task.items():
            assert value.shape[0] == 2
            for sample, frame in zip(value, frames, strict=True):
                assert np.array_equal(sample.numpy(), frame[t][name])
