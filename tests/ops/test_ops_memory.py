"""Large arrays in memory of their own are like any other."""

from __future__ import annotations

import gc
import mmap
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from bev3d_ops.cpu._memory import _IDLE, LEAST_BYTES, MOST_IDLE_BYTES, empty, empty_rows, zeros


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_zeros_are_zeros_whatever_their_size(dtype: type[np.generic]) -> None:
    large = LEAST_BYTES // np.dtype(dtype).itemsize + 3
    for shape in (0, 5, (3, 0, 2), (4, 5), large, (3, large // 3 + 1)):
        array = zeros(shape, dtype)
        expected = np.zeros(shape, dtype)
        assert (array.shape, array.dtype, array.flags.c_contiguous) == (expected.shape, expected.dtype, True)
        assert array.flags.writeable
        assert not array.any()


def test_a_large_array_outlives_what_made_it() -> None:
    tensor = torch.from_numpy(zeros((LEAST_BYTES // 8 + 7, 2), np.float64)[3:])
    gc.collect()
    tensor += 1
    assert float(tensor.sum()) == tensor.numel()
    if hasattr(mmap, "MADV_HUGEPAGE"):
        assert zeros(LEAST_BYTES, np.int8).ctypes.data % (1 << 21) == 0


def test_a_system_without_huge_pages_gets_plain_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses(mmap.mmap):
        def madvise(self, *args: int) -> None:
            raise OSError("invalid argument")

    monkeypatch.setattr(mmap, "mmap", Refuses)
    assert not zeros(LEAST_BYTES, np.int8).any()
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    assert not zeros(LEAST_BYTES, np.int8).any()


@pytest.mark.parametrize("rows", [0, 3, LEAST_BYTES // 8])
def test_rows_do_not_overlap(rows: int) -> None:
    one, other = empty_rows(2, (rows, 2), np.float64)
    one[:], other[:] = 1, 2
    assert (one == 1).all()
    assert (other == 2).all()
    assert one.flags.c_contiguous
    assert other.flags.c_contiguous


def test_memory_is_used_again_when_nothing_stands_on_it() -> None:
    shape = (LEAST_BYTES // 8, 2)
    gc.collect()
    first = empty(shape, np.float64)
    first[:] = 1
    second = empty(shape, np.float64)
    second[:] = 2
    assert (first == 1).all()
    view, where = torch.from_numpy(first)[5:].T, first.ctypes.data
    del first
    third = empty(shape, np.float64)
    third[:] = 3
    assert (view == 1).all()  # a view is enough to keep it
    if hasattr(mmap, "MADV_FREE"):
        del view
        again = empty((shape[0] - 8, 2), np.float64)
        assert again.ctypes.data == where
        assert (second == 2).all()
        assert (third == 3).all()
        assert not zeros(shape, np.float64).any()


def test_what_is_kept_is_bounded() -> None:
    arrays = [empty(LEAST_BYTES, np.int8) for _ in range(MOST_IDLE_BYTES // LEAST_BYTES + 3)]
    for array in arrays:
        array[0] = 1
    del arrays, array
    gc.collect()
    assert _IDLE.bytes <= MOST_IDLE_BYTES


@pytest.mark.skipif(not hasattr(mmap, "MADV_FREE"), reason="a system without MADV_FREE keeps nothing")
def test_a_size_asked_for_now_displaces_one_asked_for_before() -> None:
    large = [empty(MOST_IDLE_BYTES // 2, np.int8) for _ in range(2)]
    del large
    gc.collect()
    assert _IDLE.bytes == MOST_IDLE_BYTES  # full, of what was asked for last
    size = 3 << 21
    first = empty(size, np.int8)  # there is none
    where = first.ctypes.data
    del first
    assert empty(size, np.int8).ctypes.data == where


def test_a_large_result_and_zeros_leave_what_is_kept_alone() -> None:
    del_all = [empty(LEAST_BYTES, np.int8) for _ in range(3)]
    del del_all
    kept = _IDLE.bytes
    zeros(LEAST_BYTES, np.int8)[::4096].any()
    empty(MOST_IDLE_BYTES + 1, np.int8)
    gc.collect()
    assert _IDLE.bytes == kept


def test_threads_never_get_the_same_memory() -> None:
    def work(mark: int) -> bool:
        good = True
        for _ in range(20):
            array = empty(LEAST_BYTES, np.int8)
            array[:: 1 << 12] = mark
            good &= bool((array[:: 1 << 12] == mark).all())
        return good

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(1, 9)))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_a_handler_that_lets_an_array_go_disturbs_nobody() -> None:
    held: list[np.ndarray] = []
    before = signal.signal(signal.SIGALRM, lambda *_: held.clear())
    signal.setitimer(signal.ITIMER_REAL, 2e-4, 2e-4)
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            held.append(empty(1 << 21, np.int8))
            alive = [empty(1 << 21, np.int8) for _ in range(3)]
            assert len({array.ctypes.data for array in alive}) == 3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert _IDLE.bytes <= MOST_IDLE_BYTES


def test_pages_that_the_system_may_not_take_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    array = empty(LEAST_BYTES, np.int8)
    kept = _IDLE.bytes
    monkeypatch.setattr("bev3d_ops.cpu._memory._Block._free", 12345)  # as madvise answers of locked ones
    del array
    assert _IDLE.bytes == kept
