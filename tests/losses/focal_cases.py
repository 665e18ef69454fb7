"""Maps for the tests of the heatmap focal loss, and its values in high precision."""

from __future__ import annotations

import functools
import itertools

import mpmath
import torch

__all__ = ["exact_cases", "focal_maps"]


def _exact(x: float, y: float, alpha: float = 2, beta: float = 4) -> tuple[float, float]:
    """Loss and slope from the textbook's formula, at least 60 digits."""
    # 1 - p has some x / ln 10 zeros before its first digit
    with mpmath.workdps(60 + int(abs(x) / 2)):

        def loss(logit: mpmath.mpf) -> mpmath.mpf:
            p = 1 / (1 + mpmath.exp(-logit))
            if y == 1:
                return -((1 - p) ** alpha) * mpmath.log(p)
            return -((1 - mpmath.mpf(y)) ** beta) * p**alpha * mpmath.log(1 - p)

        return float(loss(mpmath.mpf(x))), float(mpmath.diff(loss, mpmath.mpf(x)))


@functools.cache
def exact_cases() -> list[tuple[float, float, float, float]]:
    logits = [0.0, 1e-3, -0.5, 0.7, 3.0, -3.0, 9.0, -9.5, 20.0, -20.0, 40.0, -40.0, 87.5, -87.5, 104.0, -104.0]
    heatmap = [0.0, 0.25, 0.5, 0.9990234375, 1.0]
    pairs = [*itertools.product(logits, heatmap), *itertools.product([1e3, -1e3, 1e4, -1e4], [0.5, 1.0])]
    return [(x, y, *_exact(x, y)) for x, y in pairs]


def focal_maps(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator, dtype=torch.float64) * 3
    heatmap = torch.rand(shape, generator=generator, dtype=torch.float64)
    heatmap[torch.rand(shape, generator=generator) < 0.1] = 1
    return logits.to(dtype), heatmap.to(dtype)
