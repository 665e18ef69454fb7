"""Decoding: encode and decode return the boxes; peaks, order, thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bev3d.targets import HeatmapTargets, TaskTargets, decode_heatmap

GRID: dict[str, Any] = {
    "range_m": (-54.0, -36.0, -5.0, 54.0, 36.0, 3.0),
    "voxel_size_m": (0.15, 0.15, 0.2),
    "stride": 4,
}
COLUMNS, ROWS = 180, 120
OPTIONS: dict[str, Any] = {**GRID, "max_objects": 500, "score_threshold": 0.5}


def _maps(task: TaskTargets) -> dict[str, torch.Tensor]:
    """The regression maps of a network that makes no error."""
    maps = {}
    for name, value in task.regression.items():
        flat = torch.zeros(len(value), value.shape[-1], ROWS * COLUMNS)
        for b, mask in enumerate(task.mask):
            flat[b][:, task.cell_index[b][mask]] = value[b][mask].T
        maps[name] = flat.view(len(value), -1, ROWS, COLUMNS)
    return maps


def _scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """200 boxes, at most one to a cell."""
    rng = np.random.default_rng(seed)
    boxes = np.empty((200, 9))
    boxes[:, :3] = rng.uniform([-54, -36, -5], [54, 36, 3], (200, 3))
    boxes[:, 3:6] = np.exp(rng.uniform(np.log(0.2), np.log(20), (200, 3)))
    boxes[:, 6] = rng.uniform(-np.pi, np.pi, 200)
    boxes[:, 7:] = rng.normal(0, 8, (200, 2))
    boxes[::5, 7:] = np.nan
    cells = np.floor((boxes[:, :2] - [-54, -36]) / 0.6)
    first = np.unique(cells, axis=0, return_index=True)[1]
    return boxes[np.sort(first)], rng.integers(0, 3, len(first))


@pytest.mark.parametrize("seed", range(8))
def test_decoding_what_was_encoded_returns_the_boxes(seed: int) -> None:
    boxes, labels = _scene(seed)
    task = HeatmapTargets(tasks=[["a", "b", "c"]], **GRID)([boxes], [labels]).tasks[0]
    assert task.collisions() == [0]
    ((found, scores, classes),) = decode_heatmap(task.heatmap, _maps(task), **OPTIONS)
    assert found.dtype == torch.float32
    assert (scores == 1).all()
    order = np.lexsort((found[:, 0].numpy(), classes.numpy()))
    expected = np.lexsort((boxes[:, 0], labels))
    assert classes[order].tolist() == labels[expected].tolist()
    error = np.abs(found.numpy()[order].astype(np.float64) - boxes[expected])
    error[:, 6] = np.abs((error[:, 6] + np.pi) % (2 * np.pi) - np.pi)
    assert np.array_equal(np.isnan(error[:, 7:]), np.isnan(boxes[expected][:, 7:]))
    assert np.nanmax(error) <= 1e-5


def test_yaw_is_wrapped_and_velocity_may_be_absent() -> None:
    boxes = np.array([[0.0, 0, 0, 4, 2, 1, yaw] for yaw in (np.pi, 7.0, -9.0)])
    boxes[:, 0] = [0, 10, 20]
    task = HeatmapTargets(tasks=[["a"]], **GRID)([boxes], [np.zeros(3, np.int64)]).tasks[0]
    maps = _maps(task)
    del maps["velocity"]
    ((found, _, _),) = decode_heatmap(task.heatmap, maps, **OPTIONS)
    yaw = found[:, 6].double()
    assert ((yaw >= -np.pi - 1e-6) & (yaw < np.pi + 1e-6)).all()
    assert torch.cos(yaw).numpy() == pytest.approx(np.cos(boxes[:, 6]), abs=1e-6)
    assert torch.isnan(found[:, 7:]).all()
    assert found.shape == (3, 9)


def _zero_maps(batch: int = 1, **dtype: Any) -> dict[str, torch.Tensor]:
    sizes = {"offset": 2, "height": 1, "log_size": 3, "heading": 2}
    return {name: torch.zeros(batch, size, ROWS, COLUMNS, **dtype) for name, size in sizes.items()}


def test_a_yaw_of_half_a_turn_is_at_the_closed_end() -> None:
    heatmap, maps = torch.zeros(1, 1, ROWS, COLUMNS, dtype=torch.float64), _zero_maps(dtype=torch.float64)
    heatmap[0, 0, 3, 4] = 1
    maps["heading"][:, 1] = -1
    assert decode_heatmap(heatmap, maps, **OPTIONS)[0][0][0, 6] == -np.pi


def test_only_local_maxima_best_first_and_at_most_so_many() -> None:
    heatmap = torch.zeros(2, 2, ROWS, COLUMNS)
    heatmap[0, 0, 5, 5], heatmap[0, 0, 5, 6] = 0.9, 0.8  # the second is no peak
    heatmap[0, 1, 5, 6] = 0.7  # another class is
    heatmap[0, 0, 0, 0], heatmap[0, 0, 119, 179] = 0.95, 0.3  # corners
    ((boxes, scores, labels), none) = decode_heatmap(heatmap, _zero_maps(2), **{**OPTIONS, "score_threshold": 0.3})
    assert scores.tolist() == pytest.approx([0.95, 0.9, 0.7, 0.3])
    assert labels.tolist() == [0, 0, 1, 0]
    assert boxes[0, :2].tolist() == pytest.approx([-54.0, -36.0])
    assert boxes[1, :2].tolist() == pytest.approx([-54.0 + 5 * 0.6, -36.0 + 5 * 0.6])
    assert boxes[3, :2].tolist() == pytest.approx([-54.0 + 179 * 0.6, -36.0 + 119 * 0.6])
    assert [part.shape[0] for part in none] == [0, 0, 0]
    assert none[0].shape == (0, 9)
    few = decode_heatmap(heatmap, _zero_maps(2), **{**OPTIONS, "max_objects": 2, "score_threshold": 0.0})
    assert few[0][1].tolist() == pytest.approx([0.95, 0.9])


def test_a_map_of_zeros_has_no_peaks_even_without_a_threshold() -> None:
    options = {**OPTIONS, "score_threshold": 0.0}
    assert len(decode_heatmap(torch.zeros(1, 1, ROWS, COLUMNS), _zero_maps(), **options)[0][0]) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes(dtype: torch.dtype) -> None:
    heatmap = torch.zeros(1, 1, ROWS, COLUMNS, dtype=dtype)
    heatmap[0, 0, 3, 4] = 1
    ((boxes, scores, _),) = decode_heatmap(heatmap, _zero_maps(dtype=dtype), **OPTIONS)
    assert boxes.dtype == scores.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert boxes[0, 0] == pytest.approx(-54 + 4 * 0.6, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"heatmap": torch.zeros(1, 1, 7, 8)}, ValueError, r"expected shape \(B, C, 120, 180\), got \(1, 1, 7, 8\)"),
        ({"heatmap": torch.zeros(1, 1, ROWS, COLUMNS, dtype=torch.int64)}, TypeError, "heatmap: expected a float"),
        ({"max_objects": 0}, ValueError, "max_objects: expected an integer >= 1, got 0"),
        ({"regression": {}}, ValueError, r"missing \['heading', 'height', 'log_size', 'offset'\], unknown \[\]"),
        ({"regression": _zero_maps() | {"speed": torch.zeros(1)}}, ValueError, r"unknown \['speed'\]"),
        ({"regression": _zero_maps() | {"height": torch.zeros(1, 2, ROWS, COLUMNS)}}, ValueError,
         r"regression\['height'\]: expected shape \(1, 1, 120, 180\), got \(1, 2, 120, 180\)"),
    ],
)  # fmt: skip
def test_bad_input(change: dict[str, Any], error: type[Exception], text: str) -> None:
    arguments = {"heatmap": torch.zeros(1, 1, ROWS, COLUMNS), "regression": _zero_maps(), **OPTIONS, **change}
    with pytest.raises(error, match=text):
        decode_heatmap(**arguments)


def test_the_window_decides_what_is_a_peak() -> None:
    """Two neighbouring cells: one peak in a window of 3, two in a window of 1, by class."""
    heatmap = torch.zeros(1, 2, ROWS, COLUMNS)
    heatmap[0, :, 10, 20], heatmap[0, :, 10, 21], heatmap[0, :, 10, 23] = 0.9, 0.8, 0.7
    sizes = {"offset": 2, "height": 1, "log_size": 3, "heading": 2}
    maps = {name: torch.zeros(1, components, ROWS, COLUMNS) for name, components in sizes.items()}
    expected = {(3,): [2, 2], (1,): [3, 3], (1, 3): [3, 2], (5, 1): [1, 3], (3, 7): [2, 1]}
    for window, counts in expected.items():
        ((_, _, labels),) = decode_heatmap(heatmap, maps, **OPTIONS, peak_window=window)
        assert [int((labels == c).sum()) for c in range(2)] == counts, window
    for window in ((2,), (0,), (3, 3, 3), ()):
        with pytest.raises(ValueError, match="peak_window: expected 1 or 2 odd numbers >= 1"):
            decode_heatmap(heatmap, maps, **OPTIONS, peak_window=window)


def quality_maps() -> tuple[torch.Tensor, dict[str, torch.Tensor], dict[str, object]]:
    """Two classes on 4 x 4 cells with peaks of .8 and .6, and a grid of 1 m cells."""
    heatmap = torch.zeros(1, 2, 4, 4)
    heatmap[0, 0, 1, 1], heatmap[0, 1, 2, 3] = 0.8, 0.6
    regression = {name: torch.zeros(1, size, 4, 4) for name, size in
                  {"offset": 2, "height": 1, "log_size": 3, "heading": 2, "velocity": 2}.items()}  # fmt: skip
    grid = {"range_m": (0, 0, 0, 4, 4, 1), "voxel_size_m": (1, 1, 1), "stride": 1, "max_objects": 5}
    return heatmap, regression, grid


def test_quality_rectifies_scores_by_class_after_the_peaks() -> None:
    heatmap, regression, grid = quality_maps()
    heatmap[0, 0, 1, 2] = 0.79  # no peak, however good its quality
    quality = torch.full((1, 1, 4, 4), 0.01)
    quality[0, 0, 1, 2], quality[0, 0, 2, 3] = 1.0, 1.2  # above 1 is 1
    (boxes, scores, labels), = decode_heatmap(
        heatmap, regression, score_threshold=0.0, quality=quality, quality_exponent=(0.5, 0.25), **grid
    )  # fmt: skip
    assert labels.tolist() == [1, 0]
    assert scores.tolist() == pytest.approx([0.6**0.75, (0.8 * 0.01) ** 0.5])
    assert boxes[:, :2].tolist() == [[3, 2], [1, 1]]
    ((_, scores, _),) = decode_heatmap(heatmap, regression, score_threshold=0.1, quality=quality, **grid)
    assert scores.tolist() == pytest.approx([0.6**0.5]), "the threshold is for the rectified score"
    ((_, scores, _),) = decode_heatmap(heatmap, regression, score_threshold=0.61, quality=quality, **grid)
    assert not len(scores), "and for the peak itself, which the quality does not lift over it"
    for exponent, expected in ((0.0, [0.8, 0.6]), (1.0, [1.0, 0.01])):
        ((_, scores, _),) = decode_heatmap(
            heatmap, regression, score_threshold=0.0, quality=quality, quality_exponent=(exponent,), **grid
        )
        assert scores.tolist() == pytest.approx(expected)


def test_impossible_qualities_are_named() -> None:
    heatmap, regression, grid = quality_maps()
    with pytest.raises(ValueError, match=r"quality: expected shape \(1, 1 or 2, 4, 4\), got \(1, 3, 4, 4\)"):
        decode_heatmap(heatmap, regression, score_threshold=0.0, quality=torch.zeros(1, 3, 4, 4), **grid)
    with pytest.raises(ValueError, match="quality_exponent: expected 1 or 2 numbers"):
        decode_heatmap(
            heatmap, regression, score_threshold=0.0, quality=torch.zeros(1, 1, 4, 4), quality_exponent=(2.0,), **grid
        )
