"""Sparse convolution and pooling on CUDA: one gathering and one matrix product for many rows of the result.

What a row reads is laid side by side, (rows, K * C_in) with zeros where nothing is, and multiplied by the weight as
one matrix. That multiplies zeros, and needs neither the number of pairs on the host nor a launch for each offset nor
atomics: the sum has one order, and a CUDA graph captures it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from bev3d_ops._sparse_check import check_conv, check_pairs, check_pool_grad, check_weight_grad
from bev3d_ops.cuda._launch import Launch

__all__ = ["sparse_conv", "sparse_conv_weight_grad", "sparse_max_pool", "sparse_max_pool_grad"]

_CHUNK_BYTES = 128 << 20  # of gathered rows at once


def sparse_conv(
    launch: Launch,
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    pair_in: Tensor,
    pair_out: Tensor,
    offsets: Tensor,
    out_count: int,
) -> Tensor:
    """See :func:`bev3d_ops.registered.sparse_conv`."""
    check_conv(features, weight, bias, pair_in, pair_out, offsets)
    table = _table(launch, pair_in, pair_out, offsets, len(features), out_count)
    matrix = weight.flatten(1).t()
    out = features.new_empty((out_count, weight.shape[0]))
    for rows, gathered in _gathered(launch, features, table):
        if bias is None:
            torch.mm(gathered, matrix, out=out[rows])
        else:
            torch.addmm(bias, gathered, matrix, out=out[rows])
    return out


def sparse_conv_weight_grad(
    launch: Launch,
    features: Tensor,
    grad: Tensor,
    pair_in: Tensor,
    pair_out: Tensor,
    offsets: Tensor,
    kernel_size: Sequence[int],
) -> Tensor:
    """See :func:`bev3d_ops.registered.sparse_conv_weight_grad`."""
    check_weight_grad(features, grad, pair_in, pair_out, offsets, kernel_size)
    table = _table(launch, pair_in, pair_out, offsets, len(features), len(grad))
    wide = torch.promote_types(features.dtype, torch.float32)
    out = features.new_zeros((grad.shape[1], table.shape[1] * features.shape[1]), dtype=wide)
    for rows, gathered in _gathered(launch, features, table):
        out += grad[rows].t() @ gathered
    return out.to(features.dtype).reshape(grad.shape[1], *kernel_size, features.shape[1])


def sparse_max_pool(
    launch: Launch, features: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor, out_count: int
) -> tuple[Tensor, Tensor]:
    """See :func:`bev3d_ops.registered.sparse_max_pool`."""
    check_pairs(pair_in, pair_out, offsets)
    features = features.contiguous()
    table = _table(launch, pair_in, pair_out, offsets, len(features), out_count)
    best = features.new_empty((out_count, features.shape[1]))
    winner = torch.empty_like(best, dtype=torch.int32)
    sizes = (*table.shape, features.shape[1])
    launch("sparse.max_pool", features.dtype, best.numel(), features, table, best, winner, *sizes)
    return best, winner


def sparse_max_pool_grad(
    launch: Launch, grad: Tensor, winner: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor, in_count: int
) -> Tensor:
    """See :func:`bev3d_ops.registered.sparse_max_pool_grad`."""
    check_pool_grad(grad, winner, pair_in, pair_out, offsets)
    grad, winner = grad.contiguous(), winner.contiguous()
    table = _table(launch, pair_out, pair_in, offsets, len(grad), in_count)
    out = grad.new_empty((in_count, grad.shape[1]))
    sizes = (*table.shape, grad.shape[1])
    launch("sparse.max_pool_grad", grad.dtype, out.numel(), grad, winner, table, out, *sizes)
    return out


def _table(
    launch: Launch, source: Tensor, target: Tensor, offsets: Tensor, source_count: int, target_count: int
) -> Tensor:
    """(targets, K) int32: the row that each offset reads, or -1."""
    source, target, offsets = source.contiguous(), target.contiguous(), offsets.contiguous()
    volume = len(offsets) - 1
    table = source.new_full((target_count, volume), -1)
    sizes = (len(source), volume, source_count, target_count)
    launch("sparse.fill_table", torch.float32, len(source), source, target, offsets, table, *sizes)
    return table


def _gathered(launch: Launch, features: Tensor, table: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Ranges of the result's rows, and what these read, (rows, K * C): one buffer, overwritten in each step."""
    features = features.contiguous()
    channels, volume = features.shape[1], table.shape[1]
    row_bytes = channels * features.element_size()
    most = max(1, _CHUNK_BYTES // max(1, volume * row_bytes))
    buffer = features.new_empty((min(most, len(table)), volume * channels))
    in_chunks = row_bytes % 16 == 0 and features.data_ptr() % 16 == 0
    kernel = "sparse.gather_chunks" if in_chunks else "sparse.gather_rows"
    width = row_bytes // 16 if in_chunks else channels
    for first in range(0, len(table), most):
        rows = slice(first, min(first + most, len(table)))
        part, gathered = table[rows], buffer[: rows.stop - first]
        launch(kernel, features.dtype, part.numel() * width, features, part, gathered, part.numel(), width)
        yield rows, gathered
