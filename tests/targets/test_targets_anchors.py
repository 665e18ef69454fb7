"""Anchors against a plain loop."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from bev3d.targets import AnchorClass, OutputGrid, generate_anchors

# the usual three classes of KITTI
CAR = AnchorClass(((3.9, 1.6, 1.56),), (-1.0,))
PEDESTRIAN = AnchorClass(((0.8, 0.6, 1.73), (1.0, 0.7, 1.8)), (-0.6, -0.2), (0.0, math.pi / 2, 1.0))
GRID = OutputGrid.of((0, -2.4, -3, 4.8, 2.4, 1), (0.4, 0.6, 0.2), 2)


def slow_anchors(align: str) -> tuple[list[list[float]], list[int]]:
    boxes, labels = [], []
    for row in range(4):
        for column in range(6):
            x = 0.8 * (column + 0.5) if align == "cell_centre" else 4.8 * column / 5
            y = -2.4 + 1.2 * (row + 0.5) if align == "cell_centre" else -2.4 + 4.8 * row / 3
            for label, each in enumerate((CAR, PEDESTRIAN)):
                for size in each.sizes_m:
                    for z in each.z_m:
                        for yaw in each.yaws_rad:
                            boxes.append([x, y, z, *size, yaw])
                            labels.append(label)
    return boxes, labels


@pytest.mark.parametrize("align", ["cell_centre", "range_ends"])
def test_anchors_are_those_of_the_loop(align: Any) -> None:
    anchors = generate_anchors(GRID, [CAR, PEDESTRIAN], align=align, dtype=torch.float64)
    boxes, labels = slow_anchors(align)
    assert (anchors.rows, anchors.columns, anchors.per_cell) == (4, 6, 2 + 12)
    torch.testing.assert_close(anchors.boxes, torch.tensor(boxes, dtype=torch.float64), rtol=0, atol=1e-12)
    assert anchors.labels.tolist() == labels
    small = generate_anchors(GRID, [CAR, PEDESTRIAN], align=align)
    assert small.boxes.dtype == torch.float32
    assert torch.equal(small.boxes, anchors.boxes.float())
    assert small.to("cpu").boxes.shape == small.boxes.shape


def test_the_order_is_that_of_a_head() -> None:
    """Row and column of an anchor are those of the cell whose feature predicts it."""
    anchors = generate_anchors(GRID, [CAR, PEDESTRIAN])
    maps = anchors.boxes.view(anchors.rows, anchors.columns, anchors.per_cell, 7)
    column = ((maps[..., 0] - GRID.range_m[0]) / GRID.cell_m[0]).floor()
    row = ((maps[..., 1] - GRID.range_m[1]) / GRID.cell_m[1]).floor()
    assert torch.equal(column, torch.arange(6.0)[None, :, None].expand_as(column))
    assert torch.equal(row, torch.arange(4.0)[:, None, None].expand_as(row))


def test_bad_anchors_are_named() -> None:
    with pytest.raises(ValueError, match="sizes_m: expected length, width, height > 0"):
        AnchorClass(((1.0, 0.0, 1.0),), (0.0,))
    with pytest.raises(ValueError, match="z_m: expected at least one finite number"):
        AnchorClass(((1.0, 1.0, 1.0),), ())
    with pytest.raises(ValueError, match="yaws_rad: expected at least one finite number"):
        AnchorClass(((1.0, 1.0, 1.0),), (0.0,), (math.nan,))
    with pytest.raises(ValueError, match="align: expected one of cell_centre, range_ends"):
        generate_anchors(GRID, [CAR], align="corner")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="classes: expected at least one"):
        generate_anchors(GRID, [])
    with pytest.raises(TypeError, match="dtype: expected a floating-point dtype"):
        generate_anchors(GRID, [CAR], dtype=torch.int64)
