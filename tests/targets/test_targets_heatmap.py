"""Heatmap targets against the per-object loop, the torch reference, and every rule that the docstring states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bev3d.bench._peers import legacy_heatmap
from bev3d.targets import HeatmapTargets, Targets, draw_gaussians
from bev3d_ops.reference import _heatmap as reference

TASKS = [["car"], ["bus", "truck"], ["pedestrian"]]
# 80 columns and 60 rows of 0.4 m; x and y start below zero
GRID: dict[str, Any] = {"range_m": (-16.0, -12.0, -3.0, 16.0, 12.0, 3.0), "voxel_size_m": (0.2, 0.2, 6.0), "stride": 2}
COLUMNS, ROWS, CELL = 80, 60, 0.4


def _generator(**options: Any) -> HeatmapTargets:
    return HeatmapTargets(**{"tasks": TASKS, **GRID, **options})


def _boxes(count: int, seed: int, reach: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Random boxes and labels, some outside the range by x, y or z, some of no class."""
    rng = np.random.default_rng(seed)
    boxes = np.empty((count, 9))
    boxes[:, :3] = rng.uniform(-1, 1, (count, 3)) * np.array([16, 12, 3]) * reach
    boxes[:, 3:6] = rng.uniform(0.3, 12, (count, 3))
    boxes[:, 6] = rng.uniform(-10, 10, count)
    boxes[:, 7:] = rng.normal(0, 5, (count, 2))
    boxes[rng.random(count) < 0.3, 7:] = np.nan
    return boxes, rng.integers(-1, 4, count)


def _box(x: float, y: float, z: float = 0.0) -> np.ndarray:
    return np.array([[x, y, z, 4.0, 2.0, 1.5, 0.3, 1.0, -2.0]])


def _one(x: float, y: float, z: float = 0.0, label: int = 0, **options: Any) -> Targets:
    return _generator(**options)([_box(x, y, z)], [np.array([label])])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("min_radius", [0, 2])
def test_legacy_is_bit_equal_to_the_loop(dtype: type, min_radius: int) -> None:
    for seed in range(5):
        boxes, labels = _boxes(200, seed)
        boxes[:, 2] = 0
        boxes = boxes.astype(dtype)
        targets = _generator(radius="legacy", min_radius=min_radius)([boxes], [labels])
        for task, classes in zip(targets.tasks, ([0], [1, 2], [3]), strict=True):
            mine = np.isin(labels, classes)
            expected = legacy_heatmap(
                boxes[mine].astype(np.float64),
                labels[mine] - classes[0],
                len(classes),
                (-16.0, -12.0),
                CELL,
                (ROWS, COLUMNS),
                min_radius=min_radius,
            )
            np.testing.assert_array_equal(task.heatmap[0].numpy(), expected)


def test_legacy_lets_width_lie_along_x_where_cells_are_not_square() -> None:
    grid = {"range_m": (0.0, 0.0, -3.0, 32.0, 16.0, 3.0), "voxel_size_m": (0.4, 0.1, 6.0), "stride": 2}
    box = np.array([[16.0, 8.0, 0.0, 9.0, 2.5, 1.5, 0.0]])
    heatmap = HeatmapTargets(tasks=[["car"]], radius="legacy", min_radius=0, **grid)([box], [np.array([0])])
    from bev3d.bench._peers import legacy_radius

    side = 2 * int(legacy_radius(9.0 / 0.2, 2.5 / 0.8, 0.1)) + 1
    assert int((heatmap.tasks[0].heatmap > 0).sum()) == side * side
    assert int(legacy_radius(9.0 / 0.8, 2.5 / 0.2, 0.1)) != side // 2


