"""Results that are written around the caches are those that are not, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numba import njit

from bev3d_ops import _overlap_kinds as kinds
from bev3d_ops.cpu import _overlap_aligned as aligned
from bev3d_ops.cpu import _overlap_pairwise as pairwise
from bev3d_ops.cpu import _scatter_back as scatter
from bev3d_ops.cpu import _streams as streams
from bev3d_ops.cpu._memory import empty

DTYPES = [np.float32, np.float64]
MANY = 80_000  # rows of seven float32: more than the memory that is kept, which starts at a line


def _boxes(count: int, dtype: type, seed: int = 0, span: float = 20.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    low, high = [-span] * 2 + [-1, 0.5, 0.5, 0.5, -4], [span] * 2 + [1, 5, 3, 2, 4]
    boxes = generator.uniform(low, high, (count, 7))
    boxes[::97] = np.nan
    boxes[1::89, 4] = -1.0
    return boxes.astype(dtype)


def _both_ways(monkeypatch: pytest.MonkeyPatch, module: Any, run: Callable[[], Any]) -> list[Any]:
    """Through the caches, and around them: that it does is part of the test."""
    results, went = [], []

    def spied(*arrays: np.ndarray) -> bool:
        went.append(streams.may_go_around(*arrays))
        return went[-1]

    monkeypatch.setattr(module, "may_go_around", spied)
    for least in (1 << 62, 1 << 20):
        monkeypatch.setattr(streams, "LARGE_BYTES", least)
        results.append(run())
        assert any(went) == (least == 1 << 20)
    return results


@njit
def _copied(source, out, place, lines):
    streams.copy_around(source, out, place, lines)
    streams.end_streams()


def _at_a_line(count: int, dtype: type) -> np.ndarray:
    space = np.full(count + 64, -1, dtype)
    skip = -space.ctypes.data % streams.LINE_BYTES // space.itemsize
    return space[skip : skip + count]


@pytest.mark.parametrize("dtype", DTYPES)
def test_lines_are_copied_and_nothing_beside_them(dtype: type) -> None:
    out, each = _at_a_line(400, dtype), streams.LINE_BYTES // np.dtype(dtype).itemsize
    source = np.arange(200, dtype=dtype)[1:]  # not at a line
    _copied(source, out, 3 * each, 5)
    expected = np.full(400, -1, dtype)
    expected[3 * each : 8 * each] = source[: 5 * each]
    np.testing.assert_array_equal(out, expected)
    _copied(source, out, 0, 0)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize(("begin", "end"), [(0, 0), (0, 400), (1, 2), (3, 15), (5, 45), (16, 48), (31, 400), (7, 7)])
def test_any_range_is_cleared_and_nothing_beside_it(dtype: type, around: bool, begin: int, end: int) -> None:
    out, expected = _at_a_line(400, dtype), np.full(400, -1, dtype)
    streams.clear(out, begin, end, around)
    expected[begin:end] = 0
    np.testing.assert_array_equal(out, expected)


def test_only_large_arrays_at_a_line_go_around(monkeypatch: pytest.MonkeyPatch) -> None:
    large = empty(1 << 22, np.float64)
    assert streams.may_go_around(large)
    assert not streams.may_go_around(large[:-1])  # too small
    assert streams.may_go_around(large[: 1 << 21], large[1 << 21 :])  # together
    assert streams.may_go_around(large, np.empty(0))
    monkeypatch.setattr(streams, "LARGE_BYTES", 1 << 20)
    assert streams.may_go_around(large[8:])
    assert not streams.may_go_around(large[1:])  # not at a line


@pytest.mark.parametrize("kind", [kinds.INTERSECTION_BEV, kinds.IOU_BEV, kinds.IOU_3D, kinds.GIOU_3D, kinds.EIOU_3D])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_pairs(monkeypatch: pytest.MonkeyPatch, dtype: type, kind: int) -> None:
    a, b = _boxes(MANY + 17, dtype, span=3), _boxes(MANY + 17, dtype, seed=1, span=3)
    plain, around = _both_ways(monkeypatch, aligned, lambda: aligned.aligned_overlap_with_gradient(a, b, kind))
    for one, other in zip(plain, around, strict=True):
        assert np.count_nonzero(other) > MANY // 4
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wanted", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_times_factors(monkeypatch: pytest.MonkeyPatch, dtype: type, wanted: tuple[bool, bool]) -> None:
    a, b = _boxes(MANY + 1, dtype, span=3), _boxes(MANY + 1, dtype, seed=1, span=3)
    factors = np.linspace(-2, 2, len(a)).astype(dtype)
    kept = aligned.aligned_overlap_with_gradient(a, b, kinds.IOU_3D)[1:]

    def run() -> tuple[np.ndarray, np.ndarray]:
        return aligned.aligned_overlap_backward(factors, a, b, kinds.IOU_3D, wanted)

    for plain, around, rows, is_wanted in zip(*_both_ways(monkeypatch, aligned, run), kept, wanted, strict=True):
        np.testing.assert_array_equal(plain, around)
        assert len(around) == (len(a) if is_wanted else 0)
        if is_wanted:
            np.testing.assert_allclose(around, factors[:, None] * rows, rtol=1e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_matrices_over_memory_that_was_used(monkeypatch: pytest.MonkeyPatch, dtype: type, threads: int) -> None:
    a, b = _boxes(1001, dtype), _boxes(803, dtype, seed=1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)

    def run() -> np.ndarray:
        empty((1001, 803), dtype).fill(np.nan)  # what the matrix may then stand on
        return pairwise.pairwise_overlap(a, b, kinds.IOU_BEV)

    try:
        plain, around = _both_ways(monkeypatch, pairwise, run)
    finally:
        torch.set_num_threads(before)
    small = np.concatenate([pairwise.pairwise_overlap(a[i : i + 50], b, kinds.IOU_BEV) for i in range(0, 1001, 50)])
    assert np.count_nonzero(small) > 5_000
    np.testing.assert_array_equal(plain, small)
    np.testing.assert_array_equal(around, small)


@pytest.mark.parametrize("channels", [16, 32, 40])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gathered_rows(monkeypatch: pytest.MonkeyPatch, dtype: type, channels: int) -> None:
    values, index, expected = _to_gather(dtype, channels)
    if channels * values.itemsize % streams.LINE_BYTES == 0:
        for rows in _both_ways(monkeypatch, scatter, lambda: scatter.gather_rows(values, index)):
            np.testing.assert_array_equal(rows, expected)
    else:  # no whole lines
        monkeypatch.setattr(streams, "LARGE_BYTES", 1 << 20)
        np.testing.assert_array_equal(scatter.gather_rows(values, index), expected)


def _to_gather(dtype: type, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    values = generator.standard_normal((500, channels)).astype(dtype)
    index = generator.integers(-1, 501, MANY)
    return values, index, np.where(((index < 0) | (index > 499))[:, None], 0, values[np.clip(index, 0, 499)])
