"""The steps of the demo with their times."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bev3d._files import write_json

__all__ = ["Clock"]


class Clock:
    """Announces steps as they begin and remembers how long each took.

    A step that finds its work done takes no time; the time that it took when it did the work is kept in a file, and
    the longer one is told.

    Args:
        steps: number of steps to come, for the numbering.
        file: JSON file of seconds by step.
    """

    def __init__(self, steps: int, file: Path) -> None:
        self.steps, self.file = steps, file
        self.seconds: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}
        self._done = 0
        self._start = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        self._done += 1
        print(f"[{self._done}/{self.steps}] {name} ...", file=sys.stderr, flush=True)
        start = time.monotonic()
        yield
        took = time.monotonic() - start
        self.seconds[name] = round(max(took, self.seconds.get(name, 0.0)), 1)
        write_json(self.file, self.seconds)
        print(f"      {took:.0f} s", file=sys.stderr, flush=True)

    @property
    def elapsed(self) -> float:
        """Seconds since this run began."""
        return time.monotonic() - self._start

    @property
    def total(self) -> float:
        """Seconds of all steps when they did their work."""
        return sum(self.seconds.values())
