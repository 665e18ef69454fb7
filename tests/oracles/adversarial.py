"""Twenty-six sets of pairs of boxes on which kernels for rotated overlap go wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from oracles import exact_overlap

Pair = tuple[np.ndarray, np.ndarray]
Generator = np.random.Generator

PAIRS = 2000


def boxes(rng: Generator, n: int = PAIRS, *, low: float = 0.4, high: float = 12.0, spread: float = 50.0) -> np.ndarray:
    """Boxes (n, 7) of everyday sizes, any yaw."""
    result = np.empty((n, 7))
    result[:, :2] = rng.uniform(-spread, spread, (n, 2))
    result[:, 2] = rng.uniform(-2, 2, n)
    result[:, 3:6] = np.exp(rng.uniform(np.log(low), np.log(high), (n, 3)))
    result[:, 6] = rng.uniform(-2 * np.pi, 2 * np.pi, n)
    return result


def moved(base: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Boxes shifted in their own frames."""
    result = base.copy()
    c, s = np.cos(base[:, 6]), np.sin(base[:, 6])
    result[:, 0] += along * c - across * s
    result[:, 1] += along * s + across * c
    return result


def _jitter(rng: Generator, distance: float = 0.0) -> Pair:
    a = boxes(rng)
    a[:, :2] += distance
    b = a.copy()
    b[:, :3] += rng.normal(0, 0.3, (PAIRS, 3))
    b[:, 3:6] *= np.exp(rng.normal(0, 0.15, (PAIRS, 3)))
    b[:, 6] += rng.normal(0, 0.3, PAIRS)
    return a, b


def _identical(rng: Generator, distance: float = 0.0) -> Pair:
    a = boxes(rng)
    a[:, :2] += distance
    return a, a.copy()


def _turned(rng: Generator) -> Pair:
    a = boxes(rng)
    b = a.copy()
    quarter = rng.integers(-4, 5, PAIRS)
    b[:, 6] += quarter * (np.pi / 2)
    odd = quarter % 2 == 1
    b[odd, 3], b[odd, 4] = a[odd, 4], a[odd, 3]
    return a, b


def _axis_aligned(rng: Generator) -> Pair:
    a = boxes(rng)
    a[:, 6] = rng.integers(-4, 5, PAIRS) * (np.pi / 2)
    b = a.copy()
    b[:, :2] += rng.integers(-4, 5, (PAIRS, 2)) * 0.25
    return a, b


def _abutting(rng: Generator) -> Pair:
    a = boxes(rng)
    side = rng.integers(0, 2, PAIRS)
    sign = rng.choice([-1.0, 1.0], PAIRS)
    return a, moved(a, np.where(side == 0, sign * a[:, 3], 0), np.where(side == 1, sign * a[:, 4], 0))


def _collinear(rng: Generator) -> Pair:
    a = boxes(rng)
    b = moved(a, rng.uniform(-1, 1, PAIRS) * a[:, 3], np.zeros(PAIRS))
    return a, b


def _half_shifted(rng: Generator) -> Pair:
    a = boxes(rng)
    return a, moved(a, rng.integers(-1, 2, PAIRS) * a[:, 3] / 2, rng.integers(-1, 2, PAIRS) * a[:, 4] / 2)


def _tiny_amount(rng: Generator, low: float, high: float, shape: tuple[int, ...] = (PAIRS,)) -> np.ndarray:
    return rng.choice([-1.0, 1.0], shape) * np.exp(rng.uniform(np.log(low), np.log(high), shape))


def _nearly_same_yaw(rng: Generator, low: float, high: float) -> Pair:
    a = boxes(rng)
    b = a.copy()
    b[:, 6] += _tiny_amount(rng, low, high)
    return a, b


def _nearly_same_place(rng: Generator) -> Pair:
    a = boxes(rng)
    b = a.copy()
    b[:, :2] += _tiny_amount(rng, 1e-7, 1e-3, (PAIRS, 2))
    return a, b


def _nearly_same_size(rng: Generator) -> Pair:
    a = boxes(rng)
    b = a.copy()
    b[:, 3:6] *= 1 + _tiny_amount(rng, 1e-7, 1e-3, (PAIRS, 3))
    b[:, 6] += _tiny_amount(rng, 1e-7, 1e-3)
    return a, b


def _contained(rng: Generator) -> Pair:
    a = boxes(rng, low=4)
    b = boxes(rng, low=0.1, high=1)
    b[:, :2] = a[:, :2] + rng.uniform(-0.5, 0.5, (PAIRS, 2))
    return a, b


def _concentric(rng: Generator) -> Pair:
    a, b = boxes(rng), boxes(rng)
    b[:, :3] = a[:, :3]
    return a, b


def _inside_touching(rng: Generator) -> Pair:
    a = boxes(rng)
    b = a.copy()
    b[:, 3:5] *= rng.uniform(0.1, 1, (PAIRS, 2))
    return a, moved_to(b, a, (a[:, 3] - b[:, 3]) / 2, (a[:, 4] - b[:, 4]) / 2)


