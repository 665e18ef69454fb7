"""Rows for overlaps of pairs, aligned and by index, with and without their gradients beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from oracles.op_case import FLOATS, HALVES, OpCase
from torch import Tensor

from bev3d_ops._overlap_kinds import KINDS
from bev3d_ops.cuda import _overlap as cuda
from bev3d_ops.reference import _overlap as reference
from bev3d_ops.registered import _overlap_aligned as registered
from bev3d_ops.registered import _overlap_backward as backward

NAN, INF = float("nan"), float("inf")
COUNT = 150  # not a multiple of the block of 64


def _two_sets(rng: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Pairs near each other; some apart, equal, of no extent, or none. No two edges coincide but in equal boxes."""
    a = torch.randn(COUNT, 7, generator=rng, dtype=torch.float64)
    a[:, 3:6] = a[:, 3:6].abs() + 0.5
    b = a + 0.3 * torch.randn(COUNT, 7, generator=rng, dtype=torch.float64)
    b[:, 3:6] = b[:, 3:6].abs() + 0.2
    b[5, :2] += 20
    b[6, 2] += 20
    b[7] = a[7]
    a[8, 3], b[9, 4], a[10, 5], b[11, 3] = 0, 0, 0, -1
    b[12, 6] += 300  # beyond the reach of the sine and cosine in float32
    a[20, 0], b[21, 4], a[22, 6], b[23, 2] = NAN, INF, -INF, NAN
    return a.to(dtype), b.to(dtype)


def _aligned(rng: torch.Generator, dtype: torch.dtype, *, kind: int) -> tuple[Any, ...]:
    a, b = _two_sets(rng, dtype)
    # nine columns, of which two are not read
    return a, torch.cat([b, torch.full((COUNT, 2), NAN, dtype=dtype)], dim=1), kind


def _matched(rng: torch.Generator, dtype: torch.dtype, *, kind: int) -> tuple[Any, ...]:
    a, b = _two_sets(rng, dtype)
    index = torch.randint(0, COUNT, (2 * COUNT,), generator=rng)
    # most with their partners, some with any other, some outside
    partner = torch.where(torch.rand(2 * COUNT, generator=rng) < 0.8, index, index.roll(1))
    outside = index.clone()
    outside[3], outside[4], partner[5] = -1, COUNT, 2**40
    return a, b, outside, partner, kind


def _picked(boxes: Tensor, index: Tensor) -> Tensor:
    """Rows of ``boxes``; for an index outside, what is no box."""
    rows = torch.cat([boxes, boxes.new_full((1, boxes.shape[1]), NAN)])
    return rows[torch.where((index >= 0) & (index < len(boxes)), index, len(boxes))]


def _matched_reference(a: Tensor, b: Tensor, index_a: Tensor, index_b: Tensor, kind: int) -> Tensor:
    return _aligned_reference(_picked(a, index_a), _picked(b, index_b), kind)


def _aligned_reference(a: Tensor, b: Tensor, kind: int) -> Tensor:
    return reference.aligned_overlap(a, b, kind).to(a.dtype)


def _with_gradients(a: Tensor, b: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The reference's value, and its derivatives by the boxes of each pair."""
    rows = (
        (a, b) if len(rest) == 1 else tuple(_picked(boxes, index) for boxes, index in zip((a, b), rest, strict=False))
    )
    value = _aligned_reference(*rows, rest[-1])
    with torch.enable_grad():
        one, other = (boxes.detach().clone().requires_grad_() for boxes in rows)
        total = reference.aligned_overlap(one, other, rest[-1]).sum()
        grads = torch.autograd.grad(total, (one, other))
    return value, *(grad[:, :7].contiguous() for grad in grads)


# Halves and float32 are computed in float32 by the kernels for the device, and for what they can hold on the CPU;
# a gradient then errs by some 1e-7 of a coordinate over a size.
TOLERANCES = {
    torch.float64: (1e-11, 1e-12),
    torch.float32: (1e-4, 3e-5),
    torch.float16: (2e-3, 1e-3),
    torch.bfloat16: (1e-2, 4e-3),
}


def _case(
    name: str,
    op: Callable[..., Any],
    inputs: Callable[..., Any],
    expected: Callable[..., Any],
    host: Callable[..., Any],
    kind: str,
) -> OpCase:
    return OpCase(
        f"{name} {kind}",
        op,
        partial(inputs, kind=KINDS[kind]),
        reference=expected,
        host=host,
        differentiable=(0, 1),
        dtypes=FLOATS + HALVES if kind == "iou_3d" else FLOATS,
        tolerances=TOLERANCES,
    )


_FUSED, _FUSED_MATCHED = "overlap_aligned_with_gradient", "overlap_matched_with_gradient"
CASES = [
    *(
        _case(_FUSED, registered.overlap_aligned_with_gradient, _aligned, _with_gradients, host, kind)
        for host in (cuda.aligned_overlap_with_gradient,)
        for kind in KINDS
    ),
    *(
        _case("overlap_aligned", registered.overlap_aligned, _aligned, _aligned_reference, cuda.aligned_overlap, kind)
        for kind in ("intersection_bev", "iou_bev", "iou_3d", "ciou_3d")
    ),
    *(
        _case("overlap_matched", registered.overlap_matched, _matched, _matched_reference, cuda.matched_overlap, kind)
        for kind in ("iou_bev", "giou_hull_3d")
    ),
    *(
        _case(_FUSED_MATCHED, registered.overlap_matched_with_gradient, _matched, _with_gradients, host, kind)
        for host in (cuda.matched_overlap_with_gradient,)
        for kind in ("iou_3d", "giou_bev")
    ),
]


def _factors_and_rows(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    factors, *rows = (torch.randn(COUNT, columns, generator=rng).to(dtype) for columns in (1, 7, 7))
    return factors[:, 0], rows


CASES.append(
    OpCase(
        "overlap_scale_rows",
        backward.scale_rows,
        _factors_and_rows,
        reference=lambda factors, rows: [factors[:, None] * row for row in rows],
        dtypes=FLOATS + HALVES,
        tolerances=dict.fromkeys(FLOATS + HALVES, (0.0, 0.0)),
    )
)


def _factors_and_boxes(rng: torch.Generator, dtype: torch.dtype, *, kind: int, wanted: tuple[bool, bool]) -> Any:
    a, b, _ = _aligned(rng, dtype, kind=kind)
    return torch.randn(COUNT, generator=rng).to(dtype), a, b, kind, wanted


def _scaled_reference(factors: Tensor, a: Tensor, b: Tensor, kind: int, wanted: tuple[bool, bool]) -> Any:
    _, *rows = _with_gradients(a, b, kind)
    return tuple((factors[:, None] * row) if want else row[:0] for row, want in zip(rows, wanted, strict=True))


CASES += [
    OpCase(
        f"overlap_aligned_backward {kind} {wanted}",
        backward.overlap_aligned_backward,
        partial(_factors_and_boxes, kind=KINDS[kind], wanted=wanted),
        reference=_scaled_reference,
        dtypes=FLOATS + HALVES if kind == "iou_3d" else FLOATS,
        tolerances=TOLERANCES,
    )
    for kind, wanted in (
        ("intersection_bev", (True, True)),
        ("iou_bev", (True, False)),
        ("iou_3d", (True, True)),
        ("eiou_3d", (False, True)),
        ("iou_bev", (False, False)),
    )
]
