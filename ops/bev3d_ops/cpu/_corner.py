"""Corner losses and their slopes by both boxes on the CPU, in one pass over the pairs."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bev3d_ops.cpu._corner_variants import (
    BLOCK,
    BY_PRED,
    BY_TARGET_SIZE,
    BY_TARGET_YAW,
    C_T,
    DX,
    DY,
    DZ,
    FAST,
    LENGTH,
    LENGTH_T,
    LOSS,
    ROWS,
    S_T,
    C,
    S,
    fill_huber_sum,
    fill_per_box,
    fill_per_corner,
)
from bev3d_ops.cpu._threads import run_in_ranges
from bev3d_ops.cpu._trigonometry import FAR, sin_cos

__all__ = ["VARIANTS", "corner_loss"]

# Above the slope by a size of every variant: eight corners, half a size each, two axes at most.
_GROWTH_SLOPE = 8.0
_SMALLEST_PART = 1e-3

_PAIRS_PER_THREAD = 8_000


@njit(inline="always")
def _is_unknown(target, i):
    total = target[i, 0] + target[i, 1] + target[i, 2] + target[i, 3] + target[i, 4] + target[i, 5] + target[i, 6]
    if total == total:
        return False
    unknown = False  # NaN, or infinities of both signs
    for k in range(7):
        unknown |= target[i, k] != target[i, k]
    return unknown


@njit(inline="always")
def _smallest(boxes, i):
    return min(min(boxes[i, 3], boxes[i, 4]), boxes[i, 5])


@njit(cache=True, nogil=True, error_model="numpy")
def _pack(block, pred, target, first, count):
    """Write pairs to ``block``, with the yaws in place of C_T and C; pairs of unknown targets become zeros.

    Returns:
        the number of yaws far from 0, and that of pairs with a size to which the penalty for collapse applies.
    """
    far, collapsed = 0, 0
    for k in range(count):
        i = first + k
        if _is_unknown(target, i):
            for row in range(LOSS):
                block[row, k] = 0.0
            continue
        block[DX, k] = np.float64(pred[i, 0]) - np.float64(target[i, 0])
        block[DY, k] = np.float64(pred[i, 1]) - np.float64(target[i, 1])
        block[DZ, k] = np.float64(pred[i, 2]) - np.float64(target[i, 2])
        for axis in range(3):
            own, other = np.float64(pred[i, 3 + axis]), np.float64(target[i, 3 + axis])
            block[LENGTH + axis, k] = 0.0 if own < 0.0 else own  # NaN stays
            block[LENGTH_T + axis, k] = 0.0 if other < 0.0 else other
        yaw, turn = np.float64(target[i, 6]), np.float64(pred[i, 6]) - np.float64(target[i, 6])
        block[C_T, k], block[C, k] = yaw, turn
        far += 1 if (abs(yaw) >= FAR) | (abs(turn) >= FAR) else 0
        least = np.float64(_smallest(target, i))
        floor = _SMALLEST_PART * (least if least > 0.0 else 0.0)
        collapsed += 1 if (_smallest(pred, i) < floor) | (_smallest(target, i) < 0.0) else 0
    return far, collapsed


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _turn(block):
    """Turn the yaws into directions."""
    if block.shape[0] != ROWS or block.shape[1] != BLOCK:
        return
    for i in range(BLOCK):
        sin_t, cos_t = sin_cos(block[C_T, i])
        sin_p, cos_p = sin_cos(block[C, i])
        block[C_T, i], block[S_T, i] = cos_t, sin_t
        block[C, i], block[S, i] = cos_p, sin_p


@njit(cache=True, nogil=True, error_model="numpy")
def _turn_far(block, pred, target, first, count):
    """Directions again for the pairs with a yaw far from 0, and for them alone: no pair depends on its neighbours."""
    for k in range(count):
        i = first + k
        yaw, turn = np.float64(target[i, 6]), np.float64(pred[i, 6]) - np.float64(target[i, 6])
        if ((abs(yaw) >= FAR) | (abs(turn) >= FAR)) and not _is_unknown(target, i):
            block[C_T, k], block[S_T, k] = math.cos(yaw), math.sin(yaw)
            block[C, k], block[S, k] = math.cos(turn), math.sin(turn)


@njit(cache=True, nogil=True, error_model="numpy")
def _penalise_collapse(block, pred, target, first, count):
    """Add 8 Σ_k max(0, m/1000 - size_k), m the target's smallest size; a negative size has no other slope."""
    for k in range(count):
        i = first + k
        if _is_unknown(target, i):
            continue
        least = np.float64(_smallest(target, i))
        floor = _SMALLEST_PART * (least if least > 0.0 else 0.0)
        short, equal = 0, 0
        for axis in range(3):
            own, other = np.float64(pred[i, 3 + axis]), np.float64(target[i, 3 + axis])
            equal += 1 if other == least else 0
            if own < 0.0:
                block[BY_PRED + 3 + axis, k] = 0.0
            if other < 0.0:
                block[BY_TARGET_SIZE + axis, k] = 0.0
            if own < floor:
                short += 1
                block[LOSS, k] += _GROWTH_SLOPE * (floor - own)
                block[BY_PRED + 3 + axis, k] -= _GROWTH_SLOPE
        for axis in range(3):
            if (least > 0.0) & (target[i, 3 + axis] == least):
                block[BY_TARGET_SIZE + axis, k] += _GROWTH_SLOPE * _SMALLEST_PART * short / equal


