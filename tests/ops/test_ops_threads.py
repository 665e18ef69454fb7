"""Every item once, whatever the number of threads."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from bev3d_ops.cpu import _threads
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


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_an_error_waits_for_the_other_thread() -> None:
    done = []

    def kernel(start: int, stop: int) -> None:
        if not start:
            raise RuntimeError("first half")
        time.sleep(0.05)
        done.append(start)

    with pytest.raises(RuntimeError, match="first half"):
        run_in_ranges(kernel, 10, 1)
    assert done == [5]


def _in_two_threads(names: multiprocessing.Queue[list[str]]) -> None:
    torch.set_num_threads(2)
    seen: list[str] = []
    run_in_ranges(lambda start, stop: seen.append(threading.current_thread().name), 10, 1)
    names.put(seen)


@pytest.mark.usefixtures("two_threads")
def test_a_forked_child_has_threads_of_its_own() -> None:
    seen: list[int] = []
    run_in_ranges(lambda start, stop: seen.append(start), 10, 1)  # the parent's are there
    context = multiprocessing.get_context("fork")
    names = context.Queue()
    child = context.Process(target=_in_two_threads, args=(names,))
    child.start()
    assert len(names.get(timeout=20)) == 2
    child.join(timeout=20)
    assert child.exitcode == 0


@pytest.mark.usefixtures("two_threads")
def test_calls_from_many_threads_do_not_wait_for_each_other_for_ever() -> None:
    def call(_: int) -> int:
        seen: list[int] = []
        run_in_ranges(lambda start, stop: seen.extend(range(start, stop)), 100, 1)
        return len(seen)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(200))) == [100] * 200


@pytest.mark.usefixtures("two_threads")
def test_threads_are_kept() -> None:
    names: set[str] = set()

    def kernel(start: int, stop: int) -> None:
        names.add(threading.current_thread().name)
        time.sleep(0.01)  # as a kernel that has given up the interpreter lock: else the first thread takes all

    for _ in range(20):
        run_in_ranges(kernel, 10, 1)
    assert len(names) == 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinities")
@pytest.mark.usefixtures("two_threads")
def test_threads_keep_the_processors_that_the_process_has() -> None:
    allowed = os.sched_getaffinity(0)
    seen: list[set[int]] = []

    def kernel(start: int, stop: int) -> None:
        seen.append(os.sched_getaffinity(0))
        time.sleep(0.01)

    for _ in range(10):
        run_in_ranges(kernel, 10, 1)
    assert len(seen) == 20
    assert all(processors == allowed for processors in seen)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinities")
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("error", [PermissionError, ProcessLookupError])
@pytest.mark.parametrize("function", ["sched_getaffinity", "sched_setaffinity"])
def test_a_system_that_forbids_to_send_threads(
    monkeypatch: pytest.MonkeyPatch, error: type[OSError], function: str
) -> None:
    def refuse(*args: object) -> None:
        raise error(1, "not permitted")

    _threads._team.cache_clear()
    seen: list[int] = []
    run_in_ranges(lambda start, stop: time.sleep(0.01), 10, 1)  # there are threads now
    monkeypatch.setattr(os, function, refuse)
    for _ in range(3):
        run_in_ranges(lambda start, stop: seen.extend(range(start, stop)), 10, 1)
    assert sorted(seen) == sorted([*range(10)] * 3)
    _threads._team.cache_clear()
