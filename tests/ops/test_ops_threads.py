"""Every item once, whatever the number of threads."""

from __future__ import annotations

import threading

import pytest
import torch

from bev3d_ops.cpu._threads import run_in_ranges


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(("count", "least"), [(0, 1), (1, 1), (7, 1), (100, 10), (100, 1000)])
def test_ranges_tile_the_whole(threads: int, count: int, least: int) -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    lock = threading.Lock()

    def kernel(start: int, stop: int) -> None:
        with lock:
            seen.extend(range(start, stop))

    try:
        torch.set_num_threads(threads)
        run_in_ranges(kernel, count, least)
    finally:
        torch.set_num_threads(before)
    assert sorted(seen) == list(range(count))


def test_an_error_in_a_thread_comes_out() -> None:
    before = torch.get_num_threads()

    def kernel(start: int, stop: int) -> None:
        if start:
            raise RuntimeError("second half")

    try:
        torch.set_num_threads(2)
        with pytest.raises(RuntimeError, match="second half"):
            run_in_ranges(kernel, 10, 1)
    finally:
        torch.set_num_threads(before)
