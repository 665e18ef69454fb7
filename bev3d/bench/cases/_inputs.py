"""The same input for all: boxes on a street, pairs, heaps, clouds."""

from __future__ import annotations

from functools import cache

import numpy as np

__all__ = ["cloud", "heaps", "pairs", "street"]


def street(n: int, seed: int = 0, *, spread_m: float = 50.0) -> np.ndarray:
    """Vehicles (n, 7) anywhere in a square of twice ``spread_m``."""
    rng = np.random.default_rng(seed)
    boxes = np.empty((n, 7))
    boxes[:, :2] = rng.uniform(-spread_m, spread_m, (n, 2))
    boxes[:, 2] = rng.normal(0, 0.5, n)
    boxes[:, 3:6] = rng.uniform([3, 1.5, 1.2], [6, 2.5, 2], (n, 3))
    boxes[:, 6] = rng.uniform(-np.pi, np.pi, n)
    return boxes


def pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 7) and predictions of them."""
    a = street(n, seed=1)
    b = a + np.random.default_rng(2).normal(0, 0.3, a.shape)
    b[:, 3:6] = np.abs(b[:, 3:6]) + 0.1
    return a, b


@cache
def heaps(n: int, each: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 7) in heaps of about ``each``, at the same density for every n, and scores (n,)."""
    rng = np.random.default_rng(3)
    count = max(1, n // each)
    centres = street(count, seed=4, spread_m=50 * (count / 200) ** 0.5)
    boxes = centres[rng.integers(0, count, n)] + rng.normal(0, 0.15, (n, 7))
    return boxes, rng.random(n)


@cache
def cloud(n: int, *, swept: bool = False) -> np.ndarray:
    """Points (n, 5) float32: x, y, z, intensity, time lag; dense near the sensor; in random order or by azimuth."""
    rng = np.random.default_rng(5)
    radius, azimuth = 2 + 50 * rng.beta(1, 5, n), rng.uniform(-np.pi, np.pi, n)
    if swept:
        azimuth.sort()
    points = np.empty((n, 5), np.float32)
    points[:, 0], points[:, 1] = radius * np.cos(azimuth), radius * np.sin(azimuth)
    points[:, 2] = np.where(rng.random(n) < 0.6, rng.normal(-1.6, 0.05, n), rng.normal(-0.5, 0.8, n))  # ground, rest
    points[:, 3], points[:, 4] = rng.random(n), rng.integers(0, 10, n) * 0.05
    return points
