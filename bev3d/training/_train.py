"""A training run: from a configuration and a data set to a checkpoint, a log and a loss curve."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bev3d._errors import DataFormatError
from bev3d.config import Config
from bev3d.data import Dataset, open_dataset
from bev3d.training._batches import prepare_samples
from bev3d.training._checkpoint import Checkpoint, check_same_run, load_checkpoint, restore
from bev3d.training._device import choose_device, repeatable
from bev3d.training._evaluate import Evaluate, evaluate_on
from bev3d.training._interrupt import watched_signals
from bev3d.training._log import training_progress
from bev3d.training._loop import Run, run_steps
from bev3d.training._plot import plot_losses
from bev3d.training._ranks import Ranks, joined_ranks, peer_failures_named
from bev3d.training._record import BEST, CHECKPOINT, LOSS_CURVE, Record
from bev3d.training._sampler import Sampler
from bev3d.training._state import TrainingState, build_state

__all__ = ["TrainResult", "train"]


@dataclass(frozen=True)
class TrainResult:
    """What a run left.

    Attributes:
        checkpoint: file with the weights.
        steps: steps taken so far, over all continuations.
        total_steps: steps of the whole run; more than ``steps`` where ``max_seconds`` ended it early.
        seconds: wall time of this call.
        losses: mean of every term over the last logged stretch, by name.
        waiting_share: of the time of this call's steps, what went by in waiting for data.
        skipped: steps that overflowed in float16 and changed nothing.
        best: step and metrics of the best evaluation, whose checkpoint is ``best.pt``; empty without evaluations.
        is_main: whether this process is the one that wrote them.
    """

    checkpoint: Path
    steps: int
    total_steps: int
    seconds: float
    losses: dict[str, float]
    waiting_share: float = 0.0
    skipped: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    is_main: bool = True


def train(
    config: Config,
    dataroot: str | Path,
    out: str | Path,
    *,
    resume: bool = True,
    max_seconds: float | None = None,
    dataset: Dataset | None = None,
    evaluate: Evaluate | None = None,
) -> TrainResult:
    """Train the detector of ``config`` on ``config.train_split``.

    A run that was stopped, however, goes on from its last checkpoint in ``out`` and on a CPU, with the same number of
    threads, ends with the same weights, bit for bit, as one that was not. Samples are loaded by a thread meanwhile.
    For speed beside other work set ``OMP_WAIT_POLICY=PASSIVE`` before torch is imported (the command line does).

    Started by ``torchrun`` the processes train together; rank 0 writes and prints. Ctrl-C and SIGTERM end the run
    after the step, with a checkpoint.

    Args:
        config: everything that shapes the run; the number of steps is ceil(epochs * samples / samples of a step).
        dataroot: folder of the data set.
        out: folder for ``checkpoint.pt``, ``best.pt``, ``losses.jsonl`` and ``.csv``, ``evaluations.jsonl`` and
            ``.csv``, ``loss.png``, ``events``.
        resume: go on from the checkpoint in ``out`` if there is one; else start anew and overwrite it.
        max_seconds: stop after the first step past this time, with a checkpoint to go on from.
        dataset: samples to train on in place of those under ``dataroot``.
        evaluate: called as often as ``config`` says, on rank 0, with the detector of the averaged weights; None: the
            data set's own metric on ``config.val_split``.

    Raises:
        UserError: a checkpoint of another configuration or a damaged one; no samples, or one that cannot be read; a
            loss that is no number; too little memory or disk; another process that failed.
        TrainingInterrupted: a signal asked to stop.
    """
    start = time.monotonic()
    deadline = None if max_seconds is None else start + max_seconds
    with ExitStack() as stack:
        ranks = stack.enter_context(joined_ranks(config.device, config.rank_timeout_s))
        stack.enter_context(peer_failures_named(ranks))
        device = choose_device(config.device, ranks.local_rank)
        stack.enter_context(_own_random_numbers(device, config.seed))
        stack.enter_context(repeatable(config.deterministic))
        dataset = open_dataset(config, Path(dataroot), config.train_split) if dataset is None else dataset
        if not len(dataset):
            raise DataFormatError(f"train_split: expected at least 1 sample, got none in {config.train_split!r}")
        dataset, paste = prepare_samples(dataset, config, quiet=not ranks.is_main)
        state = build_state(config, ranks, device, Sampler(len(dataset), config.seed))
        record = stack.enter_context(_opened_record(Path(out), state, resume))
        if evaluate is None and ranks.is_main and (config.evaluate_every_steps or config.evaluate_every_epochs):
            evaluate = evaluate_on(config, dataroot, open_dataset(config, Path(dataroot), config.val_split))
        stop = stack.enter_context(watched_signals())
        progress = stack.enter_context(training_progress(state.total_steps, state.step, quiet=not ranks.is_main))
        run_steps(Run(state, record, progress, stop, dataset, paste, evaluate, deadline))
        if ranks.is_main:
            plot_losses(record.losses.rows, record.out / LOSS_CURVE)
    return _result(state, record, ranks, progress.waiting / max(progress.seconds, 1e-9), time.monotonic() - start)


@contextmanager
def _opened_record(out: Path, state: TrainingState, resume: bool) -> Iterator[Record]:
    """The files of a run; where one was stopped there, ``state`` is put back to its checkpoint."""
    log: dict[str, Any] = {}
    if resume and (out / CHECKPOINT).is_file():
        checkpoint = _checkpoint_to_go_on_from(out)
        check_same_run(checkpoint, state)
        restore(checkpoint, state)
        log = checkpoint.state["log"]
    state.ranks.add([0.0])  # nobody writes a checkpoint while another still reads
    with Record.opened(out, state, log) as record:
        yield record


def _checkpoint_to_go_on_from(out: Path) -> Checkpoint:
    try:
        return load_checkpoint(out / CHECKPOINT)
    except DataFormatError as error:
        best = f"put a copy of {BEST} in its place, " if (out / BEST).is_file() else ""
        advice = f"{best}train into another folder, or start anew without resuming, which overwrites it"
        raise DataFormatError(f"{error}; {advice}") from error


@contextmanager
def _own_random_numbers(device: torch.device, seed: int) -> Iterator[None]:
    """torch's generators are the run's own within it, and the caller's again afterwards."""
    with torch.random.fork_rng(devices=[device.index] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        yield


def _result(state: TrainingState, record: Record, ranks: Ranks, waiting: float, seconds: float) -> TrainResult:
    rows = record.losses.rows
    return TrainResult(
        checkpoint=record.out / CHECKPOINT,
        steps=state.step,
        total_steps=state.total_steps,
        seconds=seconds,
        losses=dict(rows[-1]["losses"]) if rows else {},
        waiting_share=waiting,
        skipped=state.skipped,
        best=dict(state.best),
        is_main=ranks.is_main,
    )
