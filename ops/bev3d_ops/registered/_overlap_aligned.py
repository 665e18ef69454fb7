"""``bev3d::overlap_aligned`` and its kin: overlap of pairs, with gradients that are found beside the values."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops.cpu import _overlap_aligned as cpu_aligned
from bev3d_ops.cpu import _overlap_matched as cpu_matched
from bev3d_ops.cuda import _overlap as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._library import register
from bev3d_ops.registered._overlap_backward import overlap_aligned_backward, scale_rows
from bev3d_ops.registered._overlap_check import check_aligned, check_boxes
from bev3d_ops.registered._scatter import scatter_sum

__all__ = [
    "overlap_aligned",
    "overlap_aligned_with_gradient",
    "overlap_matched",
    "overlap_matched_with_gradient",
]

_Three = tuple[Tensor, Tensor, Tensor]


def _check_matched(a: Tensor, b: Tensor, index_a: Tensor, index_b: Tensor, kind: int) -> torch.dtype:
    for name, value in (("index_a", index_a), ("index_b", index_b)):
        if value.ndim != 1 or value.dtype != torch.int64:
            raise ValueError(f"{name}: expected (K,) int64, got {tuple(value.shape)} {value.dtype}")
        if value.device != a.device:
            raise ValueError(f"{name}: expected the device of a ({a.device}), got {value.device}")
    if index_a.shape != index_b.shape:
        raise ValueError(f"index_b: expected the shape of index_a {tuple(index_a.shape)}, got {tuple(index_b.shape)}")
    return check_boxes(a, b, kind)


def _aligned_cpu(a: Tensor, b: Tensor, kind: int) -> Tensor:
    dtype = check_aligned(a, b, kind)
    one, other = kernel_arrays(a, b)
    return torch.from_numpy(cpu_aligned.aligned_overlap(one, other, kind)).to(dtype)


def _aligned_gradient_cpu(a: Tensor, b: Tensor, kind: int) -> _Three:
    dtype = check_aligned(a, b, kind)
    one, other = kernel_arrays(a, b)
    value, grad_a, grad_b = cpu_aligned.aligned_overlap_with_gradient(one, other, kind)
    return torch.from_numpy(value).to(dtype), torch.from_numpy(grad_a).to(dtype), torch.from_numpy(grad_b).to(dtype)


def _matched_cpu(a: Tensor, b: Tensor, index_a: Tensor, index_b: Tensor, kind: int) -> Tensor:
    dtype = _check_matched(a, b, index_a, index_b, kind)
    one, other = kernel_arrays(a, b)
    indices = (index_a.contiguous().numpy(), index_b.contiguous().numpy())
    return torch.from_numpy(cpu_matched.matched_overlap(one, other, *indices, kind)).to(dtype)


def _matched_gradient_cpu(a: Tensor, b: Tensor, index_a: Tensor, index_b: Tensor, kind: int) -> _Three:
    dtype = _check_matched(a, b, index_a, index_b, kind)
    one, other = kernel_arrays(a, b)
    indices = (index_a.contiguous().numpy(), index_b.contiguous().numpy())
    value, grad_a, grad_b = cpu_matched.matched_overlap_with_gradient(one, other, *indices, kind)
    return torch.from_numpy(value).to(dtype), torch.from_numpy(grad_a).to(dtype), torch.from_numpy(grad_b).to(dtype)


def _on_cuda(function: Any, check: Any) -> Any:
    """``function`` of the CUDA side on checked boxes of one dtype."""

    def run(a: Tensor, b: Tensor, *rest: Any) -> Any:
        dtype = check(a, b, *rest)
        return function(cuda_launch, a.to(dtype), b.to(dtype), *rest)

    return run


def _fake(check: Any, with_gradient: bool, a: Tensor, b: Tensor, *rest: Any) -> Tensor | _Three:
    dtype = check(a, b, *rest)
    count = a.shape[0] if len(rest) == 1 else rest[0].shape[0]
    value = a.new_empty((count,), dtype=dtype)
    if not with_gradient:
        return value
    return value, a.new_empty((count, 7), dtype=dtype), a.new_empty((count, 7), dtype=dtype)


def _keep_inputs(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.kind = inputs
    ctx.save_for_backward(*tensors)


def _keep_gradients(ctx: Any, inputs: tuple[Any, ...], output: _Three) -> None:
    a, b, *rest = inputs
    ctx.save_for_backward(output[1], output[2], *rest[:-1])
    ctx.mark_non_differentiable(output[1], output[2])
    ctx.like = [(value.shape, value.dtype) for value in (a, b)]


def _fitted(rows: Tensor, shape: Any, dtype: torch.dtype) -> Tensor:
    """Columns from the eighth on have no derivative."""
    return (rows if shape[1] == 7 else pad(rows, (0, shape[1] - 7))).to(dtype)


def _aligned_saved_backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    needed = ctx.needs_input_grad[:2]
    scaled = iter(scale_rows(grad, [rows for rows, wanted in zip(ctx.saved_tensors, needed, strict=False) if wanted]))
    return (
        *(_fitted(next(scaled), *like) if wanted else None for like, wanted in zip(ctx.like, needed, strict=True)),
        None,
    )


def _matched_saved_backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    rows_a, rows_b, *indices = ctx.saved_tensors
    grads: list[Tensor | None] = []
    for rows, index, like, needed in zip((rows_a, rows_b), indices, ctx.like, ctx.needs_input_grad, strict=False):
        if not needed:
            grads.append(None)
            continue
        count = like[0][0]
        index = torch.where((index >= 0) & (index < count), index, -1)
        # a few pairs may share a box: in their order, so that every run sums alike
        summed, _ = scatter_sum(scale_rows(grad, [rows])[0], index, count)
        grads.append(_fitted(summed, *like))
    return (*grads, None, None, None)


def _aligned_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    a, b = ctx.saved_tensors
    needed = ctx.needs_input_grad[:2]
    rows = overlap_aligned_backward(grad, a, b, ctx.kind, needed)
    fitted = zip(rows, (a, b), needed, strict=True)
    return (*(_fitted(row, like.shape, like.dtype) if wanted else None for row, like, wanted in fitted), None)


def _matched_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    a, b, index_a, index_b = ctx.saved_tensors
    _, rows_a, rows_b = overlap_matched_with_gradient(a, b, index_a, index_b, ctx.kind)
    again = _Saved((rows_a, rows_b, index_a, index_b), [(v.shape, v.dtype) for v in (a, b)], ctx.needs_input_grad)
    return _matched_saved_backward(again, grad)


class _Saved:
    """What a context holds for the backward of an operation that returns its gradient."""

    def __init__(self, saved_tensors: Any, like: Any, needs_input_grad: Any) -> None:
        self.saved_tensors, self.like, self.needs_input_grad = saved_tensors, like, needs_input_grad


overlap_aligned = register(
    "overlap_aligned(Tensor a, Tensor b, int kind) -> Tensor",
    cpu=_aligned_cpu,
    cuda=_on_cuda(cuda.aligned_overlap, check_aligned),
    fake=partial(_fake, check_aligned, False),
    setup=_keep_inputs,
    backward=_aligned_backward,
)
"""Boxes a (N, >= 7) and b (N, >= 7), the targets; ``kind`` of ``bev3d_ops._overlap_kinds`` -> (N,), the wider dtype.

