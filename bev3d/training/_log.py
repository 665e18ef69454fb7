"""The losses of a run: kept by name, shown while it goes, written as rows and as a picture."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bev3d._progress import SECONDS_BETWEEN_LINES
from bev3d.training._rows import Events, read_rows, write_rows

__all__ = ["LossLog", "TrainingProgress", "training_progress"]

FORGET = 0.1  # weight of the newest step in the losses that are shown


class LossLog:
    """Mean of every loss term over each stretch of ``every`` steps, and how fast they went.

    Args:
        path: JSON lines: step, samples, learning_rate, gradient_norm and ``losses`` by name; seconds of the run so far,
            samples_per_second and waiting_share (of the time, for data). A table of the same lies beside it.
        every: steps in a stretch.
        last_step: where the run ends, and with it the last stretch, however short; None where that is not known.
        resume_step: rows after it are forgotten: they belong to steps that will be taken again.
        state: of a stretch that a checkpoint cut: :meth:`state_dict`.
        events: where rows go as well.
    """

    def __init__(
        self,
        path: Path,
        *,
        every: int,
        resume_step: int = 0,
        last_step: int | None = None,
        state: Mapping[str, Any] | None = None,
        events: Events | None = None,
    ) -> None:
        self.path, self.every, self.last_step = path, every, last_step
        self.events = Events() if events is None else events
        self.rows = read_rows(path, resume_step)
        start: Mapping[str, Any] = {"sums": {}, "count": 0, "samples": 0, "seconds": 0.0, "waiting": 0.0, "before": 0.0}
        self._stretch = {**start, **(state or {})}

    def add(
        self,
        step: int,
        terms: Mapping[str, float] | None,
        *,
        samples: int = 0,
        seconds: float = 0.0,
        waiting: float = 0.0,
        **facts: float,
    ) -> dict[str, Any] | None:
        """Take in ``step`` (steps done, from 1); returns a row where one became complete.

        Args:
            step: its number.
            terms: by name; None for a step that was skipped.
            samples, seconds, waiting: of this step: how many, as of all others, how long it took, and how much of that
                went by in waiting for data.
            facts: numbers that go into a row as they are; left out where they are not finite.
        """
        now = self._stretch
        if terms is not None:
            now["sums"] = {name: now["sums"].get(name, 0.0) + value for name, value in terms.items()}
            now["count"] += 1
        for name, value in (("samples", samples), ("seconds", seconds), ("waiting", waiting)):
            now[name] += value
        if (step % self.every and step != self.last_step) or not now["count"]:
            return None
        total = now["before"] + now["seconds"]
        row = {
            "step": step,
            "samples": step * samples,
            **{name: value for name, value in facts.items() if math.isfinite(value)},
            "seconds": round(total, 3),
            "samples_per_second": round(now["samples"] / max(now["seconds"], 1e-9), 3),
            "waiting_share": round(now["waiting"] / max(now["seconds"], 1e-9), 4),
            "losses": {name: value / now["count"] for name, value in now["sums"].items()},
        }
        self.rows.append(row)
        self.events.add("training", step, row)
        self._stretch = {"sums": {}, "count": 0, "samples": 0, "seconds": 0.0, "waiting": 0.0, "before": total}
        return row

    def state_dict(self) -> dict[str, Any]:
        """The stretch that is not complete, for a checkpoint."""
        return dict(self._stretch)

    def write(self) -> None:
        """Write all rows; the files appear whole or not at all."""
        write_rows(self.path, self.rows)


class TrainingProgress:
    """How far a run is and what it loses lately: a line now and then.

    Args:
        total: steps of the run.
        done: steps that were taken before.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total, self.first = total, done
        self.start = self.last = time.monotonic()
        self.samples, self.seconds, self.waiting = 0, 0.0, 0.0
        self._lately: dict[str, float] = {}

    def update(self, step: int, terms: Mapping[str, float], *, samples: int, seconds: float, waiting: float) -> None:
        """Take in that ``step`` steps are done, the last with these loss terms.

        Args:
            step: its number.
            terms: by name; empty for a step that was skipped.
            samples, seconds, waiting: as :meth:`LossLog.add`.
        """
        for name, value in terms.items():
            self._lately[name] = (1 - FORGET) * self._lately.get(name, value) + FORGET * value
        self.samples, self.seconds, self.waiting = (
            self.samples + samples,
            self.seconds + seconds,
            self.waiting + waiting,
        )
        losses = ", ".join(f"{name} {value:.3g}" for name, value in self._lately.items())
        self.show(step, ", ".join(filter(None, (losses, self.speed()))))

    def speed(self) -> str:
        """Samples per second and the share of the time that was spent waiting for data, over this call's steps."""
        if not self.seconds:
            return ""
        rate, share = self.samples / self.seconds, self.waiting / self.seconds
        return f"{rate:.3g} samples/s, {share:.1%} of the time waiting for data"

    def note(self, text: str) -> None:
        """Print a line of its own."""
        print(f"training: {text}", file=sys.stderr, flush=True)

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

    def note(self, text: str) -> None:
        self.bar.console.print(f"training: {text}")

    def show(self, step: int, losses: str) -> None:
        self.bar.update(self.task, completed=step, losses=losses)


class _Silence(TrainingProgress):
    """Counts and shows nothing."""

    def note(self, text: str) -> None:
        pass

    def show(self, step: int, losses: str) -> None:
        pass


@contextmanager
def training_progress(total: int, done: int = 0, *, quiet: bool = False) -> Iterator[TrainingProgress]:
    """Progress of ``total`` steps on standard error: a bar on a terminal, lines elsewhere; nothing where ``quiet``."""
    if quiet:
        yield _Silence(total, done)
        return
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
