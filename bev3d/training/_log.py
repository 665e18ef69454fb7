"""The losses of a run: kept by name, shown while it goes, written as JSON lines and as a picture."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bev3d._files import write_text
from bev3d._progress import SECONDS_BETWEEN_LINES

__all__ = ["LossLog", "TrainingProgress", "training_progress"]

FORGET = 0.1  # weight of the newest step in the losses that are shown


class LossLog:
    """Mean of every loss term over each stretch of ``every`` steps.

    Args:
        path: JSON lines: step, samples, seconds, learning_rate and ``losses`` by name.
        every: steps in a stretch.
        last_step: where the run ends, and with it the last stretch, however short; None where that is not known.
        resume_step: rows after it are forgotten: they belong to steps that will be taken again.
    """

    def __init__(self, path: Path, *, every: int, resume_step: int = 0, last_step: int | None = None) -> None:
        self.path, self.every, self.last_step = path, every, last_step
        self.rows: list[dict[str, Any]] = []
        self._sums: dict[str, float] = {}
        self._count = 0
        if resume_step and path.is_file():
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            self.rows = [row for row in rows if row["step"] <= resume_step]

    def add(self, step: int, terms: Mapping[str, float], **facts: float) -> dict[str, Any] | None:
        """Take in the terms of ``step`` (steps done, from 1); returns a row where one became complete."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if step % self.every and step != self.last_step:
            return None
        means = {name: value / self._count for name, value in self._sums.items()}
        row = {"step": step, **facts, "losses": means}
        self.rows.append(row)
        self._sums, self._count = {}, 0
        return row

    def write(self) -> None:
        """Write all rows; the file appears whole or not at all."""
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in self.rows))


class TrainingProgress:
    """How far a run is and what it loses lately: a line now and then.

    Args:
        total: steps of the run.
        done: steps that were taken before.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total, self.first = total, done
        self.start = self.last = time.monotonic()
        self._lately: dict[str, float] = {}

    def update(self, step: int, terms: Mapping[str, float]) -> None:
        """Take in that ``step`` steps are done, the last with these loss terms."""
        for name, value in terms.items():
            self._lately[name] = (1 - FORGET) * self._lately.get(name, value) + FORGET * value
        self.show(step, ", ".join(f"{name} {value:.3g}" for name, value in self._lately.items()))

    def show(self, step: int, losses: str) -> None:
        """Print a line if the last one is long ago."""
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES or step == self.total:
            self.last = now
            rest = (now - self.start) / (step - self.first) * (self.total - step)
            print(f"training: step {step}/{self.total}, {rest:.0f} s left, {losses}", file=sys.stderr, flush=True)


class _Bar(TrainingProgress):
    """The same as a bar on a terminal."""

    def __init__(self, total: int, done: int, bar: Any, task: Any) -> None:
        super().__init__(total, done)
        self.bar, self.task = bar, task

    def show(self, step: int, losses: str) -> None:
        self.bar.update(self.task, completed=step, losses=losses)


@contextmanager
def training_progress(total: int, done: int = 0) -> Iterator[TrainingProgress]:
    """Progress of ``total`` steps on standard error: a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield TrainingProgress(total, done)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        "training",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(total, done, bar, bar.add_task("training", total=total, completed=done, losses=""))