The gradient is computed when it is asked for, and nothing but the boxes is kept: on the CPU that is the quickest way
to intersection and IoU. All other forms find their gradient beside the value: there the form below is cheaper.
"""

overlap_aligned_with_gradient = register(
    "overlap_aligned_with_gradient(Tensor a, Tensor b, int kind) -> (Tensor, Tensor, Tensor)",
    cpu=_aligned_gradient_cpu,
    cuda=_on_cuda(cuda.aligned_overlap_with_gradient, check_aligned),
    fake=partial(_fake, check_aligned, True),
    setup=_keep_gradients,
    backward=_aligned_saved_backward,
)
"""As ``overlap_aligned``; also its derivatives by the seven columns of a and of b, (N, 7) each, which have none."""

overlap_matched = register(
    "overlap_matched(Tensor a, Tensor b, Tensor index_a, Tensor index_b, int kind) -> Tensor",
    cpu=_matched_cpu,
    cuda=_on_cuda(cuda.matched_overlap, _check_matched),
    fake=partial(_fake, _check_matched, False),
    setup=_keep_inputs,
    backward=_matched_backward,
)
"""Boxes a (N, >= 7), b (M, >= 7) at index_a, index_b (K,) int64 -> (K,); an index outside names what is no box."""

overlap_matched_with_gradient = register(
    "overlap_matched_with_gradient(Tensor a, Tensor b, Tensor index_a, Tensor index_b, int kind)"
    " -> (Tensor, Tensor, Tensor)",
    cpu=_matched_gradient_cpu,
    cuda=_on_cuda(cuda.matched_overlap_with_gradient, _check_matched),
    fake=partial(_fake, _check_matched, True),
    setup=_keep_gradients,
    backward=_matched_saved_backward,
)
"""As ``overlap_matched``; also the derivatives by the seven columns of both boxes of each pair, (K, 7) each."""
