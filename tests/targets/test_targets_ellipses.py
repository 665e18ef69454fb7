"""The operation that draws elliptical Gaussians: what it refuses, and numbers that are none."""

from __future__ import annotations

import math

import pytest
import torch
from oracles.host_kernels import host_launch

from bev3d_ops.cuda import _heatmap as cuda
from bev3d_ops.registered._heatmap import splat_ellipses


def test_wrong_shapes_for_the_operation_are_named() -> None:
    plane, cells, shapes = torch.zeros(2).long(), torch.zeros(2, 2).long(), torch.ones(2, 6).double()
    for arguments, match in (
        ((plane, cells, shapes.float(), 1.0, 1.0), "shapes: expected .* float64"),
        ((plane, cells, shapes[:, :5], 1.0, 1.0), r"shapes: expected \(N, 6\)"),
        ((plane[:1], cells, shapes, 1.0, 1.0), r"plane_index: expected \(2,\) int64"),
        ((plane, cells.int(), shapes, 1.0, 1.0), r"cells_xy: expected \(2, 2\) int64"),
        ((plane, cells, shapes, 0.0, 1.0), "stretch_x, stretch_y: expected numbers > 0"),
    ):
        with pytest.raises(ValueError, match=match):
            splat_ellipses(*arguments, 1, 3, 3)


def test_shapes_that_are_no_numbers_draw_at_most_their_own_cell() -> None:
    shapes = torch.tensor([[math.nan, 1, 2, 2, 1, 0], [1, 1, math.nan, 2, 1, 0], [1, 1, 2, 2, math.inf, 0]]).double()
    arguments = (torch.arange(3), torch.ones(3, 2).long(), shapes, 1.0, 1.0, 3, 4, 5)
    for drawn in (splat_ellipses(*arguments), cuda.splat_ellipses(host_launch, *arguments)):
        assert drawn.flatten(1).sum(1).tolist() == [1, 0, 1]
