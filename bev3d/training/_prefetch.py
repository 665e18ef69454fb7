"""Values made ahead of their use, by a thread or by processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

import torch

from bev3d._errors import UserError
from bev3d.jobs._executor import end_with_parent
from bev3d.training._clock import StageClock
from bev3d.training._pack import Packed, pack, unpack

__all__ = ["prefetch"]

Key = TypeVar("Key")
Value = TypeVar("Value")


def prefetch(
    make: Callable[[Key], Value],
    keys: Iterable[Key],
    *,
    ahead: int = 2,
    workers: int = 0,
    describe: Callable[[Key], str] = str,
    clock: StageClock | None = None,
) -> Generator[Value]:
    """``make(key)`` for every key, in order, made before it is asked for.

    A thread costs no copies, and reading files and the compiled kernels let go of Python's lock; where they are not
    all of the work, processes are faster. The values are the same, bit for bit. An error in ``make`` is raised where
    its value would have come.

    Args:
        make: makes a value; for processes it can be pickled, as can its values.
        keys: what to make values for.
        ahead: values that a thread stays in front; processes stay two each.
        workers: processes, which are spawned (a script needs ``if __name__ == "__main__":``); 0: a thread.
        describe: names a key's samples in an error.
        clock: counts the seconds that the caller waits.

    Raises:
        UserError: a process died; the text names the samples that were in work.
    """
    clock = StageClock() if clock is None else clock
    waiting = iter(keys)
    pool, run = _pool(make, workers)
    futures: deque[tuple[Key, Future[Any]]] = deque()

    def submit(count: int) -> None:
        futures.extend((key, pool.submit(run, key)) for key in islice(waiting, count))

    try:
        submit(ahead if workers == 0 else 2 * workers)
        while futures:
            with clock.waiting():
                made = futures[0][1].result()
            value = unpack(made) if workers else made
            futures.popleft()
            submit(1)
            yield value
    except BrokenProcessPool as error:
        in_work = "; ".join(describe(key) for key, future in futures if not _is_made(future))
        raise UserError(
            f"loader_workers: a process died while it prepared one of these samples: {in_work}. Where memory is short "
            "the system kills processes (also where /dev/shm is full): use fewer, or 0 for a thread"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(make: Callable[[Key], Value], workers: int) -> tuple[Executor, Callable[[Key], Any]]:
    if workers == 0:
        return ThreadPoolExecutor(1, thread_name_prefix="bev3d-prefetch"), make
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of threads that run here
    return ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(make,)), _make_in_process


def _is_made(future: Future[Any]) -> bool:
    return future.done() and future.exception() is None


_made_by: list[Callable[[Any], Any]] = []


def _begin(make: Callable[[Any], Any]) -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent says what becomes of it
    torch.set_num_threads(1)
    _made_by[:] = [make]


def _make_in_process(key: Any) -> Packed:
    return pack(_made_by[0](key))
