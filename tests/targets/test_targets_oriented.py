"""Oriented radii and Gaussians, and centres within a cell: by search, against plain loops, as targets, in time."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bev3d.boxes import corners_bev
from bev3d.targets import HeatmapTargets, TaskTargets, decode_heatmap, gaussian_radius
from bev3d.targets._radius import oriented_radii
from bev3d_ops.cpu._heatmap_oriented import splat_ellipses
from bev3d_ops.reference import _heatmap_oriented as reference

GRID: dict[str, Any] = {"range_m": (-16.0, -12.0, -3.0, 16.0, 12.0, 3.0), "voxel_size_m": (0.2, 0.2, 6.0), "stride": 2}
COLUMNS, ROWS, CELL = 80, 60, 0.4
# six tasks of CenterPoint on nuScenes, 512 x 512 cells over 4
NUSCENES: dict[str, Any] = {
    "tasks": [["car"], ["truck", "construction_vehicle"], ["bus", "trailer"], ["barrier"],
              ["motorcycle", "bicycle"], ["pedestrian", "traffic_cone"]],
    "range_m": (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), "voxel_size_m": (0.2, 0.2, 8.0), "stride": 4,
}  # fmt: skip
sizes = st.floats(0.05, 60.0)
overlaps = st.floats(0.05, 0.9)


def _generator(**options: Any) -> HeatmapTargets:
    return HeatmapTargets(**{"tasks": [["car"], ["bus", "truck"], ["pedestrian"]], **GRID, **options})


def _boxes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    boxes = np.ones((count, 9))
    boxes[:, :3] = rng.uniform(-1, 1, (count, 3)) * np.array([18, 14, 3.2])
    boxes[:, 3:6] = rng.uniform(0.3, 12, (count, 3))
    boxes[:, 6] = rng.uniform(-10, 10, count)
    return boxes, rng.integers(-1, 4, count)


def _plain(task: list[int], boxes: np.ndarray, labels: np.ndarray, *, oriented: bool, subcell: bool, least: int) -> Any:
    """Cell by cell, from the words of the docstrings: (classes, ROWS, COLUMNS)."""
    heatmap = np.zeros((len(task), ROWS, COLUMNS), np.float32)
    for box, label in zip(boxes, labels, strict=True):
        x, y = (box[0] + 16) / CELL, (box[1] + 12) / CELL
        column, row = math.floor(x), math.floor(y)
        if label not in task or not (0 <= column < COLUMNS and 0 <= row < ROWS and -3 <= box[2] < 3):
            continue
        radii = [box[k] / CELL * (1 - math.sqrt(0.1)) / 2 for k in (3, 4)]
        if not oriented:
            radii = [float(gaussian_radius(*(torch.tensor([box[k] / CELL]) for k in (3, 4)))[0])] * 2
        along, across = (max(least, math.floor(radius)) for radius in radii)
        yaw = box[6] if oriented else 0.0
        for j in range(ROWS):
            for i in range(COLUMNS):
                dx, dy = (i + 0.5 - x, j + 0.5 - y) if subcell else (i - column, j - row)
                u, v = math.cos(yaw) * dx + math.sin(yaw) * dy, math.cos(yaw) * dy - math.sin(yaw) * dx
                su, sv = (2 * along + 1) / 6, (2 * across + 1) / 6
                value = math.exp(-(u * u) / (2 * su * su) - v * v / (2 * sv * sv))
                if abs(u) > 3 * su + 1e-12 or abs(v) > 3 * sv + 1e-12:
                    value = 0.0
                value = 1.0 if (i, j) == (column, row) else value
                plane = heatmap[task.index(label)]
                plane[j, i] = max(plane[j, i], value)
    return heatmap


@settings(deadline=None)
@given(sizes, sizes, overlaps)
def test_the_share_is_the_largest_that_keeps_the_overlap(length: float, width: float, overlap: float) -> None:
    values = (torch.tensor([value], dtype=torch.float64) for value in (length, width))
    along, across = oriented_radii(*values, min_overlap=overlap)[0].tolist()
    assert along / length == pytest.approx(across / width)
    common, area = (length - along) * (width - across), length * width
    kept = (
        common / (2 * area - common),
        (length - 2 * along) * (width - 2 * across) / area,
        area / ((length + 2 * along) * (width + 2 * across)),
    )
    assert min(kept) == pytest.approx(overlap, rel=1e-9)


@settings(deadline=None)
@given(sizes, overlaps)
def test_of_a_square_it_is_the_corrected_round_radius(side: float, overlap: float) -> None:
    value = torch.tensor([side], dtype=torch.float64)
    both = oriented_radii(value, value, min_overlap=overlap)[0]
    expected = float(gaussian_radius(value, value, min_overlap=overlap)[0])
    assert both.tolist() == pytest.approx([expected] * 2, rel=1e-6)


def test_the_bus_of_the_docstring_shapes_and_bounds() -> None:
    bus = oriented_radii(torch.tensor([11.1 / 0.6, 0.0]), torch.tensor([2.94 / 0.6, 0.0]), min_radius=1)
    assert bus[0].tolist() == pytest.approx([6.325, 1.675], abs=1e-3)
    assert bus[1].tolist() == [1, 1]
    assert oriented_radii(torch.tensor(4), torch.tensor(2)).shape == (2,)
    with pytest.raises(ValueError, match=r"width_cells: expected shape \(2,\), got \(3,\)"):
        oriented_radii(torch.ones(2), torch.ones(3))
    with pytest.raises(ValueError, match=r"min_overlap: expected a number in \(0, 1\), got 1.0"):
        oriented_radii(torch.ones(2), torch.ones(2), min_overlap=1.0)


@pytest.mark.parametrize("subcell", [False, True])
@pytest.mark.parametrize("oriented", [True, False])
@pytest.mark.parametrize("least", [0, 2])
def test_targets_are_the_plain_loop_over_cells(oriented: bool, subcell: bool, least: int) -> None:
    boxes, labels = _boxes(25, 3)
    radius: Any = "oriented" if oriented else "cornernet"
    generator = _generator(radius=radius, subcell_centres=subcell, min_radius=least)
    targets = generator([boxes, boxes[:0], boxes[::-1]], [labels, labels[:0], labels[::-1]])
    for task, classes in zip(targets.tasks, ([0], [1, 2], [3]), strict=True):
        expected = _plain(classes, boxes, labels, oriented=oriented, subcell=subcell, least=least)
        np.testing.assert_allclose(task.heatmap[0].numpy(), expected, atol=1e-6)
        np.testing.assert_array_equal(task.heatmap[2].numpy(), task.heatmap[0].numpy())
        assert not task.heatmap[1].any()
        used = task.mask[0]
        own = task.heatmap[0].flatten(1)[task.class_index[0][used], task.cell_index[0][used]]
        assert (own == 1).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([(1.0, 1.0), (0.5, 2.0), (1.3, 0.7)]))
def test_the_kernel_is_the_reference(seed: int, stretch: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    count = 20
    cells = rng.integers(-2, 22, (count, 2))
    angle = rng.choice([0, np.pi / 2, np.pi / 4, 1.1, -3], count)
    ellipses = reference.Ellipses(
        rng.integers(-1, 4, count),
        cells[:, 0],
        cells[:, 1],
        cells + rng.choice([0.0, -0.5, 0.25, 0.499], (count, 2)),
        rng.choice([-1, 0, 1, 2, 5, 40, 2**31 - 1], (count, 2), p=[0.05, 0.15, 0.2, 0.2, 0.2, 0.1, 0.1]),
        np.stack([np.cos(angle), np.sin(angle)], axis=1),
        stretch,
    )
    start = rng.choice([0, 0.3, 1], (3, 20, 17)).astype(np.float32)
    made, expected = start.copy(), torch.from_numpy(start.copy())
    splat_ellipses(made, ellipses)
    reference.splat_ellipses(expected, ellipses)
    np.testing.assert_allclose(made, expected.numpy(), atol=1e-7)


def test_an_axis_parallel_square_is_drawn_as_the_round_rule_draws_it() -> None:
    boxes, labels = _boxes(60, 5)
    boxes[:, 4], boxes[:, 6] = boxes[:, 3], np.pi / 2 * np.arange(60)
    round_, along = (_generator(radius=kind)([boxes], [labels]) for kind in ("cornernet", "oriented"))
    for a, b in zip(round_.tasks, along.tasks, strict=True):
        np.testing.assert_allclose(a.heatmap.numpy(), b.heatmap.numpy(), atol=1e-6)


def test_it_reaches_along_the_heading_and_not_across() -> None:
    for yaw in (0.0, 0.6, -2.2):
        box = np.array([[0.2, 0.2, 0, 12.0, 2.5, 3.0, yaw]])
        heatmap = _generator(radius="oriented", min_radius=1)([box], [np.array([0])]).tasks[0].heatmap[0, 0]
        rows, columns = torch.nonzero(heatmap > 0.05, as_tuple=True)
        x, y = columns.double() - 40, rows.double() - 30
        along, across = x * math.cos(yaw) + y * math.sin(yaw), y * math.cos(yaw) - x * math.sin(yaw)
        assert along.abs().max() > 7
        assert across.abs().max() < 3
        spread = corners_bev(box)[0] / CELL  # it stays within the footprint, a cell aside
        assert columns.min() - 40 >= spread[:, 0].min() - 1
        assert rows.max() - 30 <= spread[:, 1].max() + 1


def test_cells_that_are_not_square_show_the_heading_as_it_is() -> None:
    grid = {"range_m": (0.0, 0.0, -3.0, 32.0, 32.0, 3.0), "voxel_size_m": (0.4, 0.1, 6.0), "stride": 2}
    box = np.array([[16.01, 16.01, 0.0, 16.0, 2.0, 1.5, np.pi / 4]])
    heatmap = HeatmapTargets(tasks=[["car"]], radius="oriented", min_radius=0, **grid)([box], [np.array([0])])
    rows, columns = torch.nonzero(heatmap.tasks[0].heatmap[0, 0] > 0.1, as_tuple=True)
    x, y = columns.double() * 0.8 - 16, rows.double() * 0.2 - 16
    assert ((x - y).abs() / math.sqrt(2)).max() < 1.0  # metres off the line of the heading
    assert ((x + y).abs() / math.sqrt(2)).max() > 3.0


def test_the_side_of_the_cell_on_which_the_centre_is_shows() -> None:
    box = np.array([[0.39, 0.2, 0, 4.0, 2.0, 1.5, 0.0]])  # near the right edge of column 40
    plane = _generator(subcell_centres=True)([box], [np.array([0])]).tasks[0].heatmap[0, 0]
    assert plane[30, 40] == 1
    assert plane[30, 41] > plane[30, 39] + 0.2
    assert plane[31, 40] == pytest.approx(float(plane[29, 40]))
    assert (plane == 1).sum() == 1


def test_a_callable_with_centres_within_the_cell() -> None:
    boxes, labels = _boxes(40, 8)
    rules = (lambda length, width: gaussian_radius(length, width), "cornernet")
    made = [_generator(radius=rule, subcell_centres=True)([boxes], [labels]) for rule in rules]
    for a, b in zip(made[0].tasks, made[1].tasks, strict=True):
        assert torch.equal(a.heatmap, b.heatmap)


def test_no_boxes_and_sizes_whose_squares_overflow() -> None:
    none = _generator(radius="oriented", subcell_centres=True)([np.zeros((0, 7))], [np.zeros(0, np.int64)])
    assert not none.tasks[0].heatmap.any()
    box = np.array([[0.0, 0, 0, 1e200, 1e200, 1.0, 0.3]])
    assert (_generator(radius="oriented")([box], [np.array([0])]).tasks[0].heatmap > 0.999).all()


def _maps(task: TaskTargets, rows: int, columns: int) -> dict[str, torch.Tensor]:
    maps = {}
    for name, value in task.regression.items():
        flat = torch.zeros(1, value.shape[-1], rows * columns)
        flat[0][:, task.cell_index[0][task.mask[0]]] = value[0][task.mask[0]].T
        maps[name] = flat.view(1, -1, rows, columns)
    return maps


@pytest.mark.parametrize("options", [{"radius": "oriented"}, {"subcell_centres": True}, {"radius": "legacy"}])
def test_decoding_what_was_encoded_returns_the_boxes(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    boxes = np.empty((40, 9))
    boxes[:, 0], boxes[:, 1] = rng.permutation(40) * 2.5 - 50, rng.permutation(40) * 2.5 - 50
    boxes[:, :2] += rng.uniform(0, 0.3, (40, 2))
    boxes[:, 2], boxes[:, 6] = rng.uniform(-4, 2, 40), rng.uniform(-np.pi, np.pi, 40)
    boxes[:, 3:6], boxes[:, 7:] = rng.uniform(0.3, 12, (40, 3)), rng.normal(0, 8, (40, 2))
    targets = HeatmapTargets(**{**NUSCENES, "tasks": [["any"]]}, **options)([boxes], [np.zeros(40, np.int64)])
    geometry = {name: NUSCENES[name] for name in ("range_m", "voxel_size_m", "stride")}
    task = targets.tasks[0]
    ((found, _, _),) = decode_heatmap(
        task.heatmap, _maps(task, 128, 128), **geometry, max_objects=500, score_threshold=1.0
    )
    order, expected = np.argsort(found[:, 0].numpy()), np.argsort(boxes[:, 0])
    error = np.abs(found.numpy()[order].astype(np.float64) - boxes[expected])
    assert len(found) == 40
    assert error.max() <= 1e-5


def _best_ms(call: Any) -> float:
    call()
    times = []
    for _ in range(60):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


@pytest.mark.parametrize("options", [{}, {"radius": "legacy"}, {"radius": "oriented"}, {"subcell_centres": True}])
def test_a_nuscenes_key_frame_in_a_millisecond(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    boxes, labels = np.zeros((40, 9)), rng.integers(0, 10, 40)
    boxes[:, :2], boxes[:, 6] = rng.uniform(-51, 51, (40, 2)), rng.uniform(-3, 3, 40)
    boxes[:, 3:6] = rng.uniform(0.5, (11, 3, 3), (40, 3))
    generator = HeatmapTargets(**NUSCENES, **options)
    torch.set_num_threads(1)
    assert _best_ms(lambda: generator([boxes], [labels])) <= 1.0


@pytest.mark.cuda
@pytest.mark.parametrize("options", [{"radius": "oriented"}, {"subcell_centres": True}])
def test_boxes_on_a_gpu_are_drawn_there(options: dict[str, Any]) -> None:
    boxes, labels = _boxes(60, 5)
    expected = _generator(**options)([boxes], [labels])
    moved = torch.from_numpy(boxes).cuda(), torch.from_numpy(labels).cuda()
    made = _generator(**options)([moved[0]], [moved[1]])
    for one, other in zip(made.tasks, expected.tasks, strict=True):
        assert one.heatmap.is_cuda
        torch.testing.assert_close(one.heatmap.cpu(), other.heatmap, rtol=0, atol=1e-7)
