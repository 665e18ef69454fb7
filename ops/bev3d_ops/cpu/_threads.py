"""Threads for kernels that release the interpreter lock.

Numba's own ``parallel=True`` is not used: its OpenMP layer ends a process that was forked after the first
parallel call (every DataLoader worker), and its fallback layer ends one that calls it from two threads.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
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
    # a thread that is done takes the next range: next() is one step under the interpreter lock
    left = iter([(count * k // parts, count * (k + 1) // parts) for k in range(parts)])

    def work() -> None:
        for start, stop in left:
            kernel(start, stop)

    team = _team(os.getpid(), parts - 1)
    run = team.sent_elsewhere(work)
    others = [team.pool.submit(run) for _ in range(1, parts)]
    try:
        work()
    finally:
        wait(others)  # they write to the caller's arrays
    for other in others:
        other.result()


class _Team:
    """Threads that wait for the next call: to start one takes as long as a small kernel."""

    def __init__(self, threads: int) -> None:
        self._members: list[int] = []
        self._may_send = _sched_getcpu is not None
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="bev3d", initializer=self._enrol)

    def _enrol(self) -> None:
        self._members.append(threading.get_native_id())

    def sent_elsewhere(self, work: Callable[[], None]) -> Callable[[], None]:
        """``work``, after confining the waiting threads to processors other than this one; each lifts that at once.

        In a virtual machine a processor that sleeps passes for one that was taken away. A thread that is woken is then
        put behind the one that woke it, and waits for its end. Where the system forbids it, nothing is confined.
        """
        if not self._may_send or _sched_getcpu is None:
            return work
        try:
            allowed = os.sched_getaffinity(0)
            elsewhere = allowed - {_sched_getcpu()}
            for member in self._members if elsewhere else ():
                os.sched_setaffinity(member, elsewhere)
        except OSError:
            self._may_send = False
            return work

        def run() -> None:
            try:
                os.sched_setaffinity(0, allowed)
            except OSError:
                self._may_send = False
            work()

        return run


@functools.lru_cache(maxsize=4)
def _team(process: int, threads: int) -> _Team:
    """By process, since a child of fork has none of its parent's threads."""
    return _Team(threads)


def _of_libc(name: str) -> Callable[[], int] | None:
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        # the interpreter lock is kept: to give it up for so little invites another thread
        return getattr(ctypes.PyDLL(None), name)
    except (OSError, AttributeError):
        return None


_sched_getcpu = _of_libc("sched_getcpu")
