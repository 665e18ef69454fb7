"""Sparse convolution on the CPU: for each kernel offset, rows of features times a matrix, added to rows of the result.

Pairs of an offset ascend in the row that is written, so the result is cut into blocks of rows; a thread finishes its
blocks alone, offset by offset, without locks, and the sum of a row has one order whatever the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops.cpu._memory import empty
from bev3d_ops.cpu._sparse_pairs import Pairs, ranges_of_work
from bev3d_ops.cpu._sparse_tile import (
    ROWS,
    add_product_1,
    add_product_2,
    lanes,
    outer_product_1,
    outer_product_2,
)

__all__ = ["sparse_conv", "sparse_conv_weight_grad"]

_BLOCK_ROWS = 256  # of the result: they and one offset's matrix stay in the second cache, and few make no thread wait
_GROUP = 4 * ROWS  # columns of the features in one item of the weight's gradient
_CHUNK_BYTES = 32 << 10  # of features and cotangents in the first cache, for the weight's gradient
_LEAST_PRODUCTS = 2_000_000  # multiplications that are worth a thread


@njit(cache=True, nogil=True, error_model="numpy")
def _convolve(features, panels, bias, out, source, target, starts, width, first, last):
    count = out.shape[1] // width
    for block in range(first, last):
        for row in range(block * _BLOCK_ROWS, min((block + 1) * _BLOCK_ROWS, len(out))):
            out[row] = bias
        for k in range(starts.shape[0]):
            begin, end = starts[k, block], starts[k, block + 1]
            for t in range(0, count - 1, 2):
                for p in range(begin, end, ROWS):
                    size = min(ROWS, end - p)
                    add_product_2(features, panels, out, source, target, p, size, k * count + t, t * width)
            if count % 2:
                t = count - 1
                for p in range(begin, end, ROWS):
                    size = min(ROWS, end - p)
                    add_product_1(features, panels, out, source, target, p, size, k * count + t, t * width)


@njit(cache=True, nogil=True, error_model="numpy")
def _outer_products(features, grad, out, source, target, starts, width, group, chunk, first, last):
    """Item ``k * groups + g``: of offset k, the rows of ``out`` that belong to columns g * group .. of features.

    Block by block, so that the rows of a block are read from the second cache by every offset but the first.
    """
    channels = features.shape[1]
    groups = (channels + group - 1) // group
    count = grad.shape[1] // width
    for block in range(starts.shape[1] - 1):
        for item in range(first, last):
            k, from_column = item // groups, (item % groups) * group
            to_column = min(from_column + group, channels)
            for begin in range(starts[k, block], starts[k, block + 1], chunk):
                end = min(begin + chunk, starts[k, block + 1])
                for c in range(from_column, to_column, ROWS):
                    size, row = min(ROWS, to_column - c), k * channels + c
                    for t in range(0, count - 1, 2):
                        outer_product_2(features, grad, out, source, target, begin, end, c, size, row, t * width)
                    if count % 2:
                        t = count - 1
                        outer_product_1(features, grad, out, source, target, begin, end, c, size, row, t * width)


def sparse_conv(
    features: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    pair_in: np.ndarray,
    pair_out: np.ndarray,
    offsets: np.ndarray,
    out_count: int,
) -> np.ndarray:
    """out[o] = bias + sum over k and the pairs (i, o) of offset k of features[i] @ weight[k].

    Args:
        features: (V_in, C_in) contiguous, float32 or float64.
        weight: (K, C_in, C_out) of the same dtype, any strides.
        bias: (C_out,) or None.
        pair_in: (P,) int32, rows of features.
        pair_out: (P,) int32, rows of the result, each at most once for an offset.
        offsets: (K + 1,) int64, where the pairs of each offset begin.
        out_count: rows of the result.

    Returns:
        (out_count, C_out).

    Raises:
        ValueError: pairs that point outside or write a row twice for one offset.
    """
    pairs = Pairs.ordered(pair_in, pair_out, offsets, len(features), out_count)
    width, channels = lanes(features.itemsize), weight.shape[2]
    panels = _panels(weight, width)
    out = empty((out_count, -(-channels // width) * width), features.dtype)
    constant = np.zeros(out.shape[1], features.dtype)
    constant[:channels] = 0 if bias is None else bias
    starts = pairs.blocks(_BLOCK_ROWS)

    def convolve(first: int, last: int) -> None:
        _convolve(features, panels, constant, out, pairs.source, pairs.target, starts, width, first, last)

    least = max(1, _LEAST_PRODUCTS // max(1, weight.shape[1] * channels))
    ranges_of_work(convolve, np.diff(starts, axis=1).sum(axis=0) + 1, least)  # a block without pairs is filled too
    return out if out.shape[1] == channels else np.ascontiguousarray(out[:, :channels])


def sparse_conv_weight_grad(
    features: np.ndarray, grad: np.ndarray, pair_in: np.ndarray, pair_out: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Gradient (K, C_in, C_out) of the weight, from features (V_in, C_in) and cotangents grad (V_out, C_out)."""
    pairs = Pairs.ordered(pair_in, pair_out, offsets, len(features), len(grad))
    starts = pairs.blocks(_BLOCK_ROWS)
    width, (channels, out_channels), volume = lanes(grad.itemsize), (features.shape[1], grad.shape[1]), len(offsets) - 1
    grad = _padded(grad, width)
    out = np.zeros((volume * channels, grad.shape[1]), grad.dtype)
    groups = -(-channels // _GROUP)
    chunk = max(ROWS, _CHUNK_BYTES // max(1, grad.itemsize * (min(channels, _GROUP) + grad.shape[1])))

    def add(first: int, last: int) -> None:
        _outer_products(features, grad, out, pairs.source, pairs.target, starts, width, _GROUP, chunk, first, last)

    least = max(1, _LEAST_PRODUCTS // max(1, min(channels, _GROUP) * out_channels))
    ranges_of_work(add, np.repeat(np.diff(offsets), groups), least)
    return out.reshape(volume, channels, grad.shape[1])[:, :, :out_channels]


def _panels(weight: np.ndarray, width: int) -> np.ndarray:
    """Flat (K, C_out / width, C_in, width): the columns of a tile lie together; C_out is filled up with 0."""
    volume, channels, out_channels = weight.shape
    count = -(-out_channels // width)
    panels = np.zeros((volume, count, channels, width), weight.dtype)
    whole = out_channels // width
    panels[:, :whole] = weight[:, :, : whole * width].reshape(volume, channels, whole, width).transpose(0, 2, 1, 3)
    if whole < count:
        panels[:, whole, :, : out_channels - whole * width] = weight[:, :, whole * width :]
    return panels.reshape(-1)


def _padded(rows: np.ndarray, width: int) -> np.ndarray:
    """With columns of 0 up to a multiple of ``width``."""
    missing = -rows.shape[1] % width
    return np.pad(rows, ((0, 0), (0, missing))) if missing else rows