@njit(cache=True, nogil=True, error_model="numpy")
def _unpack_slopes(block, by_pred, by_target, first, count):
    for k in range(count):
        i = first + k
        for column in range(7):
            by_pred[i, column] = block[BY_PRED + column, k]
        for axis in range(3):
            by_target[i, axis] = -block[BY_PRED + axis, k]
            by_target[i, 3 + axis] = block[BY_TARGET_SIZE + axis, k]
        by_target[i, 6] = block[BY_TARGET_YAW, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _load(block, pred, target, first, count):
    """Pairs to ``block``; returns whether the penalty for collapse applies to any."""
    far, collapsed = _pack(block, pred, target, first, count)
    _turn(block)
    if far > 0:
        _turn_far(block, pred, target, first, count)
    return collapsed > 0


@njit(cache=True, nogil=True, error_model="numpy")
def _store(block, collapsed, pred, target, first, count, loss, by_pred, by_target):
    if collapsed:
        _penalise_collapse(block, pred, target, first, count)
    for k in range(count):
        loss[first + k] = block[LOSS, k]
    if len(by_pred) > 0:
        _unpack_slopes(block, by_pred, by_target, first, count)


# One function for each variant, so that only what is used is compiled.


@njit(cache=True, nogil=True, error_model="numpy")
def _per_box(pred, target, first, last, flip, loss, by_pred, by_target):
    block = np.zeros((ROWS, BLOCK), np.float64)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        collapsed = _load(block, pred, target, start, count)
        fill_per_box(block, flip)
        _store(block, collapsed, pred, target, start, count, loss, by_pred, by_target)


@njit(cache=True, nogil=True, error_model="numpy")
def _per_corner(pred, target, first, last, flip, loss, by_pred, by_target):
    block = np.zeros((ROWS, BLOCK), np.float64)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        collapsed = _load(block, pred, target, start, count)
        fill_per_corner(block, flip)
        _store(block, collapsed, pred, target, start, count, loss, by_pred, by_target)


@njit(cache=True, nogil=True, error_model="numpy")
def _huber_sum(pred, target, first, last, flip, loss, by_pred, by_target):
    block = np.zeros((ROWS, BLOCK), np.float64)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        collapsed = _load(block, pred, target, start, count)
        fill_huber_sum(block, flip)
        _store(block, collapsed, pred, target, start, count, loss, by_pred, by_target)


_KERNELS = {"per_box": _per_box, "per_corner": _per_corner, "huber_sum": _huber_sum}
VARIANTS = tuple(_KERNELS)


def corner_loss(
    pred: np.ndarray, target: np.ndarray, variant: str, flip_invariant: bool, slopes: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss of box i of ``pred`` against box i of ``target``, and its slopes by both.

    Args:
        pred: (N, 7) float32 or float64, C-contiguous.
        target: (N, 7), of the same dtype.
        variant: one of ``VARIANTS``, see :func:`bev3d_ops.reference._corner.corner_loss`.
        flip_invariant: whether the target turned by half a turn counts as well.
        slopes: whether they are wanted; without them the second and third result are empty.

    Returns:
        (N,), (N, 7) and (N, 7), in the dtype of ``pred``; computed in float64.
    """
    loss = np.empty(len(pred), pred.dtype)
    by_pred, by_target = (np.empty((len(pred) if slopes else 0, 7), pred.dtype) for _ in range(2))
    kernel, flip = _KERNELS[variant], -1.0 if flip_invariant else 1.0
    run_in_ranges(lambda i, j: kernel(pred, target, i, j, flip, loss, by_pred, by_target), len(pred), _PAIRS_PER_THREAD)
    return loss, by_pred, by_target