def moved_to(b: np.ndarray, a: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Boxes ``b`` with their centres at the given place in the frames of ``a``."""
    result = b.copy()
    result[:, :2] = moved(a, along, across)[:, :2]
    return result


def _corner_offset(box: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    c, s = np.cos(box[:, 6]), np.sin(box[:, 6])
    along, across = p * box[:, 3] / 2, q * box[:, 4] / 2
    return np.stack([along * c - across * s, along * s + across * c], axis=1)


def _signs(rng: Generator) -> np.ndarray:
    return rng.choice([-1.0, 1.0], PAIRS)


def _vertex_on_vertex(rng: Generator) -> Pair:
    a, b = boxes(rng), boxes(rng)
    corner = a[:, :2] + _corner_offset(a, _signs(rng), _signs(rng))
    b[:, :2] = corner - _corner_offset(b, _signs(rng), _signs(rng))
    return a, b


def _vertex_on_edge(rng: Generator) -> Pair:
    a, b = boxes(rng), boxes(rng)
    place = a[:, :2] + _corner_offset(a, _signs(rng), rng.uniform(-1, 1, PAIRS))
    b[:, :2] = place - _corner_offset(b, _signs(rng), _signs(rng))
    return a, b


def _all_sizes(rng: Generator) -> Pair:
    a, b = boxes(rng, low=1e-3, high=50), boxes(rng, low=1e-3, high=50)
    reach = (a[:, 3] + b[:, 3])[:, None] / 4
    b[:, :2] = a[:, :2] + rng.normal(0, 1, (PAIRS, 2)) * reach
    return a, b


def _tiny(rng: Generator) -> Pair:
    a = boxes(rng, low=1e-4, high=1e-2)
    b = a.copy()
    b[:, :2] += rng.normal(0, 0.2, (PAIRS, 2)) * a[:, 3:5]
    b[:, 6] += rng.normal(0, 0.3, PAIRS)
    return a, b


def _strips(rng: Generator) -> Pair:
    a = boxes(rng)
    a[:, 3], a[:, 4] = 50.0, rng.uniform(0.02, 0.2, PAIRS)
    b = moved(a, rng.normal(0, 1, PAIRS), rng.normal(0, 0.05, PAIRS))
    b[:, 4] = rng.uniform(0.02, 0.2, PAIRS)
    b[:, 6] += _tiny_amount(rng, 1e-5, 1)
    return a, b


def _zero_size(rng: Generator) -> Pair:
    a, b = _jitter(rng)
    b[np.arange(PAIRS), rng.integers(3, 6, PAIRS)] = 0
    half = PAIRS // 2
    a[:half], b[:half] = b[:half].copy(), a[:half].copy()
    return a, b


SETS: dict[str, Callable[[Generator], Pair]] = {
    "jitter": _jitter,
    "identical": _identical,
    "turned by quarters": _turned,
    "axis-aligned same": _axis_aligned,
    "abutting": _abutting,
    "collinear edges": _collinear,
    "half-shifted edges": _half_shifted,
    "dyaw 1e-7 to 1e-5": lambda rng: _nearly_same_yaw(rng, 1e-7, 1e-5),
    "dyaw 1e-5 to 1e-3": lambda rng: _nearly_same_yaw(rng, 1e-5, 1e-3),
    "dxy 1e-7 to 1e-3": _nearly_same_place,
    "dsize and dyaw": _nearly_same_size,
    "contained": _contained,
    "concentric": _concentric,
    "inside and touching": _inside_touching,
    "vertex on vertex": _vertex_on_vertex,
    "vertex on edge": _vertex_on_edge,
    "jitter at 1 km": lambda rng: _jitter(rng, 1e3),
    "jitter at 10 km": lambda rng: _jitter(rng, 1e4),
    "jitter at 100 km": lambda rng: _jitter(rng, 1e5),
    "identical at 1 km": lambda rng: _identical(rng, 1e3),
    "identical at 10 km": lambda rng: _identical(rng, 1e4),
    "identical at 100 km": lambda rng: _identical(rng, 1e5),
    "sizes 1 mm to 50 m": _all_sizes,
    "tiny": _tiny,
    "strips": _strips,
    "zero size": _zero_size,
}


@cache
def _drawn(name: str) -> Pair:
    return SETS[name](np.random.default_rng([sorted(SETS).index(name), 20260715]))


def pairs(name: str, dtype: str = "float64") -> Pair:
    """Boxes (2000, 7) of the set and their partners, in ``dtype``; the same at every call, the caller's to change."""
    a, b = _drawn(name)
    return a.astype(dtype), b.astype(dtype)


@cache
def truth(name: str, dtype: str, kind: str) -> np.ndarray:
    """``iou_bev``, ``iou_3d`` or ``intersection`` of the very numbers that ``pairs`` gives, by polygon clipping."""
    a, b = pairs(name, dtype)
    return exact_overlap.each(getattr(exact_overlap, kind), a.astype(np.float64), b.astype(np.float64))
