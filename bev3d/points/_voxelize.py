"""From points to voxels: as many points as there are, or a bounded number of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bev3d.points._check import Array, as_index, as_tensors, check_count, check_points, give_back
from bev3d_ops._voxel_grid import voxel_grid
from bev3d_ops.registered import _voxels as ops

__all__ = ["DynamicVoxels", "Voxels", "dynamic_voxelize", "grid_shape", "voxelize"]


class DynamicVoxels(NamedTuple):
    """Voxels with all of their points, int64.

    Attributes:
        coordinates: (V, 3) z, y, x of the cells that hold a point, or (V, 4) sample, z, y, x; sorted.
        point_to_voxel: (P,) index of the voxel of each point, -1 for a point outside.
        offsets: (V + 1,); ``order[offsets[v]:offsets[v + 1]]`` are the points of voxel v.
        order: (n,) indices of the points inside, by voxel, and within a voxel in the order of the input.
        num_voxels: () V; smaller than ``len(coordinates)`` only where ``fixed_size`` was asked for.
    """

    coordinates: Array
    point_to_voxel: Array
    offsets: Array
    order: Array
    num_voxels: Array


class Voxels(NamedTuple):
    """Voxels with a bounded number of points.

    Attributes:
        voxels: (V, max_points_per_voxel, C), all columns of the points of each voxel, in the order of the input,
            then 0. The dtype and the gradient of the points.
        coordinates: (V, 3) int64 z, y, x, or (V, 4) sample, z, y, x; sorted. -1 where a row is empty.
        num_points: (V,) int64, the points in each voxel, those that were dropped not counted.
        point_to_voxel: (P,) int64, the row of the voxel that holds the point, -1 for points outside or dropped.
        num_voxels: () int64, the voxels kept; smaller than V only where ``fixed_size`` was asked for.
        dropped_points: () int64, points inside the range that no voxel took, for either cap.
        dropped_voxels: () int64, voxels beyond ``max_voxels``.
    """

    voxels: Array
    coordinates: Array
    num_points: Array
    point_to_voxel: Array
    num_voxels: Array
    dropped_points: Array
    dropped_voxels: Array


def grid_shape(range_m: Sequence[float], voxel_size_m: Sequence[float]) -> tuple[int, int, int]:
    """Cells (D, H, W) along z, y and x.

    Args:
        range_m: x0, y0, z0, x1, y1, z1 in metres.
        voxel_size_m: along x, y and z in metres.

    Raises:
        ValueError: a range that is empty, not finite, or not a whole number of voxels (to a thousandth of one); a size
            that is not positive; or more cells than 62 bits number.
        TypeError: not numbers.
    """
    width, height, depth = voxel_grid(_numbers("range_m", range_m), _numbers("voxel_size_m", voxel_size_m))
    return depth, height, width


def dynamic_voxelize(
    points: Array,
    *,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    batch_index: Array | None = None,
    fixed_size: bool = False,
) -> DynamicVoxels:
    """Sort points into voxels; none is dropped.

    A point is inside where ``low <= p < high`` along x, y and z, compared in float64: a point on the upper bound is
    outside, and so is one with a NaN or an infinity. Its cell is ``floor((p - low) / size)`` in float64, at most the
    last one: rounding never yields a cell that the grid does not have.

    Args:
        points: (P, >= 3), x, y, z in metres; further columns are not read.
        range_m: x0, y0, z0, x1, y1, z1 in metres, a whole number of voxels.
        voxel_size_m: along x, y and z in metres.
        batch_index: (P,) integers, the sample of each point; a point of a negative one is as one outside.
        fixed_size: results whose shapes follow from P alone, for CUDA graphs and compilers: P voxels, of which those
            from ``num_voxels`` on have coordinates -1 and no points, and P entries in ``order``, the last of them -1.
            Without it a GPU is waited for once, for the number of voxels.

    Raises:
        ValueError: wrong shapes, different devices, or as :func:`grid_shape`.
        TypeError: wrong dtypes, or arrays and tensors mixed.
    """
    tensors, limits = _prepare(points, range_m, voxel_size_m, batch_index)
    if fixed_size:
        *results, counts = ops.dynamic_voxelize_fixed(*tensors, *limits)
        return DynamicVoxels(*(give_back(result, points) for result in (*results, counts[0])))
    results = ops.dynamic_voxelize(*tensors, *limits)
    found = results[1].new_full((), results[0].shape[0])
    return DynamicVoxels(*(give_back(result, points) for result in (*results, found)))


def voxelize(
    points: Array,
    *,
    range_m: Sequence[float],
    voxel_size_m: Sequence[float],
    max_points_per_voxel: int,
    max_voxels: int,
    batch_index: Array | None = None,
    batch_size: int | None = None,
    fixed_size: bool = False,
) -> Voxels:
    """Sort points into voxels of at most ``max_points_per_voxel`` points, at most ``max_voxels`` of them a sample.

    The caps keep what comes first: of a voxel its first points in the order of the input, and of a sample the voxels
    whose first points come first. The voxels kept are then sorted by coordinates, so that without caps that bind they
    are those of :func:`dynamic_voxelize`. What the caps leave out is counted. Points that are sorted in some way
    should be shuffled first where the caps may bind. The border is that of :func:`dynamic_voxelize`.

    Differentiable in the points: a gradient reaches each point from its slot, 0 where it has none.

    Args:
        points: (P, C >= 3), x, y, z in metres, then whatever else.
        range_m: x0, y0, z0, x1, y1, z1 in metres, a whole number of voxels.
        voxel_size_m: along x, y and z in metres.
        max_points_per_voxel: >= 1.
        max_voxels: of a sample, >= 1.
        batch_index: (P,) integers, the sample of each point; a point of a negative one is as one outside.
        batch_size: number of samples; needed for ``fixed_size`` with ``batch_index``; points of samples beyond it are
            then as outside.
        fixed_size: ``batch_size * max_voxels`` rows, of which those from ``num_voxels`` on are empty, for CUDA graphs
            and compilers. Without it a GPU is waited for once, for the number of voxels.

    Raises:
        ValueError: wrong shapes or numbers, different devices, or as :func:`grid_shape`.
        TypeError: wrong dtypes, or arrays and tensors mixed.
    """
    check_count("max_points_per_voxel", max_points_per_voxel, 1)
    check_count("max_voxels", max_voxels, 1)
    tensors, limits = _prepare(points, range_m, voxel_size_m, batch_index)
    caps = (max_points_per_voxel, max_voxels)
    if fixed_size or tensors[0].is_cuda:
        if fixed_size:
            slots, *rest = ops.hard_voxels_fixed(*tensors, *limits, *caps, _samples(batch_index, batch_size))
        else:
            slots, *rest = ops.hard_voxels(*tensors, *limits, *caps)
        filled = (ops.group_points(tensors[0], slots), *rest)
    else:  # one walk over the points, which a GPU cannot make
        voxels, coordinates, numbers, _, *rest = ops.hard_voxels_filled(*tensors, *limits, *caps)
        filled = (voxels, coordinates, numbers, *rest)
    voxels, coordinates, numbers, point_to_voxel, dropped = filled
    kept = (numbers > 0).sum()
    given = (voxels, coordinates, numbers, point_to_voxel, kept, dropped[0], dropped[1])
    return Voxels(*(give_back(result, points) for result in given))


def _prepare(
    points: Array, range_m: Sequence[float], voxel_size_m: Sequence[float], batch_index: Array | None
) -> tuple[list[Any], tuple[list[float], list[float]]]:
    check_points("points", points)
    limits = _numbers("range_m", range_m), _numbers("voxel_size_m", voxel_size_m)
    voxel_grid(*limits)
    samples = as_index("batch_index", batch_index, points.shape[0])
    return as_tensors("points", points, batch_index=samples), limits


def _samples(batch_index: Array | None, batch_size: int | None) -> int:
    if batch_index is None:
        return 1
    if batch_size is None:
        raise ValueError("batch_size: expected the number of samples with fixed_size and batch_index, got None")
    check_count("batch_size", batch_size, 1)
    return batch_size


def _numbers(name: str, values: Sequence[float]) -> list[float]:
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected numbers, got {values!r}") from error
