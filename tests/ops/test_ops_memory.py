"""Large arrays in memory of their own are like any other."""

from __future__ import annotations

import gc
import mmap

import numpy as np
import pytest
import torch

from bev3d_ops.cpu._memory import LEAST_BYTES, empty_rows, zeros


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
