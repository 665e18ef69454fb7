"""Sparse convolution in plain torch: the definition that the kernels are held against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["sparse_conv", "sparse_conv_weight_grad", "sparse_max_pool", "strided_pairs", "submanifold_pairs"]


def _keys(coordinates: Tensor, limits: Sequence[int]) -> Tensor:
    keys = torch.zeros_like(coordinates[:, 0], dtype=torch.int64)
    for axis, limit in enumerate(limits):
        keys = keys * limit + coordinates[:, axis]
    return keys


def _offsets(kernel_size: Sequence[int]) -> Tensor:
    """(K, 3) z, y, x of each offset, x fastest."""
    return torch.cartesian_prod(*(torch.arange(size) for size in kernel_size)).reshape(-1, len(kernel_size))


def _as_csr(pairs: list[tuple[Tensor, Tensor]], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    sizes = torch.tensor([0] + [len(source) for source, _ in pairs], device=device)
    pair_in, pair_out = (torch.cat(part).to(torch.int32) for part in zip(*pairs, strict=True))
    return pair_in, pair_out, sizes.cumsum(0)


def submanifold_pairs(
    coordinates: Tensor,
    batch_size: int,
    spatial_shape: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered.submanifold_pairs`."""
    limits = (batch_size, *spatial_shape)
    keys, order = _keys(coordinates.long(), limits).sort()
    step, middle = coordinates.new_tensor(dilation), coordinates.new_tensor([size // 2 for size in kernel_size])
    pairs = []
    for offset in _offsets(kernel_size).to(coordinates):
        wanted = coordinates[order].long()
        wanted[:, 1:] += (offset - middle) * step
        inside = ((wanted >= 0) & (wanted < wanted.new_tensor(limits))).all(dim=1)
        key = _keys(wanted, limits)
        at = torch.searchsorted(keys, key).clamp(max=max(len(keys) - 1, 0))
        found = inside & (keys[at] == key) if len(keys) else inside
        pairs.append((order[at[found]], order[found]))
    return _as_csr(pairs, coordinates.device)


def strided_pairs(
    coordinates: Tensor,
    batch_size: int,
    spatial_shape: Sequence[int],
    out_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See :func:`bev3d_ops.registered.strided_pairs`."""
    limits = (batch_size, *out_shape)
    order = _keys(coordinates.long(), (batch_size, *spatial_shape)).argsort()
    steps, room, apart = (coordinates.new_tensor(value).long() for value in (stride, padding, dilation))
    arrivals = []
    for offset in _offsets(kernel_size).to(coordinates.device):
        to = coordinates[order].long()
        if transposed:
            to[:, 1:] = to[:, 1:] * steps - room + offset * apart
            reaches = torch.ones_like(to[:, 0], dtype=torch.bool)
        else:
            shifted = to[:, 1:] + room - offset * apart
            to[:, 1:] = shifted.div(steps, rounding_mode="floor")
            reaches = (shifted % steps == 0).all(dim=1)
        reaches &= ((to >= 0) & (to < to.new_tensor(limits))).all(dim=1)
        arrivals.append((order[reaches], _keys(to[reaches], limits)))
    distinct = torch.cat([keys for _, keys in arrivals]).unique()
    csr = _as_csr([(rows, torch.searchsorted(distinct, keys)) for rows, keys in arrivals], coordinates.device)
    columns = []
    for limit in reversed(limits):
        columns.append(distinct % limit)
        distinct = distinct // limit
    return torch.stack(columns[::-1], dim=1).to(coordinates.dtype), *csr


def sparse_conv(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    pair_in: Tensor,
    pair_out: Tensor,
    offsets: Tensor,
    out_count: int,
) -> Tensor:
    """See :func:`bev3d_ops.registered.sparse_conv`."""
    matrices = weight.permute(1, 2, 3, 4, 0).flatten(0, 2)
    wide = torch.promote_types(features.dtype, torch.float32)
    out = torch.zeros((out_count, weight.shape[0]), dtype=wide, device=features.device)
    for k, matrix in enumerate(matrices):
        here = slice(int(offsets[k]), int(offsets[k + 1]))
        out = out.index_add(0, pair_out[here], features[pair_in[here].long()].to(wide) @ matrix.to(wide))
    return (out if bias is None else out + bias.to(wide)).to(features.dtype)


def sparse_conv_weight_grad(
    features: Tensor, grad: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor, kernel_size: Sequence[int]
) -> Tensor:
    """See :func:`bev3d_ops.registered.sparse_conv_weight_grad`."""
    wide = torch.promote_types(features.dtype, torch.float32)
    parts = []
    for k in range(len(offsets) - 1):
        here = slice(int(offsets[k]), int(offsets[k + 1]))
        parts.append(grad[pair_out[here].long()].to(wide).t() @ features[pair_in[here].long()].to(wide))
    return torch.stack(parts, dim=1).reshape(grad.shape[1], *kernel_size, features.shape[1]).to(features.dtype)


def sparse_max_pool(
    features: Tensor, pair_in: Tensor, pair_out: Tensor, offsets: Tensor, out_count: int
) -> tuple[Tensor, Tensor]:
    """See :func:`bev3d_ops.registered.sparse_max_pool`."""
    best = features.new_zeros((out_count, features.shape[1]))
    winner = torch.full_like(best, -1, dtype=torch.int32)
    for k in range(len(offsets) - 1):
        here = slice(int(offsets[k]), int(offsets[k + 1]))
        rows, to = pair_in[here].long(), pair_out[here].long()
        value, old = features[rows], best[to]
        better = (winner[to] < 0) | (value > old) | (value.isnan() & ~old.isnan())
        best = best.index_copy(0, to, torch.where(better, value, old))
        winner = winner.index_copy(0, to, torch.where(better, pair_in[here][:, None], winner[to]))
    return best, winner
