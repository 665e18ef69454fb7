"""The vectorised sine and cosine against the C library's."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from bev3d_ops.cpu._trigonometry import FAR, FAR_SINGLE, sin_cos, sin_cos_single


@njit(fastmath={"nnan", "ninf", "nsz", "arcp", "contract"})
def _all(angles):  # type: ignore[no-untyped-def]
    out = np.empty((2, len(angles)))
    for i in range(len(angles)):
        out[0, i], out[1, i] = sin_cos(angles[i])
    return out


@pytest.mark.parametrize("reach", [1e-8, 1.0, 10.0, 1e3, FAR])
def test_agrees_with_the_c_library(reach: float) -> None:
    angles = np.random.default_rng(0).uniform(-reach, reach, 50_000)
    sine, cosine = _all(angles)
    assert np.abs(sine - np.sin(angles)).max() <= 3e-16
    assert np.abs(cosine - np.cos(angles)).max() <= 3e-16


def test_agrees_at_quarter_turns() -> None:
    """Where the result is near 0 and the reduction cancels nearly all digits."""
    angles = np.arange(-60_000, 60_001) * (np.pi / 2)
    angles = angles[np.abs(angles) < FAR]
    sine, cosine = _all(angles)
    assert np.abs(sine - np.sin(angles)).max() <= 3e-16
    assert np.abs(cosine - np.cos(angles)).max() <= 3e-16


def test_zero_is_exact() -> None:
    assert _all(np.zeros(1)).tolist() == [[0.0], [1.0]]


@njit(fastmath={"nnan", "ninf", "nsz", "arcp", "contract"})
def _all_single(angles):  # type: ignore[no-untyped-def]
    out = np.empty((2, len(angles)), np.float32)
    for i in range(len(angles)):
        out[0, i], out[1, i] = sin_cos_single(angles[i])
    return out


@pytest.mark.parametrize("reach", [1e-8, 1.0, 10.0, FAR_SINGLE])
def test_float32_agrees_with_float64(reach: float) -> None:
    angles = np.random.default_rng(0).uniform(-reach, reach, 50_000).astype(np.float32)
    quarters = np.arange(-120, 121) * (np.pi / 2)
    angles = np.concatenate([angles, quarters[np.abs(quarters) < reach].astype(np.float32)])
    sine, cosine = _all_single(angles)
    assert sine.dtype == np.float32
    assert np.abs(sine - np.sin(angles.astype(np.float64))).max() <= 1.2e-7
    assert np.abs(cosine - np.cos(angles.astype(np.float64))).max() <= 1.2e-7
