"""Rows for matrices of overlaps."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase
from torch import Tensor

from bev3d_ops._overlap_kinds import INTERSECTION_BEV, IOU_3D, IOU_BEV
from bev3d_ops.cuda import _overlap as cuda
from bev3d_ops.reference import _overlap as reference
from bev3d_ops.registered._overlap_pairwise import batched_pairwise_overlap, pairwise_overlap

NAN, INF = float("nan"), float("inf")


def _boxes(rng: torch.Generator, count: int) -> Tensor:
    boxes = torch.randn(count, 7, generator=rng) * 2
    boxes[:, 3:6] = boxes[:, 3:6].abs() + 0.2
    # what is no box, what has no extent, and what is all over the place
    boxes[2, 4], boxes[3, 0], boxes[4, 6], boxes[5, 3], boxes[6, 4] = NAN, INF, -INF, 0.0, -1.0
    boxes[7, 6] += 5000
    return boxes


def _two_sets(rng: torch.Generator, dtype: torch.dtype, *, kind: int) -> tuple[Any, ...]:
    a, b = _boxes(rng, 37), _boxes(rng, 150)
    a[10:15] = b[20:25]
    # nine columns, of which two are not read, and strides
    b = torch.cat([b, torch.full((150, 4), NAN)], dim=1)
    return a.to(dtype), b.to(dtype)[:, :9], kind


def _one_is_empty(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.empty(0, 7, dtype=dtype), _boxes(rng, 9).to(dtype), IOU_BEV


# samples without boxes of either set, the last one among them, and one that takes several tiles
OFFSETS_A, OFFSETS_B = [0, 8, 8, 30, 33, 37, 37], [0, 9, 15, 15, 17, 150, 150]
TOTAL = 8 * 9 + 3 * 2 + 4 * 133


def _samples(rng: torch.Generator, dtype: torch.dtype, *, kind: int) -> tuple[Any, ...]:
    a, b, _ = _two_sets(rng, dtype, kind=kind)
    return a, b, torch.tensor([OFFSETS_A, OFFSETS_B]), TOTAL, kind


def _no_sample(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    return torch.empty(0, 7, dtype=dtype), torch.empty(0, 9, dtype=dtype), torch.zeros(2, 1).long(), 0, IOU_BEV


def _batched_reference(a: Tensor, b: Tensor, offsets: Tensor, total: int, kind: int) -> Tensor:
    return reference.batched_pairwise_overlap(a, b, offsets, kind).to(a.dtype)


def _reference(a: Tensor, b: Tensor, kind: int) -> Tensor:
    return reference.aligned_overlap(a[:, None], b[None], kind).to(a.dtype)


# the kernels compute halves and float32 in float32; intersections are square metres
TOLERANCES = {
    torch.float64: (1e-12, 1e-12),
    torch.float32: (2e-5, 2e-5),
    torch.float16: (2e-3, 2e-5),
    torch.bfloat16: (1e-2, 2e-5),
}

CASES = [
    *(
        OpCase(
            f"pairwise_overlap {name}",
            pairwise_overlap,
            partial(_two_sets, kind=kind),
            reference=_reference,
            host=cuda.pairwise_overlap,
            dtypes=FLOATS + HALVES,
            tolerances=TOLERANCES,
        )
        for name, kind in (("intersection_bev", INTERSECTION_BEV), ("iou_bev", IOU_BEV), ("iou_3d", IOU_3D))
    ),
    OpCase(
        "pairwise_overlap of none",
        pairwise_overlap,
        _one_is_empty,
        reference=_reference,
        host=cuda.pairwise_overlap,
    ),
    *(
        OpCase(
            f"batched_pairwise_overlap {name}",
            batched_pairwise_overlap,
            partial(_samples, kind=kind),
            reference=_batched_reference,
            host=cuda.batched_pairwise_overlap,
            dtypes=FLOATS + HALVES,
            tolerances=TOLERANCES,
        )
        for name, kind in (("intersection_bev", INTERSECTION_BEV), ("iou_bev", IOU_BEV), ("iou_3d", IOU_3D))
    ),
    OpCase(
        "batched_pairwise_overlap of none",
        batched_pairwise_overlap,
        _no_sample,
        reference=_batched_reference,
        host=cuda.batched_pairwise_overlap,
    ),
]
