"""Matrices of overlaps of a whole batch in one call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bev3d.overlap._pairwise import check_sets
from bev3d_ops import _dispatch as ops
from bev3d_ops._arrays import Array

__all__ = ["BatchedOverlap", "batched_pairwise_intersection_bev", "batched_pairwise_iou_3d", "batched_pairwise_iou_bev"]

Offsets = Sequence[int] | NDArray[np.integer] | Tensor


class BatchedOverlap(NamedTuple):
    """The matrices of B samples, one behind the other.

    Attributes:
        values: (T,), T the sum of N_s * M_s: overlap of box i of ``a`` and box j of ``b`` of sample s, counted within
            the sample, at ``offsets[s] + i * M_s + j``.
        offsets: B + 1 integers from 0 to T, where each matrix begins.
        shapes: (N_s, M_s) of each sample.
    """

    values: Array
    offsets: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...]

    def matrices(self) -> list[Array]:
        """(N_s, M_s) of each sample: views, not copies."""
        parts = zip(pairwise(self.offsets), self.shapes, strict=True)
        return [self.values[start:end].reshape(shape) for (start, end), shape in parts]


def batched_pairwise_iou_bev(a: Array, b: Array, offsets_a: Offsets, offsets_b: Offsets) -> BatchedOverlap:
    """:func:`pairwise_iou_bev` of each sample's boxes, such as its predictions and targets, all in one launch.

    Boxes of different samples do not meet, and no sample is padded. Values, types and promises are those of
    :func:`pairwise_iou_bev`; there is no gradient.

    Args:
        a: (N, 7 or 9), the boxes of all samples behind one another.
        b: (M, 7 or 9), the same kind of array on the same device.
        offsets_a: B + 1 integers that do not fall, from 0 to N: sample s has the boxes ``offsets_a[s]`` to
            ``offsets_a[s + 1]`` of ``a``. Numbers that the host knows: the size of the result depends on them. A tensor
            on a GPU is waited for.
        offsets_b: B + 1 integers, the same of ``b``.

    Raises:
        ValueError: wrong shapes, different devices, offsets that are not such.
        TypeError: boxes that are not floating point or of two kinds, offsets that are not integers.
    """
    return _batched(a, b, offsets_a, offsets_b, ops.IOU_BEV)


def batched_pairwise_iou_3d(a: Array, b: Array, offsets_a: Offsets, offsets_b: Offsets) -> BatchedOverlap:
    """IoU of the volumes; arguments and promises as :func:`batched_pairwise_iou_bev`."""
    return _batched(a, b, offsets_a, offsets_b, ops.IOU_3D)


def batched_pairwise_intersection_bev(a: Array, b: Array, offsets_a: Offsets, offsets_b: Offsets) -> BatchedOverlap:
    """Areas of intersection, square metres; arguments and promises as :func:`batched_pairwise_iou_bev`."""
    return _batched(a, b, offsets_a, offsets_b, ops.INTERSECTION_BEV)


def _batched(a: Array, b: Array, offsets_a: Offsets, offsets_b: Offsets, kind: int) -> BatchedOverlap:
    check_sets(a, b)
    table_a, table_b = _offsets("offsets_a", offsets_a, "a", len(a)), _offsets("offsets_b", offsets_b, "b", len(b))
    if len(table_a) != len(table_b):
        raise ValueError(f"offsets_b: expected {len(table_a)} offsets, as offsets_a, got {len(table_b)}")
    table = np.stack([table_a, table_b])
    sizes = np.diff(table)
    starts = tuple(np.cumsum([0, *(sizes[0] * sizes[1])]).tolist())
    values = ops.batched_pairwise_overlap(a, b, table, starts[-1], kind)
    return BatchedOverlap(values, starts, tuple(zip(*sizes.tolist(), strict=True)))


def _offsets(name: str, value: Offsets, boxes_name: str, count: int) -> NDArray[np.int64]:
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name}: expected shape (B + 1,), got {array.shape}")
    if array[0] != 0 or array[-1] != count or (array[1:] < array[:-1]).any():
        raise ValueError(f"{name}: expected integers that rise from 0 to {count} boxes of {boxes_name}, got {array}")
    return array.astype(np.int64)
