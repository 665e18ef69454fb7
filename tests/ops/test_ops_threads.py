"""Threads take every range once, and a system that forbids to send them elsewhere loses nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from bev3d_ops.cpu import _threads
from bev3d_ops.cpu._threads import run_in_ranges


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    _threads._team.cache_clear()
    yield
    torch.set_num_threads(before)
    _threads._team.cache_clear()


def taken(count: int = 1000) -> list[int]:
    items: list[int] = []
    run_in_ranges(lambda start, stop: items.extend(range(start, stop)), count, 1)
    return sorted(items)


def test_every_item_once() -> None:
    for count in (0, 1, 2, 3, 1000):
        assert taken(count) == list(range(count))


def test_an_error_comes_after_all_threads_are_done() -> None:
    done: list[int] = []

    def kernel(start: int, stop: int) -> None:
        if start == 0:
            raise ValueError("the first")
        done.append(start)

    with pytest.raises(ValueError, match="the first"):
        run_in_ranges(kernel, 3, 1)
    assert sorted(done) == [1, 2]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinities")
def test_threads_keep_the_processors_that_the_process_has() -> None:
    allowed = os.sched_getaffinity(0)
    seen: list[set[int]] = []
    for _ in range(20):
        run_in_ranges(lambda start, stop: seen.append(os.sched_getaffinity(0)), 3, 1)
    assert all(processors == allowed for processors in seen)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinities")
@pytest.mark.parametrize("error", [PermissionError, ProcessLookupError])
@pytest.mark.parametrize("function", ["sched_getaffinity", "sched_setaffinity"])
def test_a_system_that_forbids_it(monkeypatch: pytest.MonkeyPatch, error: type[OSError], function: str) -> None:
    def refuse(*args: object) -> None:
        raise error(1, "not permitted")

    taken()
    monkeypatch.setattr(os, function, refuse)
    for _ in range(3):
        assert taken() == list(range(1000))
