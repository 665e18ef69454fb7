"""A word while something is compiled, which happens once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["compiling"]


@contextmanager
def compiling(what: str) -> Iterator[None]:
    """Say on stderr what is being compiled and how long it took; silent where ``BEV3D_QUIET`` is set."""
    quiet = bool(os.environ.get("BEV3D_QUIET")) or sys.stderr is None
    start = time.perf_counter()
    if not quiet:
        with suppress(OSError, ValueError):
            print(f"bev3d: compiling {what}; this happens once", file=sys.stderr, flush=True)
    yield
    if not quiet:
        with suppress(OSError, ValueError):
            print(f"bev3d: compiled in {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
