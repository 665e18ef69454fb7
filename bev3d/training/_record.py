"""The files that a run leaves."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bev3d._errors import UserError
from bev3d.training._checkpoint import save_checkpoint
from bev3d.training._log import LossLog
from bev3d.training._rows import Events, opened_events, read_rows, write_rows
from bev3d.training._state import TrainingState

__all__ = ["BEST", "CHECKPOINT", "LOG", "LOSS_CURVE", "Record"]

CHECKPOINT, BEST, LOG, LOSS_CURVE = "checkpoint.pt", "best.pt", "losses.jsonl", "loss.png"
EVALUATIONS, EVENTS = "evaluations.jsonl", "events"


@dataclass(eq=False)
class Record:
    """Log, evaluations and checkpoints of a run; only rank 0 writes them.

    Attributes:
        out: the folder.
        state: what checkpoints hold.
        losses: mean losses by stretch.
        evaluations: rows of step and metrics.
        events: where both go as well.
        saved: step of the last checkpoint.
    """

    out: Path
    state: TrainingState
    losses: LossLog
    evaluations: list[dict[str, Any]]
    events: Events
    saved: int

    @classmethod
    @contextmanager
    def opened(cls, out: Path, state: TrainingState, log: Mapping[str, Any]) -> Iterator[Record]:
        """The record of a run that goes on from ``state.step``, with what its checkpoint kept of the log."""
        config, step, main = state.config, state.step, state.ranks.is_main
        if main:
            _remove_torn(out)
        with opened_events(out / EVENTS, wanted=config.tensorboard and main, resume_step=step) as events:
            losses = LossLog(
                out / LOG,
                every=config.log_every_steps,
                resume_step=step,
                last_step=state.total_steps,
                state=log,
                events=events,
            )
            yield cls(out, state, losses, read_rows(out / EVALUATIONS, step), events, step)

    def add_evaluation(self, metrics: Mapping[str, float]) -> None:
        """Take in metrics of the present step; the best so far gets its own checkpoint."""
        row = {"step": self.state.step, **{name: float(value) for name, value in metrics.items()}}
        self.evaluations.append(row)
        self.events.add("evaluation", self.state.step, row)
        score = row.get("mean_ap")
        if score is not None and score > self.state.best.get("mean_ap", float("-inf")):
            self.state.best = row
            save_checkpoint(self.out / BEST, self.state, self.losses.state_dict())

    def save(self) -> None:
        """Write logs and the checkpoint of the present step."""
        if not self.state.ranks.is_main:
            return
        try:
            self.losses.write()
            if self.evaluations:
                write_rows(self.out / EVALUATIONS, self.evaluations)
        except OSError as error:
            kept = f"the checkpoint of step {self.saved} is kept" if self.saved else "there is no checkpoint yet"
            raise UserError(f"{self.out}: the log could not be written ({error}); {kept}; free space there") from error
        save_checkpoint(self.out / CHECKPOINT, self.state, self.losses.state_dict())
        self.saved = self.state.step

    def rescue(self) -> None:
        """Keep what a run that ends with an error has reached; the error on its way stays the one that counts."""
        if not (self.state.ranks.is_main and self.state.whole and self.state.step > self.saved):
            return
        try:
            self.save()
        except UserError as error:
            print(f"training: {error}", file=sys.stderr)


def _remove_torn(out: Path) -> None:
    """Half-written checkpoints, under their temporary names, of runs that were killed while they wrote."""
    for name in (CHECKPOINT, BEST):
        for file in out.glob(f".{Path(name).stem}.*.pt"):
            file.unlink(missing_ok=True)
