"""``bev3d::nms_mask``, ``bev3d::nms_kept`` and ``bev3d::nms_owner``: results whose shape the arguments' shapes say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

MOST_BOXES = 2**31 - 1  # on the CPU, whose chains of ranks have 32 bits

_ARGUMENTS = "Tensor boxes, Tensor scores, Tensor? groups, float threshold, int kind"


def _check(boxes: Tensor, scores: Tensor, groups: Tensor | None, kind: int) -> None:
    """What the kernels would read beyond the end of; the public functions say it in their own words."""
    if boxes.ndim != 2 or boxes.shape[1] < 7 or not boxes.is_floating_point():
        raise ValueError(f"boxes: expected (N, >= 7) floating point, got {tuple(boxes.shape)} {boxes.dtype}")
    if scores.shape != boxes.shape[:1] or not scores.is_floating_point() or scores.device != boxes.device:
        expected = f"({len(boxes)},) floating point on {boxes.device}"
        raise ValueError(f"scores: expected {expected}, got {tuple(scores.shape)} {scores.dtype} on {scores.device}")
    if groups is not None and (
        groups.shape != scores.shape or groups.dtype is not torch.int64 or groups.device != boxes.device
    ):
        expected = f"({len(boxes)},) torch.int64 on {boxes.device}"
        raise ValueError(f"groups: expected {expected}, got {tuple(groups.shape)} {groups.dtype} on {groups.device}")
    if kind not in (BEV, CIRCLE, DIOU):
        raise ValueError(f"kind: expected one of {BEV}, {CIRCLE}, {DIOU}, got {kind}")


def _on_cuda(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int) -> Any:
        _check(boxes, scores, groups, kind)
        return function(cuda_launch, boxes, scores, groups, threshold, kind)

    return run


def _ranks(
    boxes: Tensor, scores: Tensor, groups: Tensor | None, threshold: float, kind: int, *, owners: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes that take part, by rank, and the rank of the box that stands for each."""
    _check(boxes, scores, groups, kind)
    if len(boxes) > MOST_BOXES:
        raise ValueError(f"boxes: expected at most {MOST_BOXES}, got {len(boxes)}")
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


nms_mask = register(f"nms_mask({_ARGUMENTS}) -> Tensor", cpu=_mask_cpu, cuda=_on_cuda(cuda.nms_mask), fake=_mask_fake)
"""Whether each box is kept, (N,) bool; see :func:`bev3d_ops.reference._nms.nms_mask`."""

nms_kept = register(
    f"nms_kept({_ARGUMENTS}) -> (Tensor, Tensor)",
    cpu=_kept_cpu,
    cuda=_on_cuda(cuda.nms_kept),
    fake=_kept_fake,
)
"""Indices kept by descending score, (N,) int64 filled up with -1, and their number, () int64."""

nms_owner = register(
    f"nms_owner({_ARGUMENTS}) -> Tensor", cpu=_owner_cpu, cuda=_on_cuda(cuda.nms_owner), fake=_owner_fake
)
"""Index of the kept box that stands for each, (N,) int64; see :func:`bev3d_ops.reference._nms.nms_owner`."""
