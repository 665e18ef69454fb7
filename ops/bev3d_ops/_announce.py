"""A word while kernels are compiled, which happens once after installation."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["announce_numba", "compiling"]

_SECONDS_WORTH_A_LINE = 2.0


class _Burst(threading.local):
    """What this thread compiles: compilations nest, since a kernel compiles those that it calls."""

    depth = 0
    start = 0.0


_burst = _Burst()
# No locks: a worker process may be forked while one is held. At worst a number is off by one.
_announced: set[str] = set()
_listening: list[bool] = []
_total = {"functions": 0, "seconds": 0.0, "seconds told": 0.0}


@contextmanager
def compiling(what: str) -> Iterator[None]:
    """Tell on stderr that ``what`` is being compiled, once for each ``what``, and afterwards how long it took.

    Silent where ``BEV3D_QUIET`` is set to anything but 0, in worker processes but the first, and without stderr.

    Args:
        what: such as ``"kernels for this processor"``.
    """
    _begin(what)
    try:
        yield
    finally:
        _end()


def announce_numba() -> None:
    """From now on tell when Numba compiles a kernel of ours; one that it loads from its cache is not worth a word."""
    if _listening:
        return
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            if _is_ours(event):
                _begin("kernels for this processor")

        def on_end(self, event: Any) -> None:
            if _is_ours(event):
                _end()

    event.register("numba:compile", Listener())
    _listening.append(True)


def _is_ours(event: Any) -> bool:
    with suppress(AttributeError, KeyError, TypeError):
        module: str = event.data["dispatcher"].py_func.__module__
        return module.split(".", 1)[0] in ("bev3d", "bev3d_ops")
    return False


def _begin(what: str) -> None:
    if _burst.depth == 0:
        _burst.start = time.perf_counter()
    _burst.depth += 1
    _total["functions"] += 1
    if what not in _announced:
        _announced.add(what)
        if len(_announced) == 1:
            atexit.register(_tell_total)
        _tell(f"bev3d: compiling {what}; this happens once after installation and takes seconds for each operation")


def _end() -> None:
    if _burst.depth == 0:  # began before we listened: a kernel that a worker received imports us as it is compiled
        return
    _burst.depth -= 1
    if _burst.depth > 0:
        return
    _total["seconds"] += time.perf_counter() - _burst.start
    if _total["seconds"] - _total["seconds told"] >= _SECONDS_WORTH_A_LINE:
        _tell_total()


def _tell_total() -> None:
    if _total["seconds"] > _total["seconds told"]:
        _total["seconds told"] = _total["seconds"]
        count = int(_total["functions"])
        _tell(f"bev3d: {count} function{'s' if count != 1 else ''} compiled so far, in {_total['seconds']:.1f} s")


def _tell(text: str) -> None:
    if os.environ.get("BEV3D_QUIET", "0") not in ("", "0") or not _speaks_for_all():
        return
    with suppress(OSError, ValueError, AttributeError):  # stderr is closed, a broken pipe, or None
        print(text, file=sys.stderr, flush=True)


def _speaks_for_all() -> bool:
    """Whether this is the main process or, of many workers that compile alike, the first."""
    return multiprocessing.parent_process() is None or multiprocessing.current_process().name.endswith("-1")
