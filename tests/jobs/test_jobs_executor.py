"""Executors: one state a worker, every item once, errors as they are, refusals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from bev3d import MissingPackageError
from bev3d.jobs import make_executor


def _setup(start: int) -> list[int]:
    if start < 0:
        raise ValueError(f"start: expected a number >= 0, got {start}")
    return [start]


def _add(state: list[int], item: int) -> tuple[int, int]:
    """The state grows, so that the number of set-ups shows."""
    if item == 13:
        raise KeyError("thirteen")
    state.append(item)
    return item, state[0] + item


def test_sequential_every_item_once_and_errors_as_they_are() -> None:
    executor = make_executor("sequential")
    assert dict(executor.run(partial(_setup, 100), _add, list(range(10)))) == {i: 100 + i for i in range(10)}
    assert list(executor.run(partial(_setup, 100), _add, [])) == []
    with pytest.raises(KeyError, match="thirteen"):
        list(executor.run(partial(_setup, 100), _add, [1, 13]))
    with pytest.raises(ValueError, match="start: expected a number >= 0, got -1"):
        list(executor.run(partial(_setup, -1), _add, [1, 2, 3]))


@pytest.mark.slow
def test_processes_pass_errors_on() -> None:
    assert list(make_executor("process").run(partial(_setup, 100), _add, [])) == []
    with pytest.raises(ValueError, match="start: expected a number >= 0, got -1"):
        list(make_executor("process", workers=1).run(partial(_setup, -1), _add, [1]))


def test_sequential_sets_up_once() -> None:
    states: list[list[int]] = []

    def setup() -> list[int]:
        states.append([0])
        return states[-1]

    list(make_executor("sequential").run(setup, _add, [1, 2, 3]))
    assert states == [[0, 1, 2, 3]]


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="executor: expected one of sequential, process, ray, got 'threads'"):
        make_executor("threads")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="workers: expected an integer >= 1, got 0"):
        make_executor("process", workers=0)


def test_ray_absent_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r"executor='ray' needs the package 'ray'.*bev3d\[ray\]"):
        make_executor("ray")


class _Method:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.remote = function


class _Pool:
    def __init__(self, actors: list[Any]) -> None:
        self.actors = actors

    def map_unordered(self, call: Callable[[Any, Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for i, item in enumerate(items):
            yield call(self.actors[i % len(self.actors)], item)


def _stand_in(log: list[str]) -> tuple[ModuleType, ModuleType]:
    """The few names of Ray that the executor calls, in this process."""

    def remote(cls: type) -> Any:
        def create(*arguments: Any) -> Any:
            actor = cls(*arguments)
            log.append("actor")
            actor.run = _Method(actor.run)
            return actor

        return _Method(create)

    ray, util = ModuleType("ray"), ModuleType("ray.util")
    names: dict[str, Any] = {
        "is_initialized": lambda: False,
        "init": lambda **options: log.append(f"init {options['num_cpus']}"),
        "shutdown": lambda: log.append("shutdown"),
        "remote": remote,
    }
    for name, value in names.items():
        setattr(ray, name, value)
    util.ActorPool = _Pool  # type: ignore[attr-defined]
    return ray, util


def test_ray_actors_by_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    for name, module in zip(("ray", "ray.util"), _stand_in(log), strict=True):
        monkeypatch.setitem(sys.modules, name, module)
    executor = make_executor("ray", workers=3)
    assert dict(executor.run(partial(_setup, 5), _add, list(range(6)))) == {item: 5 + item for item in range(6)}
    assert log == ["init 3", "actor", "actor", "actor", "shutdown"]
    with pytest.raises(KeyError):
        list(executor.run(partial(_setup, 5), _add, [13]))
    assert log[-1] == "shutdown"
