"""Heatmap focal loss and its slope in one pass over the maps.

With z = -x where y = 1 and x elsewhere, w = 1 or (1 - y)^beta, both cases are w h(z):

    h(z) = softplus(z) sigmoid(z)^alpha        h'(z) = sigmoid(z)^alpha (sigmoid(z) + alpha sigmoid(-z) softplus(z))
"""

from __future__ import annotations

import math
import threading

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["heatmap_focal"]

_ELEMENTS_PER_THREAD = 1 << 16  # a thread costs about as much as 30,000 elements

# exp(r) on [-ln 2 / 2, ln 2 / 2] by its series, error 2e-8; log 2 in two parts, the first of 12 bits
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_E2, _E3, _E4, _E5, _E6 = (np.float32(1 / math.factorial(k)) for k in range(2, 7))
# log(1 + e) = 2 atanh(u), u = e / (2 + e) <= 1/3
_A3, _A5, _A7, _A9, _A11, _A13, _A15 = (np.float32(1 / k) for k in range(3, 16, 2))
_0, _1, _2, _HALF, _LARGEST = (np.float32(v) for v in (0, 1, 2, 0.5, 87))


def heatmap_focal(
    logits: NDArray[np.floating],
    heatmap: NDArray[np.floating],
    alpha: float,
    beta: float,
    *,
    slope: bool,
    threads: int,
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Loss and d loss / d logits.

    Args:
        logits, heatmap: (N,), C-contiguous, both float32 or both float64.
        alpha, beta: exponents.
        slope: whether the slope is wanted; without it the second result is empty.
        threads: most threads. They are plain ones that end with the call, so that a process that forks later is safe.
    """
    loss = np.empty_like(logits)
    steep = np.empty_like(logits) if slope else np.empty(0, logits.dtype)
    fast = logits.dtype == np.float32 and alpha == 2 and beta == 4
    count = max(1, min(threads, logits.size // _ELEMENTS_PER_THREAD))
    # whole cache lines to each thread
    edges = [logits.size * i // count // 16 * 16 for i in range(count)] + [logits.size]

    def work(i: int) -> None:
        part = slice(edges[i], edges[i + 1])
        arguments = logits[part], heatmap[part], loss[part], steep[part] if slope else steep
        if fast:
            _focal_2_4(*arguments)
        else:
            _focal(*arguments, float(alpha), float(beta))

    others = [threading.Thread(target=work, args=(i,)) for i in range(1, count)]
    for thread in others:
        thread.start()
    work(0)
    for thread in others:
        thread.join()
    return loss, steep


@njit(inline="always")
def _value_and_slope(x, y):
    """Float32 arithmetic without calls or branches, so that the loop becomes vector instructions."""
    positive = y == _1
    z = -x if positive else x
    a = _LARGEST if abs(z) > _LARGEST else abs(z)  # a NaN stays one
    n = np.int32(a * _LOG2_E + _HALF)
    r = np.float32(n) * _LN2_HIGH - a + np.float32(n) * _LN2_LOW
    e = _1 + r * (_1 + r * (_E2 + r * (_E3 + r * (_E4 + r * (_E5 + r * _E6)))))
    e *= np.int32((np.int32(127) - n) << np.int32(23)).view(np.float32)  # exp(-a)
    u = e / (_2 + e)
    v = u * u
    tail = v * (_A3 + v * (_A5 + v * (_A7 + v * (_A9 + v * (_A11 + v * (_A13 + v * _A15))))))
    softplus = (z if z > _0 else _0) + _2 * u * (_1 + tail)
    large = _1 / (_1 + e)
    small = e * large
    p, q = (large, small) if z > _0 else (small, large)
    rest = (_1 - y) * (_1 - y)
    weight = _1 if positive else rest * rest
    scaled = weight * p * p
    loss = scaled * softplus
    slope = scaled * (p + _2 * q * softplus)
    slope = -slope if positive else slope
    return loss, slope


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _focal_2_4(logits, heatmap, loss, slope):
    if len(slope):
        for i in range(len(logits)):
            loss[i], slope[i] = _value_and_slope(logits[i], heatmap[i])
    else:
        for i in range(len(logits)):
            loss[i] = _value_and_slope(logits[i], heatmap[i])[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _focal(logits, heatmap, loss, slope, alpha, beta):
    for i in range(len(logits)):
        x, y = np.float64(logits[i]), np.float64(heatmap[i])
        z = -x if y == 1 else x
        e = math.exp(-abs(z))
        p, q = (1 / (1 + e), e / (1 + e)) if z > 0 else (e / (1 + e), 1 / (1 + e))
        softplus = (z if z > 0 else 0.0) + math.log1p(e)
        scaled = (1.0 if y == 1 else (1 - y) ** beta) * p**alpha
        loss[i] = scaled * softplus
        if len(slope):
            steep = scaled * (p + alpha * q * softplus)
            slope[i] = -steep if y == 1 else steep
