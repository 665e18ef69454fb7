"""``bev3d::gather_cells`` and ``bev3d::scatter_cells``, each the other's gradient."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from bev3d_ops._arrays import kernel_arrays
from bev3d_ops.cpu import _gather as cpu
from bev3d_ops.cuda import _gather as cuda
from bev3d_ops.cuda._launch import cuda_launch
from bev3d_ops.registered._expect import expect
from bev3d_ops.registered._library import register

__all__ = ["gather_cells", "scatter_cells"]


def _check_gather(maps: Tensor, cell_index: Tensor) -> None:
    expect("maps", maps, "(B, C, cells)", None, None, None)
    expect("cell_index", cell_index, f"({maps.shape[0]}, M)", maps.shape[0], None, dtype=torch.int64, beside=maps)


def _check_scatter(grad: Tensor, cell_index: Tensor, cells: int) -> None:
    expect("grad", grad, "(B, M, C)", None, None, None)
    form = f"{tuple(grad.shape[:2])}, as grad"
    expect("cell_index", cell_index, form, *grad.shape[:2], dtype=torch.int64, beside=grad)
    if cells < 0:
        raise ValueError(f"cells: expected a number >= 0, got {cells}")


def _gather_cpu(maps: Tensor, cell_index: Tensor) -> Tensor:
    (array,) = kernel_arrays(maps)
    return torch.from_numpy(cpu.gather_cells(array, cell_index.contiguous().numpy())).to(maps.dtype)


def _scatter_cpu(grad: Tensor, cell_index: Tensor, cells: int) -> Tensor:
    (array,) = kernel_arrays(grad)
    return torch.from_numpy(cpu.scatter_cells(array, cell_index.contiguous().numpy(), cells)).to(grad.dtype)


def _gather_fake(maps: Tensor, cell_index: Tensor) -> Tensor:
    return maps.new_empty((*cell_index.shape, maps.shape[1]))


def _scatter_fake(grad: Tensor, cell_index: Tensor, cells: int) -> Tensor:
    return grad.new_empty((grad.shape[0], grad.shape[2], cells))


def _keep_index(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])
    ctx.cells = inputs[0].shape[2]


def _gather_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    return scatter_cells(grad, ctx.saved_tensors[0], ctx.cells), None


def _scatter_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
    return gather_cells(grad, ctx.saved_tensors[0]), None, None


gather_cells = register(
    "gather_cells(Tensor maps, Tensor cell_index) -> Tensor",
    cpu=_gather_cpu,
    cuda=partial(cuda.gather_cells, cuda_launch),
    fake=_gather_fake,
    setup=_keep_index,
    backward=_gather_backward,
    check=_check_gather,
)
"""maps (B, C, cells) at cell_index (B, M) int64 -> (B, M, C); 0 where the index is outside the map."""

scatter_cells = register(
    "scatter_cells(Tensor grad, Tensor cell_index, SymInt cells) -> Tensor",
    cpu=_scatter_cpu,
    cuda=partial(cuda.scatter_cells, cuda_launch),
    fake=_scatter_fake,
    setup=_keep_index,
    backward=_scatter_backward,
    check=_check_scatter,
)
"""Sums of grad (B, M, C) at cell_index (B, M) int64 -> (B, C, cells), in the order of the objects."""
