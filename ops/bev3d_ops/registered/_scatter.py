"""``bev3d::scatter_sum`` and ``gather_rows``, each the other's gradient, ``scatter_max`` with its own, and division."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops.cpu import _scatter as cpu
from bev3d_ops.cpu import _scatter_back as cpu_back
from bev3d_ops.cuda import _scatter as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._expect import expect
from bev3d_ops.registered._library import register

__all__ = ["divide_rows", "gather_rows", "scatter_max", "scatter_sum", "spread_max"]


def _check_scatter(features: Tensor, index: Tensor, count: int) -> None:
    expect("features", features, "(P, C)", None, None)
    expect("index", index, f"({features.shape[0]},)", features.shape[0], dtype=torch.int64, beside=features)


def _check_gather(values: Tensor, index: Tensor) -> None:
    expect("values", values, "(V, C)", None, None)
    expect("index", index, "(P,)", None, dtype=torch.int64, beside=values)


def _check_spread(grad: Tensor, source: Tensor, index: Tensor) -> None:
    expect("grad", grad, "(V, C)", None, None)
    expect("index", index, "(P,)", None, dtype=torch.int64, beside=grad)
    expect("source", source, f"{tuple(grad.shape)}, as grad", *grad.shape, dtype=torch.int32, beside=grad)


def _check_divide(values: Tensor, numbers: Tensor) -> None:
    expect("values", values, "(V, C)", None, None)
    expect("numbers", numbers, f"({values.shape[0]},)", values.shape[0], dtype=torch.int64, beside=values)


def _sum_cpu(features: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    (array,) = kernel_arrays(features)
    sums, numbers = cpu.scatter_sum(array, index.contiguous().numpy(), count)
    return torch.from_numpy(sums).to(features.dtype), torch.from_numpy(numbers)


def _max_cpu(features: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    (array,) = kernel_arrays(features)
    maxima, source = cpu.scatter_max(array, index.contiguous().numpy(), count)
    return torch.from_numpy(maxima).to(features.dtype), torch.from_numpy(source)


def _gather_cpu(values: Tensor, index: Tensor) -> Tensor:
    (array,) = kernel_arrays(values)
    return torch.from_numpy(cpu_back.gather_rows(array, index.contiguous().numpy())).to(values.dtype)


def _spread_cpu(grad: Tensor, source: Tensor, index: Tensor) -> Tensor:
    (array,) = kernel_arrays(grad)
    rows = cpu_back.spread_max(array, source.contiguous().numpy(), index.contiguous().numpy())
    return torch.from_numpy(rows).to(grad.dtype)


def _divide_cpu(values: Tensor, numbers: Tensor) -> Tensor:
    (array,) = kernel_arrays(values)
    return torch.from_numpy(cpu_back.divide_rows(array, numbers.contiguous().numpy())).to(values.dtype)


def _divide_plain(values: Tensor, numbers: Tensor) -> Tensor:
    wide = values.contiguous().to(torch.promote_types(values.dtype, torch.float32))
    return (wide / numbers.clamp(min=1)[:, None].to(wide.dtype)).to(values.dtype)


def _sum_fake(features: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    return features.new_empty((count, features.shape[1])), index.new_empty(count)


def _max_fake(features: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    shape = (count, features.shape[1])
    return features.new_empty(shape), features.new_empty(shape, dtype=torch.int32)


def _keep_index(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.save_for_backward(inputs[1])
    ctx.rows = inputs[0].shape[0]


def _keep_numbers(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.save_for_backward(inputs[1])


def _keep_source(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(output[1], inputs[1])
    ctx.mark_non_differentiable(output[1])


def _sum_backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None, None]:
    return gather_rows(grad, ctx.saved_tensors[0]), None, None


def _max_backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None, None]:
    return spread_max(grad, *ctx.saved_tensors), None, None


def _divide_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    return divide_rows(grad, *ctx.saved_tensors), None


def _gather_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    return scatter_sum(grad, ctx.saved_tensors[0], ctx.rows)[0], None


scatter_sum = register(
    "scatter_sum(Tensor features, Tensor index, SymInt count) -> (Tensor, Tensor)",
    cpu=_sum_cpu,
    cuda=partial(cuda.scatter_sum, cuda_launch),
    fake=_sum_fake,
    setup=_keep_index,
    backward=_sum_backward,
    check=_check_scatter,
)
"""Sums (count, C) of features (P, C) by index (P,) int64, in their order, and the rows in each (count,) int64.

A negative index leaves its row out; one that is not below ``count`` raises on the CPU and is left out on CUDA.
"""

divide_rows = register(
    "divide_rows(Tensor values, Tensor numbers) -> Tensor",
    cpu=_divide_cpu,
    cuda=_divide_plain,
    fake=lambda values, numbers: torch.empty_like(values, memory_format=torch.contiguous_format),
    setup=_keep_numbers,
    backward=_divide_backward,
    check=_check_divide,
)
"""Row v of values (V, C) over ``numbers[v]`` (V,) int64, of which less than 1 counts as 1."""

scatter_max = register(
    "scatter_max(Tensor features, Tensor index, SymInt count) -> (Tensor, Tensor)",
    cpu=_max_cpu,
    cuda=partial(cuda.scatter_max, cuda_launch),
    fake=_max_fake,
    setup=_keep_source,
    backward=_max_backward,
    check=_check_scatter,
)
"""Maxima (count, C), 0 where a segment is empty, and the first row that has each (count, C) int32, or -1."""

gather_rows = register(
    "gather_rows(Tensor values, Tensor index) -> Tensor",
    cpu=_gather_cpu,
    cuda=partial(cuda.gather_rows, cuda_launch),
    fake=lambda values, index: values.new_empty((index.shape[0], values.shape[1])),
    setup=_keep_index,
    backward=_gather_backward,
    check=_check_gather,
)
"""Rows of values (V, C) at index (P,) int64 -> (P, C); 0 where there is no such row."""

spread_max = register(
    "spread_max(Tensor grad, Tensor source, Tensor index) -> Tensor",
    cpu=_spread_cpu,
    cuda=partial(cuda.spread_max, cuda_launch),
    fake=lambda grad, source, index: grad.new_empty((index.shape[0], grad.shape[1])),
    check=_check_spread,
)
"""grad (V, C) at index (P,) int64 where ``scatter_max`` named the row for this value -> (P, C), 0 elsewhere."""
