"""Threads for kernels that release the interpreter lock.

Numba's own ``parallel=True`` is not used: its OpenMP layer ends a process that was forked after the first
parallel call (every DataLoader worker), and its fallback layer ends one that calls it from two threads.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import torch

__all__ = ["run_in_ranges"]


def run_in_ranges(kernel: Callable[[int, int], object], count: int, least: int) -> None:
    """Call ``kernel(start, stop)`` over all of ``range(count)``, in as many threads as torch may use.

    Args:
        kernel: releases the interpreter lock and writes only what belongs to its range.
        count: number of items.
        least: items that are worth a thread; below twice that the call stays in this thread.
    """
    parts = min(torch.get_num_threads(), count // max(least, 1))
    if parts <= 1:
        kernel(0, count)
        return
    edges = [count * k // parts for k in range(parts + 1)]
    pool = _pool(os.getpid(), parts - 1)
    others = [pool.submit(kernel, edges[k], edges[k + 1]) for k in range(1, parts)]
    try:
        kernel(edges[0], edges[1])
    finally:
        wait(others)  # they write to the caller's arrays
    for other in others:
        other.result()


@functools.lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads that wait for the next call: to start one takes as long as a small kernel.

    By process, since a child of fork has none of its parent's threads.
    """
    return ThreadPoolExecutor(threads, thread_name_prefix="bev3d")
