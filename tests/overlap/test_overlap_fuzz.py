"""Ten million pairs of every kind of trouble: no overlap outside its bounds, no NaN, on any implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from oracles import adversarial
from oracles.host_kernels import host_launch

from bev3d_ops._overlap_kinds import EIOU_3D, GIOU_HULL_3D, IOU_3D, IOU_BEV
from bev3d_ops.cpu._overlap_aligned import aligned_overlap, aligned_overlap_with_gradient
from bev3d_ops.cpu._overlap_pairwise import pairwise_overlap
from bev3d_ops.cuda import _overlap as cuda

CHUNK = 250_000

Generator = np.random.Generator
Pair = tuple[np.ndarray, np.ndarray]


def _near(rng: Generator, a: np.ndarray) -> np.ndarray:
    """Partners that differ by anything from nothing to metres."""
    size = np.exp(rng.uniform(np.log(1e-9), np.log(3), (len(a), 1)))
    return a + rng.normal(0, 1, a.shape) * size * [1, 1, 1, 0.3, 0.3, 0.3, 0.2]


def _mixed_scales(rng: Generator) -> Pair:
    a = adversarial.boxes(rng, CHUNK, low=1e-4, high=1e3, spread=5)
    return a, adversarial.boxes(rng, CHUNK, low=1e-4, high=1e3, spread=5)


def _identical(rng: Generator) -> Pair:
    a = adversarial.boxes(rng, CHUNK, spread=1e5)
    return a, a


def _nearly_identical(rng: Generator) -> Pair:
    a = adversarial.boxes(rng, CHUNK)
    return a, _near(rng, a)


def _far_from_the_origin(rng: Generator) -> Pair:
    a = adversarial.boxes(rng, CHUNK)
    a[:, :2] += np.exp(rng.uniform(0, np.log(1e8), (CHUNK, 2)))
    return a, _near(rng, a)


def _quarter_turns(rng: Generator) -> Pair:
    """Sides in one line, corners on corners, on a grid of quarter metres."""
    a, b = (np.round(adversarial.boxes(rng, CHUNK, spread=4) * 4) / 4 for _ in range(2))
    a[:, 6] = rng.uniform(-4, 4, CHUNK)
    b[:, 6] = a[:, 6] + rng.integers(-4, 5, CHUNK) * np.pi / 2
    return a, b


def _no_extent(rng: Generator) -> Pair:
    a = adversarial.boxes(rng, CHUNK, spread=3)
    b = _near(rng, a)
    for boxes in (a, b):
        boxes[rng.random((CHUNK, 7)) < [0, 0, 0, 0.2, 0.2, 0.2, 0]] = 0
        boxes[rng.random((CHUNK, 7)) < [0, 0, 0, 0.1, 0.1, 0.1, 0]] *= -1
    return a, b


def _not_finite(rng: Generator) -> Pair:
    a, b = _nearly_identical(rng)
    for boxes in (a, b):
        for value in (np.nan, np.inf, -np.inf, 1e38, -1e300, 1e-300, 1e-39):
            boxes[rng.random((CHUNK, 7)) < 0.02] = value
    return a, b


def _strips(rng: Generator) -> Pair:
    a = adversarial.boxes(rng, CHUNK, low=1e-3, high=100, spread=1)
    b = _near(rng, a)
    a[:, 4] *= 1e-3
    b[:, 4] = a[:, 4] * rng.uniform(0.5, 2, CHUNK)
    return a, b


def _any_exponent(rng: Generator) -> Pair:
    a, b = (rng.choice([-1.0, 1, 1], (CHUNK, 7)) * 10.0 ** rng.uniform(-45, 42, (CHUNK, 7)) for _ in range(2))
    b[: CHUNK // 2, :3] = a[: CHUNK // 2, :3]
    return a, b


def _yaws_of_many_turns(rng: Generator) -> Pair:
    a, b = _nearly_identical(rng)
    for boxes in (a, b):
        boxes[:, 6] *= 10.0 ** rng.uniform(0, 20, CHUNK)
    return a, b


FAMILIES: list[Callable[[Generator], Pair]] = [
    _mixed_scales,
    _identical,
    _nearly_identical,
    _far_from_the_origin,
    _quarter_turns,
    _no_extent,
    _not_finite,
    _strips,
    _any_exponent,
    _yaws_of_many_turns,
]


def are_boxes(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (np.isfinite(a) & np.isfinite(b)).all(axis=1)


def draw(family: Callable[[Generator], Pair], dtype: Any, seed: int) -> Pair:
    a, b = family(np.random.default_rng([FAMILIES.index(family), seed]))
    with np.errstate(over="ignore"):
        return a.astype(dtype), b.astype(dtype)


# 10 families, 2 types, 2 seeds and 250,000 pairs are ten million
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__[1:])
def test_ten_million_pairs_stay_in_bounds(family: Callable[[Generator], Pair], dtype: Any, seed: int) -> None:
    a, b = draw(family, dtype, seed)
    for kind in (IOU_BEV, IOU_3D):
        value = aligned_overlap(a, b, kind)
        assert value.dtype == dtype
        assert ((value >= 0) & (value <= 1)).all()  # which no NaN passes
        assert (value[~are_boxes(a, b)] == 0).all()
        if family is _identical:
            assert np.abs(value - 1).max() <= 1e-6


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__[1:])
def test_the_other_implementations_stay_in_bounds_too(family: Callable[[Generator], Pair], dtype: Any) -> None:
    a, b = draw(family, dtype, 2)
    good = are_boxes(a, b)
    for kind in (IOU_BEV, IOU_3D):
        limits = (a, b, kind)
        for matrix in (
            pairwise_overlap(a[:600], b[:500], kind),
            _on_device(cuda.pairwise_overlap, a[:300], b[:250], kind),
        ):
            assert ((matrix >= 0) & (matrix <= 1)).all()
        value = _on_device(cuda.aligned_overlap, *limits)
        assert ((value >= 0) & (value <= 1)).all()
        assert (value[~good] == 0).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__[1:])
def test_gradients_are_finite(family: Callable[[Generator], Pair], dtype: Any) -> None:
    a, b = (boxes[:100_000] for boxes in draw(family, dtype, 3))
    good = are_boxes(a, b)
    # the derivative by a size is up to 1 / size, which float32 holds from 3e-39 m on
    sizes = np.concatenate([a[:, 3:6], b[:, 3:6]], axis=1)
    representable = ~((sizes > 0) & (sizes < 1e-37)).any(axis=1)
    for kind in (IOU_3D, GIOU_HULL_3D, EIOU_3D):
        for form in (aligned_overlap_with_gradient, _device_gradient):
            value, *grads = form(a, b, kind)
            assert ((value >= (0 if kind == IOU_3D else -4)) & (value <= 1)).all()
            for grad in grads:
                assert np.isfinite(grad[representable]).all(), (form, kind)
                assert (grad[~good] == 0).all()


def _on_device(function: Callable[..., torch.Tensor], a: np.ndarray, b: np.ndarray, kind: int) -> np.ndarray:
    return function(host_launch, torch.from_numpy(a), torch.from_numpy(b), kind).numpy()


def _device_gradient(a: np.ndarray, b: np.ndarray, kind: int) -> list[np.ndarray]:
    results = cuda.aligned_overlap_with_gradient(host_launch, torch.from_numpy(a), torch.from_numpy(b), kind)
    return [result.numpy() for result in results]
