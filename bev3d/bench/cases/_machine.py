"""What a second thread brings on this machine at all: arithmetic in registers, a copy, memory touched first.

No limit is asked of these: they are what the limits of other cases are to be read beside. Most kernels lie between the
first and the second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from bev3d.bench._case import Case, Cases, peer
from bev3d_ops.cpu._threads import run_in_ranges

__all__ = ["CASES"]

_LANES = 64


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _multiply_and_add(first: int, last: int, out: np.ndarray) -> None:
    """Sixteen for each item and lane, one after the other, so that no store stands between them."""
    values = np.ones(_LANES)
    for _ in range(first, last):
        for k in range(_LANES):
            value = values[k]
            for _ in range(16):
                value = value * 0.999 + 0.5
            values[k] = value
    out[first] = values[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _copy(first: int, last: int, source: np.ndarray, target: np.ndarray) -> None:
    part, into = source[first:last], target[first:last]  # a loop over part of an array is not vectorised
    for i in range(len(into)):
        into[i] = part[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(first: int, last: int, target: np.ndarray) -> None:
    into = target[first:last]
    for i in range(len(into)):
        into[i] = 1.0


def _two(
    name: str,
    items: int,
    unit: str,
    kernel: Callable[..., Any],
    given: Callable[[], tuple[Any, ...]],
    moved_bytes: int | None = None,
) -> Case:
    def run() -> None:
        arrays = given()
        run_in_ranges(lambda first, last: kernel(first, last, *arrays), items, 1)

    contestants = {label: peer(run, threads, read=lambda _: None) for label, threads in _LABELS.items()}
    return Case(f"What this machine gains: {name}", items, unit, contestants, moved_bytes=moved_bytes)


_LABELS = {"one thread": 1, "two threads": 2}


def _arithmetic(small: bool) -> Case:
    n = 1000 if small else 200_000
    out = np.zeros(n)
    return _two(f"multiplications and additions, {n * _LANES * 16:,}", n, "step", _multiply_and_add, lambda: (out,))


def _copying(small: bool) -> Case:
    n = 1000 if small else 8_000_000
    source, target = np.ones(n), np.ones(n)
    return _two(f"a copy of {8 * n / 1e6:g} MB", n, "number", _copy, lambda: (source, target), 16 * n)


def _touching(small: bool) -> Case:
    n = 1000 if small else 8_000_000
    return _two(f"{8 * n / 1e6:g} MB of new memory", n, "number", _fill, lambda: (np.empty(n),), 8 * n)


CASES: Cases = {"machine-arithmetic": _arithmetic, "machine-copy": _copying, "machine-memory": _touching}
