"""Where the items of a job are worked on."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import connection
from typing import Any, Literal, Protocol, TypeVar, get_args

import torch

from bev3d._check import check_choice
from bev3d._errors import require

__all__ = ["Executor", "ExecutorKind", "end_with_parent", "make_executor"]

State = TypeVar("State")
Item = TypeVar("Item")
Result = TypeVar("Result")
ExecutorKind = Literal["sequential", "process", "ray"]


class Executor(Protocol):
    """Runs ``work(state, item)`` for every item, with one state per worker."""

    def run(
        self, setup: Callable[[], State], work: Callable[[State, Item], Result], items: Sequence[Item]
    ) -> Iterator[Result]:
        """Yield results as they come, in any order.

        Args:
            setup: builds what a worker needs, once in each; picklable, as is ``work``.
            work: called with the worker's state and an item.
            items: picklable.

        Raises:
            Whatever ``setup`` or ``work`` raise; items not begun are then left out.
        """
        ...


def make_executor(kind: ExecutorKind, workers: int = 2) -> Executor:
    """Executor by name.

    Args:
        kind: ``sequential``, in this process; ``process``, in spawned processes (a script that uses them needs
            ``if __name__ == "__main__":``); ``ray``, in actors of the Ray cluster that this process is connected
            to, or of a local one that is started for the run.
        workers: processes or actors.

    Raises:
        ValueError: an unknown kind, ``workers`` < 1.
        MissingPackageError: ``ray`` without the package.
    """
    check_choice("executor", kind, get_args(ExecutorKind))
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers: expected an integer >= 1, got {workers!r}")
    if kind == "sequential":
        return _Sequential()
    return _Processes(workers) if kind == "process" else _Ray(workers)


class _Sequential:
    def run(
        self, setup: Callable[[], State], work: Callable[[State, Item], Result], items: Sequence[Item]
    ) -> Iterator[Result]:
        if not items:
            return
        state = setup()
        for item in items:
            yield work(state, item)


_runs = itertools.count()
_worker_state: dict[tuple[int, int], Any] = {}


class _Processes:
    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(
        self, setup: Callable[[], State], work: Callable[[State, Item], Result], items: Sequence[Item]
    ) -> Iterator[Result]:
        if not items:
            return
        run_id = (os.getpid(), next(_runs))
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of threads that run here
        pool = ProcessPoolExecutor(min(self.workers, len(items)), context, initializer=end_with_parent)
        try:
            futures = [pool.submit(_work_in_process, run_id, setup, work, item) for item in items]
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever: the queue's other end is open in it as well."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)  # what is half written has a temporary name

    threading.Thread(target=watch, name="bev3d-parent", daemon=True).start()


def _work_in_process(
    run_id: tuple[int, int], setup: Callable[[], State], work: Callable[[State, Item], Result], item: Item
) -> Result:
    """Set up on the first item and not in the pool's initialiser, whose errors reach nobody."""
    if run_id not in _worker_state:
        torch.set_num_threads(1)
        _worker_state.clear()
        _worker_state[run_id] = setup()
    return work(_worker_state[run_id], item)


class _Ray:
    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.ray = require("ray", extra="ray", purpose="executor='ray'")
        self.util = require("ray.util", extra="ray", purpose="executor='ray'")

    def run(
        self, setup: Callable[[], State], work: Callable[[State, Item], Result], items: Sequence[Item]
    ) -> Iterator[Result]:
        if not items:
            return
        ours = not self.ray.is_initialized()
        if ours:
            self.ray.init(num_cpus=self.workers, include_dashboard=False, log_to_driver=False)
        try:
            actor = self.ray.remote(_Worker)
            actors = [actor.remote(setup, work) for _ in range(min(self.workers, len(items)))]
            pool = self.util.ActorPool(actors)
            yield from pool.map_unordered(lambda worker, item: worker.run.remote(item), items)
        finally:
            if ours:
                self.ray.shutdown()


class _Worker:
    def __init__(self, setup: Callable[[], Any], work: Callable[[Any, Any], Any]) -> None:
        torch.set_num_threads(1)
        self.state, self.work = setup(), work

    def run(self, item: Any) -> Any:
        return self.work(self.state, item)
