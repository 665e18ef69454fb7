"""Overlap of boxes on CUDA: matrices, aligned pairs, pairs by index, with and without gradients."""

from __future__ import annotations

from torch import Tensor

from bev3d_ops.cuda._launch import Launch

__all__ = [
    "aligned_overlap",
    "aligned_overlap_with_gradient",
    "batched_pairwise_overlap",
    "matched_overlap",
    "matched_overlap_with_gradient",
    "pairwise_overlap",
]

_BLOCK = 128
_TILE_ROWS = 16  # as in csrc/overlap_pairwise.cu


def pairwise_overlap(launch: Launch, a: Tensor, b: Tensor, kind: int) -> Tensor:
    """Matrix (N, M) of boxes a (N, >= 7) and b (M, >= 7); see :func:`bev3d_ops.registered.pairwise_overlap`."""
    a, b = _prepared(a), _prepared(b).to(a.dtype)
    rows, columns = len(a), len(b)
    value = a.new_empty((rows, columns))
    blocks = -(-rows // _TILE_ROWS) * -(-columns // _BLOCK)
    sizes = (rows, columns, a.shape[1], b.shape[1])
    launch(
        "overlap_pairwise.pairwise_overlap",
        a.dtype,
        value.numel(),
        a,
        b,
        value,
        *sizes,
        kind,
        block=_BLOCK,
        blocks=min(blocks, 2**31 - 1),
    )
    return value


def batched_pairwise_overlap(launch: Launch, a: Tensor, b: Tensor, offsets: Tensor, total: int, kind: int) -> Tensor:
    """Matrices of all samples, (total,); see :func:`bev3d_ops.registered.batched_pairwise_overlap`."""
    a, b, offsets = _prepared(a), _prepared(b).to(a.dtype), offsets.contiguous()
    value, samples = a.new_empty(total), offsets.shape[1] - 1
    # enough blocks for whole tiles; one more for the rest of each sample
    blocks = min(total // (_TILE_ROWS * _BLOCK) + samples, 2**31 - 1)
    sizes = (samples, total, len(a), len(b), a.shape[1], b.shape[1])
    kernel = "overlap_pairwise.batched_pairwise_overlap"
    launch(kernel, a.dtype, total, a, b, offsets, value, *sizes, kind, block=_BLOCK, blocks=blocks)
    return value


def aligned_overlap(launch: Launch, a: Tensor, b: Tensor, kind: int) -> Tensor:
    """Overlap (N,) of box i of a (N, >= 7) with box i of b (N, >= 7), of one dtype; ``kind`` of ``_overlap_kinds``.

    Computed in float64 for float64 and in float32 for all other types, on the differences of the centres and yaws.
    A box with an entry that is not finite, or beyond 1e12 (1e40 for float64), gives the kind's least value; sizes
    below 1e-12 (1e-40) count as 0.
    """
    return _value(launch, a, b, None, None, kind)


def aligned_overlap_with_gradient(launch: Launch, a: Tensor, b: Tensor, kind: int) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`aligned_overlap`; also its derivatives by the seven columns of a and of b, (N, 7) each."""
    return _value_and_gradient(launch, a, b, None, None, kind)


def matched_overlap(launch: Launch, a: Tensor, b: Tensor, index_a: Tensor, index_b: Tensor, kind: int) -> Tensor:
    """Overlap (K,) of box ``index_a[k]`` of a with box ``index_b[k]`` of b; indices (K,) int64.

    An index outside (negative ones too) reads nothing: the value is that of a box that is none, the gradient 0.
    """
    return _value(launch, a, b, index_a, index_b, kind)


def matched_overlap_with_gradient(
    launch: Launch, a: Tensor, b: Tensor, index_a: Tensor, index_b: Tensor, kind: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`matched_overlap`; also the derivatives by the seven columns of both boxes of a pair, (K, 7) each."""
    return _value_and_gradient(launch, a, b, index_a, index_b, kind)


def _value(launch: Launch, a: Tensor, b: Tensor, index_a: Tensor | None, index_b: Tensor | None, kind: int) -> Tensor:
    a, b, indices, count, sizes = _arguments(a, b, index_a, index_b)
    value = a.new_empty((count,))
    launch("overlap_aligned.overlap", a.dtype, count, a, b, *indices, value, count, *sizes, kind, block=_BLOCK)
    return value


def _value_and_gradient(
    launch: Launch, a: Tensor, b: Tensor, index_a: Tensor | None, index_b: Tensor | None, kind: int
) -> tuple[Tensor, Tensor, Tensor]:
    a, b, indices, count, sizes = _arguments(a, b, index_a, index_b)
    value, grad_a, grad_b = a.new_empty((count,)), a.new_empty((count, 7)), a.new_empty((count, 7))
    outputs = (value, grad_a, grad_b)
    kernel = "overlap_aligned.overlap_gradient"
    launch(kernel, a.dtype, count, a, b, *indices, *outputs, count, *sizes, kind, block=_BLOCK)
    return outputs


_Indices = tuple[Tensor | None, Tensor | None]


def _arguments(
    a: Tensor, b: Tensor, index_a: Tensor | None, index_b: Tensor | None
) -> tuple[Tensor, Tensor, _Indices, int, tuple[int, int, int, int]]:
    a, b = _prepared(a), _prepared(b).to(a.dtype)
    if index_a is None or index_b is None:
        return a, b, (None, None), len(a), (len(a), len(b), a.shape[1], b.shape[1])
    indices = (index_a.long().contiguous(), index_b.long().contiguous())
    return a, b, indices, len(indices[0]), (len(a), len(b), a.shape[1], b.shape[1])


def _prepared(boxes: Tensor) -> Tensor:
    return boxes.detach().contiguous()