@pytest.mark.parametrize("max_objects", [7, 500])
def test_slots_are_identical_to_the_torch_reference(max_objects: int) -> None:
    pairs = [_boxes(count, seed) for seed, count in enumerate((150, 0, 1, 80))]
    generator = _generator(max_objects=max_objects)
    targets = generator([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    expected = reference.encode_boxes(
        np.concatenate([pair[0] for pair in pairs]),
        np.concatenate([pair[1] for pair in pairs]),
        np.cumsum([0] + [len(pair[0]) for pair in pairs]),
        np.array([0, 1, 1, 2]),
        np.array([0, 0, 1, 0]),
        reference.EncodeGrid(GRID["range_m"], (CELL, CELL), COLUMNS, ROWS),
        max_objects,
    )
    for t, task in enumerate(targets.tasks):
        for name in ("cell_index", "class_index", "box_index", "mask"):
            np.testing.assert_array_equal(getattr(task, name).numpy(), expected.slots(3, len(pairs))[name][t])
        for name, value in task.regression.items():
            assert value.dtype == torch.float32
            np.testing.assert_array_equal(value.numpy(), expected.slots(3, len(pairs))[name][t])
    reasons = ["", "outside_range", "not_a_class", "over_max_objects"]
    flat = [reasons[code] for code in expected.reason]
    start = 0
    for (boxes, _), dropped in zip(pairs, targets.dropped, strict=True):
        assert dropped == {i: flat[start + i] for i in range(len(boxes)) if flat[start + i]}
        start += len(boxes)


def test_a_batch_equals_its_samples_one_by_one() -> None:
    pairs = [_boxes(count, seed) for seed, count in enumerate((40, 0, 25))]
    generator = _generator()
    batch = generator([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    for b, (boxes, labels) in enumerate(pairs):
        single = generator([boxes], [labels])
        assert batch.dropped[b] == single.dropped[0]
        for together, alone in zip(batch.tasks, single.tasks, strict=True):
            assert torch.equal(together.heatmap[b], alone.heatmap[0])
            assert torch.equal(together.cell_index[b], alone.cell_index[0])
            for name, value in together.regression.items():
                assert torch.equal(value[b].nan_to_num(99), alone.regression[name][0].nan_to_num(99))


def test_every_box_has_one_slot_or_a_reason() -> None:
    boxes, labels = _boxes(300, 1)
    targets = _generator(max_objects=20)([boxes], [labels])
    used = [int(i) for task in targets.tasks for i in task.box_index[0][task.mask[0]]]
    assert sorted([*used, *targets.dropped[0]]) == list(range(300))
    assert set(targets.dropped[0].values()) == {"outside_range", "not_a_class", "over_max_objects"}


def test_shapes_and_free_slots() -> None:
    targets = _generator(max_objects=9)([_box(0, 0), np.zeros((0, 7))], [np.array([2]), np.zeros(0, np.int64)])
    assert [tuple(task.heatmap.shape) for task in targets.tasks] == [(2, c, ROWS, COLUMNS) for c in (1, 2, 1)]
    task = targets.tasks[1]
    assert task.mask.tolist() == [[True] + [False] * 8, [False] * 9]
    assert task.class_index[0, 0] == 1
    assert task.box_index.tolist() == [[0] + [-1] * 8, [-1] * 9]
    free = ~task.mask
    assert task.cell_index[free].count_nonzero() == 0
    sizes = {name: tuple(value.shape) for name, value in task.regression.items()}
    components = {"offset": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2}
    assert sizes == {name: (2, 9, size) for name, size in components.items()}
    assert all(value[free].count_nonzero() == 0 for value in task.regression.values())


def test_values_of_one_box() -> None:
    task = _one(-3.05, 1.3, 0.7).tasks[0]
    row, column = 33, 32  # floor(13.3 / .4), floor(12.95 / .4)
    assert task.cell_index[0, 0] == row * COLUMNS + column
    assert task.heatmap[0, 0, row, column] == 1.0
    values = {name: value[0, 0].tolist() for name, value in task.regression.items()}
    assert values["offset"] == pytest.approx([12.95 / 0.4 - column, 13.3 / 0.4 - row], abs=1e-6)
    assert values["height"] == pytest.approx([0.7])
    assert values["log_size"] == pytest.approx(np.log([4.0, 2.0, 1.5]).tolist(), rel=1e-6)
    assert values["heading"] == pytest.approx([np.sin(0.3), np.cos(0.3)], rel=1e-6)
    assert values["velocity"] == [1.0, -2.0]


@pytest.mark.parametrize(
    ("x", "y", "z", "kept"),
    [
        (-16.0, -12.0, -3.0, True),
        (np.nextafter(-16.0, -17), 0.0, 0.0, False),
        (-16.2, 0.0, 0.0, False),  # truncation would put it into column 0
        (0.0, -12.2, 0.0, False),
        (15.999, 11.999, 2.999, True),
        (16.0, 0.0, 0.0, False),
        (0.0, 12.0, 0.0, False),
        (0.0, 0.0, 3.0, False),
        (0.0, 0.0, -3.001, False),
        (np.nextafter(16.0, 0), 0.0, 0.0, False),  # x - x0 rounds to 32: cell 80, behind the last one
    ],
)
def test_the_range_is_half_open_and_nothing_is_moved_to_the_border(x: float, y: float, z: float, kept: bool) -> None:
    targets = _one(x, y, z)
    assert targets.dropped == (({}) if kept else ({0: "outside_range"}),)
    assert bool(targets.tasks[0].mask.any()) == kept
    assert bool(targets.tasks[0].heatmap.any()) == kept
    assert (targets.tasks[0].regression["offset"] >= 0).all()


def test_negative_coordinates_are_floored() -> None:
    grid = {"range_m": (-16.0, -12.0, -3.0, 16.0, 12.0, 3.0), "voxel_size_m": (1.0, 1.0, 6.0), "stride": 4}
    task = HeatmapTargets(tasks=[["car"]], **grid)([_box(-0.5, -0.5)], [np.array([0])]).tasks[0]
    assert task.cell_index[0, 0] == 2 * 8 + 3
    assert task.regression["offset"][0, 0].tolist() == [0.875, 0.875]


def test_two_boxes_in_one_cell_are_both_regressed() -> None:
    boxes = np.concatenate([_box(0.05, 0.05), _box(0.1, 0.2), _box(0.3, 0.3), _box(5.0, 5.0)])
    targets = _generator()([boxes], [np.array([1, 2, 1, 1])])
    task = targets.tasks[1]
    assert task.mask.sum() == 4
    assert task.cell_index[0, :3].unique().numel() == 1
    assert task.regression["offset"][0, :3].unique(dim=0).shape[0] == 3
    assert (task.heatmap == 1).sum() == 3  # two classes in the shared cell, and the box apart
    assert task.collisions() == [2]
    assert targets.tasks[0].collisions() == [0]


def test_velocity_is_nan_where_unknown() -> None:
    generator = _generator()
    boxes = np.concatenate([_box(0, 0), _box(3, 3)])
    boxes[1, 8] = np.nan
    known = generator([boxes], [np.array([0, 0])]).tasks[0].regression["velocity"][0, :2]
    assert torch.isnan(known).tolist() == [[False, False], [False, True]]
    mixed = generator([boxes, boxes[:, :7]], [np.array([0, 0])] * 2).tasks[0].regression["velocity"]
    assert torch.isnan(mixed[1, :2]).all()
    assert not torch.isnan(mixed[:, 2:]).any()


def test_torch_and_numpy_of_any_precision_give_the_same(device: torch.device) -> None:
    boxes, labels = _boxes(50, 4)
    boxes = boxes.astype(np.float32)
    generator = _generator()
    expected = generator([boxes.astype(np.float64)], [labels])
    inputs = [
        (boxes, labels.astype(np.int32)),
        (torch.from_numpy(boxes).to(device).requires_grad_(), torch.from_numpy(labels).to(device)),
    ]
    for box, label in inputs:
        targets = generator([box], [label])
        assert targets.dropped == expected.dropped
        for task, other in zip(targets.tasks, expected.tasks, strict=True):
            assert task.heatmap.device == (box.device if isinstance(box, torch.Tensor) else torch.device("cpu"))
            assert torch.equal(task.heatmap.cpu(), other.heatmap)
            assert torch.equal(task.regression["log_size"].cpu(), other.regression["log_size"])
    half = generator([torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0]], dtype=torch.bfloat16)], [torch.tensor([0])])
    assert half.tasks[0].mask.sum() == 1


def test_inputs_are_never_modified() -> None:
    boxes, labels = _boxes(50, 5)
    before = boxes.copy(), labels.copy()
    targets = _generator()([boxes], [labels])
    targets.tasks[0].regression["offset"].fill_(7)
    np.testing.assert_array_equal(boxes, before[0])
    np.testing.assert_array_equal(labels, before[1])


def test_no_samples_and_no_boxes() -> None:
    assert _generator()([], []).tasks[1].heatmap.shape == (0, 2, ROWS, COLUMNS)
    empty = _generator()([torch.zeros(0, 9)], [torch.zeros(0, dtype=torch.int64)])
    assert empty.dropped == ({},)
    assert not empty.tasks[0].heatmap.any()
    assert not empty.tasks[0].mask.any()


def test_a_callable_radius_gets_sizes_in_cells() -> None:
    seen = []

    def rule(length: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
        seen.append((length.tolist(), width.tolist()))
        return length / 2 + 0.9

    heatmap = _one(0, 0, radius=rule).tasks[0].heatmap[0, 0]
    assert seen == [([4.0 / CELL], [2.0 / CELL])]
    assert int((heatmap > 0).sum()) == (2 * 5 + 1) ** 2
    center = torch.tensor([[40, 30]]), torch.tensor([5]), torch.tensor([0])
    assert torch.equal(heatmap[None], draw_gaussians(torch.zeros(1, ROWS, COLUMNS), *center))


def test_min_radius_and_overlap_are_used() -> None:
    counts = {
        key: int((_one(0, 0, **options).tasks[0].heatmap > 0).sum())
        for key, options in {
            "small": {"min_radius": 0},
            "floor": {"min_radius": 4},
            "strict": {"min_radius": 0, "min_overlap": 0.7},
        }.items()
    }
    assert counts["strict"] < counts["small"] < counts["floor"] == 81
