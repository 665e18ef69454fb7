"""Sums, means and maxima of rows by segment, such as of the points of each voxel."""

from __future__ import annotations

from typing import Any

import torch

from bev3d.points._check import Array, as_index, as_tensors, check_count, check_points, give_back
from bev3d_ops.registered import _scatter as ops

__all__ = ["scatter_max", "scatter_mean", "scatter_sum"]


def scatter_sum(features: Array, index: Array, count: int) -> Array:
    """Sums of rows by segment: ``out[v] = sum of features[i] over the i with index[i] == v``.

    A segment's rows are added in the order of the input, so that the result is the same in every run, whatever the
    number of threads, on a GPU too (which sorts the index and uses no atomics). float16 and bfloat16 add up in
    float32. Differentiable in the features, once.

    Args:
        features: (P, C) float.
        index: (P,) integers, such as ``point_to_voxel`` of :func:`bev3d.points.dynamic_voxelize`; a negative one leaves
            its row out. On the CPU one that is not below ``count`` raises; on a GPU, where looking would mean waiting,
            it leaves its row out too.
        count: number V of segments.

    Returns:
        (V, C) in the dtype of the features, 0 where a segment is empty.

    Raises:
        ValueError: wrong shapes, different devices, a negative count, an index that is not below ``count``.
        TypeError: wrong dtypes, or arrays and tensors mixed.
    """
    features, index, given = _prepare(features, index, count)
    return give_back(ops.scatter_sum(features, index, count)[0], given)


def scatter_mean(features: Array, index: Array, count: int) -> Array:
    """Means of rows by segment, 0 where a segment is empty; all else as :func:`scatter_sum`."""
    features, index, given = _prepare(features, index, count)
    narrow = features.dtype in (torch.float16, torch.bfloat16)
    sums, numbers = ops.scatter_sum(features.float() if narrow else features, index, count)
    return give_back(ops.divide_rows(sums, numbers).to(features.dtype), given)


def scatter_max(features: Array, index: Array, count: int) -> Array:
    """Maxima of rows by segment, 0 where a segment is empty.

    The gradient goes to the row that has the maximum, of several to the first one. A NaN counts as the greatest of
    all, the first one again. Arguments, errors and all else as :func:`scatter_sum`; fewer than 2^31 rows.
    """
    features, index, given = _prepare(features, index, count)
    return give_back(ops.scatter_max(features, index, count)[0], given)


def _prepare(features: Array, index: Array, count: int) -> tuple[Any, Any, Array]:
    check_points("features", features, 0)
    check_count("count", count, 0)
    if index is None:
        raise TypeError("index: expected a NumPy array or a torch tensor, got NoneType")
    index = as_index("index", index, features.shape[0])
    tensors = as_tensors("features", features, index=index)
    return tensors[0], tensors[1], features
