"""Heatmap targets: the compiled radius, radii beyond the table, and a batch of many tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bev3d.bench._peers import legacy_heatmap
from bev3d.targets import HeatmapTargets
from bev3d.targets._radius import _radius, radius_rule
from bev3d_ops.cpu import _heatmap as cpu
from bev3d_ops.cpu import _heatmap_kernel as kernel
from bev3d_ops.reference import _heatmap as reference

KINDS: dict[Any, int] = {"cornernet": cpu.CORNERNET, "legacy": cpu.LEGACY, "sqrt_area": cpu.SQRT_AREA}
# 80 columns and 60 rows of 0.4 m
GRID: dict[str, Any] = {"range_m": (-16.0, -12.0, -3.0, 16.0, 12.0, 3.0), "voxel_size_m": (0.2, 0.2, 6.0), "stride": 2}
COLUMNS, ROWS, CELL = 80, 60, 0.4


def _generator(**options: Any) -> HeatmapTargets:
    return HeatmapTargets(tasks=[["car"], ["bus", "truck"], ["pedestrian"]], **GRID, **options)


def _boxes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random boxes and labels, some outside the range, some of no class."""
    rng = np.random.default_rng(seed)
    boxes = np.ones((count, 9))
    boxes[:, :3] = rng.uniform(-1, 1, (count, 3)) * np.array([18, 14, 3.2])
    boxes[:, 3:6] = rng.uniform(0.3, 12, (count, 3))
    return boxes, rng.integers(-1, 4, count)


@pytest.mark.parametrize("kind", ["cornernet", "legacy", "sqrt_area"])
@pytest.mark.parametrize("overlap", [0.1, 0.7, 1e-9])
def test_the_compiled_radius_is_that_of_the_rule(kind: Any, overlap: float) -> None:
    rng = np.random.default_rng(3)
    boxes = np.zeros((20_000, 9))
    boxes[:, 3:6] = np.exp(rng.uniform(-4, 5, (20_000, 3)))
    boxes[::2, 4] = boxes[::2, 3]
    boxes[::3, 3:6] = np.round(boxes[::3, 3:6]) + 1
    rule = cpu.RadiusRule(KINDS[kind], overlap, 0.0, (1.0, 1.0))
    grid = reference.EncodeGrid(GRID["range_m"], (CELL, CELL), COLUMNS, ROWS)
    encoded = cpu.encode_boxes(
        boxes, np.zeros(20_000, np.int64), np.array([0, 20_000]), cpu.encoding([1], grid, 20_000, rule)
    )
    assert encoded is not None
    expected = radius_rule(kind, overlap, 0.0)(boxes[:, 3], boxes[:, 4])
    np.testing.assert_array_equal(encoded[1].radius, expected)
    sizes = boxes[:2000, 3], boxes[:2000, 4]
    compiled = [kernel._radius(length, width, KINDS[kind], overlap) for length, width in zip(*sizes, strict=True)]
    np.testing.assert_array_equal(compiled, _radius(*sizes, kind, overlap))  # to the bit, before it is floored


def test_radii_beyond_the_table_and_sizes_whose_squares_overflow() -> None:
    boxes = np.ones((4, 9))
    boxes[:, :2] = [[0, 0], [-15.9, 11.9], [3, 3], [1, 1]]
    boxes[1:3, 3:5] = [[150.0, 90.0], [1e200, 1e200]]
    for rule in ("cornernet", "legacy"):
        heatmap = _generator(radius=rule)([boxes], [np.array([0, 1, 2, 3])]).tasks[1].heatmap[0]
        assert (heatmap[1] > 0.999).all()
        size = (150.0 / CELL, 90.0 / CELL)
        radius = torch.from_numpy(radius_rule(rule, 0.1, 2)(*(np.array([value]) for value in size)))  # type: ignore[arg-type]
        assert int(radius) > cpu.WIDEST
        expected = torch.zeros(1, ROWS, COLUMNS)
        reference.draw_gaussians(expected, torch.tensor([[0, 59]]), radius, torch.tensor([0]))
        assert torch.equal(heatmap[0], expected[0])


def test_a_batch_of_many_tasks_is_the_loop_over_samples_and_tasks() -> None:
    pairs = [_boxes(count, seed) for seed, count in enumerate((30, 0, 50))]
    targets = _generator(radius="legacy")([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    for b, (boxes, labels) in enumerate(pairs):
        boxes = boxes[kept := [i for i in range(len(boxes)) if i not in targets.dropped[b]]]
        for task, classes in zip(targets.tasks, ([0], [1, 2], [3]), strict=True):
            mine = np.isin(labels[kept], classes)
            map_ = (len(classes), (-16.0, -12.0), CELL, (ROWS, COLUMNS))
            expected = legacy_heatmap(boxes[mine], labels[kept][mine] - classes[0], *map_)
            np.testing.assert_array_equal(task.heatmap[b].numpy(), expected)
