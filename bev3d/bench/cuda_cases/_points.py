"""Points on a GPU: in boxes, in voxels, added up, moved."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bev3d.bench._case import Case, Limit, ours, peer
from bev3d.bench.cases._inputs import cloud, street
from bev3d.bench.cases._points import MOST_POINTS, MOST_VOXELS, RANGE_M, VOXEL_M, different_owners
from bev3d.bench.cases._scatter import rows_and_groups, scatter_gradients
from bev3d.bench.cuda_cases._inputs import on, usual
from bev3d.bench.usual._cuda import usual_points
from bev3d.bench.usual._eager import eager_voxels_by_key
from bev3d.bench.usual._loops import points_numpy
from bev3d.points import dynamic_voxelize, points_in_boxes, transform_sweeps, voxelize

__all__ = ["CASES"]

SWEEPS = 10


def _in_boxes(device: str, small: bool) -> Case:
    n, m = (2000, 10) if small else (200_000, 100)
    points, boxes = cloud(n), street(m, seed=8).astype("float32")
    tp, tb = on(device, points, boxes)
    contestants = {
        "bev3d": ours(lambda: points_in_boxes(tp, tb)),
        **usual(device, {"usual kernel": peer(lambda: usual_points(tp, tb))}),
        "all tests in eager torch": peer(lambda: _eager(tp, tb)),
    }
    truth, limits = points_numpy(points, boxes), (Limit("bev3d", "error", 0),)
    name = f"Points in boxes, {n:,} x {m}"
    return Case(name, n * m, "test", contestants, limits, truth, different_owners, "points with another box")


def _eager(points: Tensor, boxes: Tensor) -> Tensor:
    """Every point against every box in one matrix."""
    offset = points[:, None, :3] - boxes[None, :, :3]
    c, s = boxes[:, 6].cos(), boxes[:, 6].sin()
    along, across = offset[..., 0] * c + offset[..., 1] * s, offset[..., 1] * c - offset[..., 0] * s
    inside = (along.abs() <= boxes[:, 3] / 2) & (across.abs() <= boxes[:, 4] / 2)
    inside &= offset[..., 2].abs() <= boxes[:, 5] / 2
    return inside.float().argmax(dim=1).where(inside.any(dim=1), -1)


def _voxels(device: str, small: bool) -> Case:
    n = 2000 if small else 300_000
    (points,) = on(device, cloud(n))
    low, size = torch.tensor(RANGE_M[:3], device=device), torch.tensor(VOXEL_M, device=device)
    grid = torch.round((torch.tensor(RANGE_M[3:], device=device) - low) / size).long()
    given: dict[str, Any] = {"range_m": RANGE_M, "voxel_size_m": VOXEL_M}
    caps: dict[str, Any] = {"max_points_per_voxel": MOST_POINTS, "max_voxels": MOST_VOXELS}
    contestants = {
        "bev3d, hard": ours(lambda: voxelize(points, **given, **caps)),
        "bev3d, hard, fixed size": ours(lambda: voxelize(points, **given, **caps, fixed_size=True)),
        "bev3d, dynamic": ours(lambda: dynamic_voxelize(points, **given)),
        "bev3d, dynamic, fixed size": ours(lambda: dynamic_voxelize(points, **given, fixed_size=True)),
        "dynamic, torch.unique of keys": peer(lambda: eager_voxels_by_key(points, low, size, grid)),
    }
    return Case(f"Voxels of {n:,} points, 0.2 x 0.2 x 0.4 m", n, "point", contestants)


def _scatter(how: str, device: str, small: bool) -> Case:
    n = 500 if small else 300_000
    values, index, groups = rows_and_groups(n, device)
    # values in, result out; gradient of the result in, gradient of the values out
    moved, name = 4 * 32 * 2 * (n + groups), f"Scatter {how} and its gradient, {n:,} x 32 to {groups:,}"
    return Case(name, n, "row", scatter_gradients(values, index, groups, how), moved_bytes=moved)


def _sweeps(device: str, small: bool) -> Case:
    each = 100 if small else 30_000
    (points,) = on(device, cloud(SWEEPS * each)[:, :4].copy())
    matrices = np.tile(np.eye(4), (SWEEPS, 1, 1))
    matrices[:, :2, :2], matrices[:, :3, 3] = [[0.8, -0.6], [0.6, 0.8]], (600, 1600, 1)
    transforms, lags = on(device, matrices, np.arange(SWEEPS) * 0.05, dtype=None)
    offsets = torch.arange(SWEEPS + 1, device=device) * each

    def eager() -> tuple[Tensor, Tensor]:
        which = torch.repeat_interleave(torch.arange(SWEEPS, device=device), each)
        matrix = transforms[which]
        moved = (matrix[:, :3, :3] @ points[:, :3, None].double())[..., 0] + matrix[:, :3, 3]
        columns = [moved.float(), points[:, 3:], lags[which, None].float()]
        return torch.cat(columns, dim=1), ~(points[:, :2].abs() < 1).all(dim=1)

    contestants = {
        "bev3d": ours(lambda: transform_sweeps(points, offsets, transforms, lags, half_width_m=1.0)),
        "eager torch": peer(eager),
    }
    n = SWEEPS * each
    # four numbers in; five and a mask out
    return Case(f"{SWEEPS} sweeps of {each:,} points moved", n, "point", contestants, moved_bytes=37 * n)


CASES = {
    "points": _in_boxes,
    "voxels": _voxels,
    **{f"scatter-{how}": partial(_scatter, how) for how in ("max", "mean")},
    "sweeps": _sweeps,
}
