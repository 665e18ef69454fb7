from types import SimpleNamespace

import numpy as np
import pytest
import torch
from viz_scenes import BOXES, CELL_M, RANGE_M, street, targets_of

from bev3d.viz import heatmap_layer


def test_offsets_of_targets_lead_from_the_cells_corner_to_the_boxes_centre() -> None:
    layer = heatmap_layer(targets=targets_of(street()), range_m=RANGE_M)
    assert layer is not None
    assert layer.values.shape == (3, 100, 120)
    np.testing.assert_allclose(layer.centres, BOXES[:3, :2], atol=1e-5)
    np.testing.assert_array_equal(layer.cells, np.floor((BOXES[:3, :2] - RANGE_M[:2]) / CELL_M))
    step = layer.centres - layer.corners
    assert (step >= 0).all()
    assert (step < CELL_M).all()
    np.testing.assert_array_equal(layer.strongest[layer.cells[:, 1], layer.cells[:, 0]], 1)


def test_one_task_and_one_sample_of_a_batch() -> None:
    one = targets_of(street())
    layer = heatmap_layer(targets=one, range_m=RANGE_M, task=1)
    assert layer is not None
    assert len(layer.values) == 2
    np.testing.assert_allclose(layer.centres, BOXES[1:3, :2], atol=1e-5)
    task = one.tasks[0]
    twice = SimpleNamespace(
        heatmap=torch.cat([torch.zeros_like(task.heatmap), task.heatmap]),
        cell_index=task.cell_index.repeat(2, 1),
        mask=torch.cat([torch.zeros_like(task.mask), task.mask]),
        regression={"offset": task.regression["offset"].repeat(2, 1, 1)},
    )
    batch = SimpleNamespace(tasks=(twice,))
    assert len(heatmap_layer(targets=batch, range_m=RANGE_M, batch_index=0).cells) == 0  # type: ignore[union-attr]
    assert len(heatmap_layer(targets=batch, range_m=RANGE_M, batch_index=1).cells) == 1  # type: ignore[union-attr]


def test_predicted_peaks_are_those_that_no_neighbour_beats() -> None:
    values = np.random.default_rng(3).uniform(0, 1, (2, 9, 11)).astype(np.float32)
    layer = heatmap_layer(heatmap=torch.from_numpy(values), range_m=RANGE_M, peak_threshold=0.6)
    expected = set()
    for c in range(2):
        for row in range(9):
            for column in range(11):
                window = values[c, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
                if values[c, row, column] >= max(0.6, window.max()):
                    expected.add((column, row))
    assert layer is not None
    assert {tuple(cell) for cell in layer.cells.tolist()} == expected
    assert np.isnan(layer.centres).all()


def test_predicted_offsets_and_lists_by_task() -> None:
    heatmap = [np.zeros((1, 4, 5)), np.zeros((2, 4, 5))]
    heatmap[1][1, 2, 3] = 0.9
    offset = np.full((2, 4, 5), 0.25)
    layer = heatmap_layer(heatmap=heatmap, offset=offset, range_m=(0, 0, 0, 10, 4, 1))
    assert layer is not None
    assert layer.cell_size == (2.0, 1.0)
    np.testing.assert_allclose(layer.centres, [[6.5, 2.25]])
    assert heatmap_layer(heatmap=layer) is layer
    assert heatmap_layer() is None


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4, 5)])
def test_a_map_of_the_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"heatmap: expected shape \(H, W\) or \(C, H, W\), got"):
        heatmap_layer(heatmap=np.zeros(shape), range_m=RANGE_M)


def test_a_heatmap_needs_its_range_and_offsets_of_its_size() -> None:
    with pytest.raises(ValueError, match="range_m: expected x0, y0, z0, x1, y1, z1"):
        heatmap_layer(heatmap=np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"offset: expected shape \(2, 4, 4\), got \(2, 3, 4\)"):
        heatmap_layer(heatmap=np.zeros((4, 4)), offset=np.zeros((2, 3, 4)), range_m=RANGE_M)
