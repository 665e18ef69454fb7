"""``bev3d::nms_mask``, ``bev3d::nms_kept`` and ``bev3d::nms_owner``: results whose shape the arguments' shapes say."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops.cpu import _nms as cpu
from bev3d_ops.cuda import _nms as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.reference._nms import BEV, CIRCLE, DIOU
from bev3d_ops.registered._library import register

__all__ = ["BEV", "CIRCLE", "DIOU", "nms_kept", "nms_mask", "nms_owner"]

_ARGUMENTS = "Tensor boxes, Tensor scores, Tensor? groups, float threshold, int kind"


def _ranks(
    boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int, *, owners: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes that take part, by rank, and the rank of the box that stands for each."""
    (box_array,), (score_array,) = kernel_arrays(boxes), kernel_arrays(scores)
    order = np.argsort(-score_array, kind="stable")  # NaN last
    order = order[: len(order) - np.count_nonzero(np.isnan(score_array))]
    by_rank = None if groups is None else groups.numpy()[order]
    return order, cpu.nms_ranked(box_array, order, by_rank, threshold, kind, owners=owners)


def _kept_cpu(
    boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int
) -> tuple[Tensor, Tensor]:
    order, owner = _ranks(boxes, scores, groups, threshold, kind, owners=False)
    chosen = order[owner == np.arange(len(order))]
    kept = np.full(len(boxes), -1, np.int64)
    kept[: len(chosen)] = chosen
    return torch.from_numpy(kept), torch.tensor(len(chosen))


def _mask_cpu(boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int) -> Tensor:
    order, owner = _ranks(boxes, scores, groups, threshold, kind, owners=False)
    keep = np.zeros(len(boxes), bool)
    keep[order] = owner == np.arange(len(order))
    return torch.from_numpy(keep)


def _owner_cpu(boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int) -> Tensor:
    order, owner = _ranks(boxes, scores, groups, threshold, kind, owners=True)
    result = np.full(len(boxes), -1, np.int64)
    result[order] = order[owner]
    return torch.from_numpy(result)


def _kept_fake(
    boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int
) -> tuple[Tensor, Tensor]:
    kept = scores.new_empty(scores.shape, dtype=torch.int64)
    return kept, kept.new_empty(())


def _mask_fake(boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int) -> Tensor:
    return scores.new_empty(scores.shape, dtype=torch.bool)


def _owner_fake(boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int) -> Tensor:
    return scores.new_empty(scores.shape, dtype=torch.int64)


nms_mask = register(
    f"nms_mask({_ARGUMENTS}) -> Tensor", cpu=_mask_cpu, cuda=partial(cuda.nms_mask, cuda_launch), fake=_mask_fake
)
"""Whether each box is kept, (N,) bool; see :func:`bev3d_ops.reference._nms.nms_mask`."""

nms_kept = register(
    f"nms_kept({_ARGUMENTS}) -> (Tensor, Tensor)",
    cpu=_kept_cpu,
    cuda=partial(cuda.nms_kept, cuda_launch),
    fake=_kept_fake,
)
"""Indices kept by descending score, (N,) int64 filled up with -1, and their number, () int64."""

nms_owner = register(
    f"nms_owner({_ARGUMENTS}) -> Tensor", cpu=_owner_cpu, cuda=partial(cuda.nms_owner, cuda_launch), fake=_owner_fake
)
"""Index of the kept box that stands for each, (N,) int64; see :func:`bev3d_ops.reference._nms.nms_owner`."""
